"""The one door by which rasters are opened: allowed drivers, safe sources, within limits.

GDAL applies a list of allowed drivers only to the file that it is given.  Whatever it opens by
itself, it opens with any driver: sources of a VRT, overviews and masks beside a file.  So these are
opened here first, in the same way.  What the user types is the user's own word: an address, or a
VRT as text, of which only the size is checked.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from rasterio.env import ensure_env_with_credentials
from rasterio.io import DatasetReader

from ..addresses import displayed, is_local
from ..documents import require_regular
from ..errors import RasterError
from ..names import is_utf8, printable
from .access import ALLOW, DEFAULT, TRUST, VRT, Access
from .gdal import GDAL_ERRORS, is_remote, is_text, is_vrt, reason, reporting, unwarned
from .limits import require_at_most, require_within
from .losses import DAMAGED, UNREACHABLE, require_whole_side_car, without_losses
from .source_paths import source_path
from .vrt import Reference, VrtError, references
from .vrt_text import read_document

MAX_LEVELS = 10
"""VRTs inside each other."""
MASKS_AND_OVERVIEWS = (".msk", ".ovr")
"""Ends of the names of masks and overviews that GDAL opens beside a file."""
UNKNOWN = "not recognized as being in a supported file format"
"""GDAL's words for a file that exists, and that no allowed driver opens."""


def open_handle(path: str, name: str | None = None, access: Access = DEFAULT) -> DatasetReader:
    """Open a raster for reading; messages call it ``name``, by default its path.

    Raises
    ------
    RasterError
        When it does not exist, is no raster of an allowed format, exceeds a limit, or names
        files that it must not.
    """
    title = printable(displayed(path) if name is None else name)
    if not is_utf8(path):
        raise RasterError(f"{title} cannot be opened: its name is not encoded in UTF-8. Rename it.")
    if is_local(path) and not os.path.exists(path):  # Path.exists raises for a name too long
        raise RasterError(f"{title} does not exist. Check the path.")
    with (
        reporting(
            f"{title} cannot be opened as a raster",
            _advice(path),
            remote=is_remote(path) or is_vrt(path),
        ),
        without_losses(title, UNREACHABLE if is_remote(path) else DAMAGED),
    ):
        return _Opening(title, access).open(path).handle


def _advice(path: str) -> str:
    if is_remote(path):
        return "Check the address, the rights and the network."
    return (
        "Give a file that GDAL reads (GeoTIFF, ENVI, VRT, ...), complete and readable; a format "
        f"that may fetch other files is allowed by name ({ALLOW})."
    )


@ensure_env_with_credentials  # type: ignore[untyped-decorator]
def _dataset(path: str, drivers: Sequence[str]) -> DatasetReader:
    # `rasterio.open` takes no list of drivers, whatever its documentation promises.
    with unwarned():
        return DatasetReader(path, driver=list(drivers), sharing=False)


@contextmanager
def _closed_on_error(handle: DatasetReader) -> Iterator[None]:
    try:
        yield
    except BaseException:
        handle.close()
        raise


class _Opened(NamedTuple):
    """An open file, and the number of sources in it."""

    handle: DatasetReader
    sources: int = 1


@dataclass(frozen=True)
class _Opening:
    """Opens one raster, after everything that GDAL opens with it."""

    title: str
    access: Access
    counts: dict[str, int] = field(default_factory=dict)
    """Number of sources of each file that is checked."""

    def open(self, path: str, level: int = 0) -> _Opened:
        """Open a file once all files that it names are checked."""
        if level > MAX_LEVELS:
            raise RasterError(
                f"{self.title} holds VRTs inside each other, deeper than {MAX_LEVELS}. {TRUST}"
            )
        self._require_regular(path, level)
        opened = self._open(path, level)
        with _closed_on_error(opened.handle):
            if not is_text(path):
                self._require_overviews(opened.handle, path, level)
                self._require_side_cars(path, level)
            require_within(opened.handle, path if level else self.title, self.access.limits)
        return opened

    def _require_regular(self, path: str, level: int) -> None:
        """Require that a path, and its side-car, are no pipes: GDAL would wait for ever."""
        if not is_local(path):
            return
        try:
            require_regular(path)
        except OSError as error:
            what = self.title if level == 0 else f"{self.title} needs {path}, which"
            raise RasterError(
                f"{what} cannot be opened: {error.strerror}. Save its content in a file."
            ) from error
        require_whole_side_car(path)

    def _open(self, path: str, level: int) -> _Opened:
        _require_safe_redirects(path)
        allowed = self.access.allowed(path)
        if is_text(path) or self.access.any_source:
            return _Opened(_dataset(path, allowed))
        try:
            return _Opened(_dataset(path, [driver for driver in allowed if driver != VRT]))
        except GDAL_ERRORS:
            document = read_document(path, self._most_bytes)
            if document is None:
                raise
        return self._open_vrt(document, path, level)

    def _open_vrt(self, document: bytes, path: str, level: int) -> _Opened:
        written = self._references(document, path)
        sources = self._sources(written, path, level)
        handle = _dataset(path, [VRT])
        with _closed_on_error(handle):
            understood = self._references(handle.tags(ns="xml:VRT")["xml:VRT"], path)
            if understood - written:
                sources = self._sources(understood, path, level)
        return _Opened(handle, max(1, sources))

    @property
    def _most_bytes(self) -> int | None:
        return None if self.access.limits is None else self.access.limits.document_bytes

    def _references(self, document: bytes | str, path: str) -> Counter[Reference]:
        try:
            return references(document)
        except VrtError as error:
            raise RasterError(f"{path} is a VRT that is not opened: {error}. {TRUST}") from error

    def _sources(self, found: Counter[Reference], path: str, level: int) -> int:
        """Check the sources of a VRT; return their number, those of inner VRTs included."""
        count = 0
        for reference, times in found.items():
            count += times * self._count(source_path(reference, path), reference.raw, level)
            if self.access.limits is not None:
                require_at_most(path, "sources", count, self.access.limits.sources)
        return count

    def _count(self, path: str, raw: bool, level: int) -> int:
        """Check a file that another one names; return the number of sources in it."""
        if raw:
            self._require_regular(path, level + 1)
            _require_safe_redirects(path)
            return 1
        if path not in self.counts:
            self.counts[path] = self._checked(path, level)
        return self.counts[path]

    def _checked(self, path: str, level: int) -> int:
        try:
            opened = self.open(path, level + 1)
        except GDAL_ERRORS as error:
            raise RasterError(
                f"{self.title} needs {path}, which cannot be opened: {reason(error)}. Give all "
                f"its files; a format that may fetch others is allowed by name ({ALLOW})."
            ) from error
        opened.handle.close()
        return opened.sources

    def _require_overviews(self, handle: DatasetReader, path: str, level: int) -> None:
        """Check the file of overviews that the metadata of a file name."""
        named = handle.tags(ns="OVERVIEWS").get("OVERVIEW_FILE")
        if named is not None:
            name = named.removeprefix(":::BASE:::")
            reference = Reference(name, relative=name != named, raw=False)
            self._count(source_path(reference, path), raw=False, level=level)

    def _require_side_cars(self, path: str, level: int) -> None:
        if is_remote(path):
            self._require_remote_side_cars(path)
        elif is_local(path):
            for name in _existing_side_cars(path):
                self._count(name, raw=False, level=level)

    def _require_remote_side_cars(self, path: str) -> None:
        for end in MASKS_AND_OVERVIEWS:
            _require_safe_redirects(path + end)
            try:
                with closing(_dataset(path + end, self.access.allowed(path + end))):
                    pass
            except GDAL_ERRORS as error:  # most have none
                if UNKNOWN in reason(error):
                    raise


def _existing_side_cars(path: str) -> Iterator[str]:
    """Yield the masks and overviews beside a file, whose ends GDAL finds in upper case, too."""
    ends = (end for lower in MASKS_AND_OVERVIEWS for end in (lower, lower.upper()))
    return (path + end for end in ends if os.path.exists(path + end))


def _require_safe_redirects(name: str) -> None:
    """Require that no server that a name leads to sends GDAL elsewhere."""
    if not is_local(name):
        from .redirects import require_safe_redirects  # with all of HTTP

        require_safe_redirects(name)
