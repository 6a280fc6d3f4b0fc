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
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rasterio.env import ensure_env_with_credentials
from rasterio.io import DatasetReader

from ..addresses import displayed, is_local
from ..documents import require_regular
from ..errors import RasterError
from ..names import is_utf8, printable
from .access import DEFAULT, VRT, Access
from .document import read_document
from .gdal import GDAL_ERRORS, is_remote, is_text, is_vrt, reason, reporting, unwarned, virtual_name
from .limits import require_at_most, require_within
from .losses import DAMAGED, UNREACHABLE, require_whole_side_car, without_losses
from .redirects import require_safe_redirects
from .vrt import Reference, VrtError, references

MAX_LEVELS = 10
"""VRTs inside each other."""
SIDE_CARS = (".msk", ".MSK", ".ovr", ".OVR")
"""Ends of the names of masks and overviews that GDAL opens beside a file."""
UNKNOWN = "not recognized as being in a supported file format"
"""GDAL's words for a file that exists, and that no allowed driver opens."""
TRUST = "If you trust the file, give --allow-driver VRT (in Python: Access(drivers=('VRT',)))."


def open_handle(path: str, name: str | None = None, access: Access = DEFAULT) -> DatasetReader:
    """Open a raster for reading; messages call it ``name``, by default its path.

    Raises
    ------
    RasterError
        When it does not exist, is no raster of an allowed format, exceeds a limit, or names
        files that it must not.
    """
    title = printable(displayed(path) if name is None else name)
    _require_name(path, title)
    if not is_utf8(path):
        raise RasterError(f"{title} cannot be opened: its name is not encoded in UTF-8. Rename it.")
    if is_local(path) and not os.path.exists(path):  # Path.exists raises for a name too long
        raise RasterError(f"{title} does not exist. Check the path.")
    require_safe_redirects(path)
    with (
        reporting(
            f"{title} cannot be opened as a raster",
            _advice(path),
            remote=is_remote(path) or is_vrt(path),
        ),
        without_losses(title, UNREACHABLE if is_remote(path) else DAMAGED),
    ):
        return _Opening(title, access).open(path)


def _require_name(path: str, title: str) -> None:
    try:
        virtual_name(path)
    except ValueError as error:  # of urllib
        raise RasterError(f"{title} is no address: {error}. Check its spelling.") from error


def _advice(path: str) -> str:
    if is_remote(path):
        return "Check the address, the rights and the network."
    return (
        "Give a file that GDAL reads (GeoTIFF, ENVI, VRT, ...), complete and readable; a format "
        "that may fetch other files is opened with --allow-driver NAME."
    )


@ensure_env_with_credentials  # type: ignore[untyped-decorator]
def _dataset(path: str, drivers: Sequence[str]) -> DatasetReader:
    # `rasterio.open` takes no list of drivers, whatever its documentation promises.
    with unwarned():
        return DatasetReader(path, driver=list(drivers), sharing=False)


@dataclass(frozen=True)
class _Opening:
    """Opens one raster, after everything that GDAL opens with it."""

    title: str
    access: Access
    counts: dict[str, int] = field(default_factory=dict)
    """Number of sources of each file that is checked."""

    def open(self, path: str, level: int = 0) -> DatasetReader:
        """Open a file once all files that it names are checked."""
        if level > MAX_LEVELS:
            raise RasterError(
                f"{self.title} holds VRTs inside each other, deeper than {MAX_LEVELS}. {TRUST}"
            )
        self._require_regular(path, level)
        handle = self._open(path, level)
        try:
            if not is_text(path):
                self._require_overviews(handle, path, level)
                self._require_side_cars(path, level)
            require_within(handle, path if level else self.title, self.access.limits)
        except BaseException:
            handle.close()
            raise
        return handle

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

    def _open(self, path: str, level: int) -> DatasetReader:
        allowed = self.access.allowed(path)
        if is_text(path) or self.access.any_source:
            return _dataset(path, allowed)
        try:
            return _dataset(path, [driver for driver in allowed if driver != VRT])
        except GDAL_ERRORS:
            document = read_document(path, self._most_bytes)
            if document is None:
                raise
        written = self._references(document, path)
        self._require_sources(written, path, level)
        handle = _dataset(path, [VRT])
        try:
            understood = self._references(handle.tags(ns="xml:VRT")["xml:VRT"], path)
            if understood - written:
                self._require_sources(understood, path, level)
        except BaseException:
            handle.close()
            raise
        return handle

    @property
    def _most_bytes(self) -> int | None:
        return None if self.access.limits is None else self.access.limits.document_bytes

    def _references(self, document: bytes | str, path: str) -> Counter[Reference]:
        try:
            return references(document)
        except VrtError as error:
            raise RasterError(f"{path} is a VRT that is not opened: {error}. {TRUST}") from error

    def _require_sources(self, found: Counter[Reference], path: str, level: int) -> None:
        """Require that the sources of a VRT lie in its folder and can be opened, too."""
        count = 0
        for reference, times in found.items():
            count += times * self._count(self._located(reference, path), reference.raw, level)
            if self.access.limits is not None:
                require_at_most(path, "sources", count, self.access.limits.sources)
        self.counts[path] = max(1, count)

    def _count(self, path: str, raw: bool, level: int) -> int:
        """Check a file that another one names; return the number of sources in it."""
        if raw:
            self._require_regular(path, level + 1)
            return 1
        if path not in self.counts:
            try:
                with closing(self.open(path, level + 1)):
                    self.counts.setdefault(path, 1)
            except GDAL_ERRORS as error:
                raise RasterError(
                    f"{self.title} needs {path}, which cannot be opened: {reason(error)}. Give all "
                    f"its files; a format that may fetch others is opened with --allow-driver NAME."
                ) from error
        return self.counts[path]

    def _located(self, reference: Reference, path: str) -> str:
        """Return the path of a source; raise unless it lies in the folder of the VRT or below."""
        inside = _inside(reference, path)
        if inside is None:
            raise RasterError(
                f"{path} names {reference.name}, which does not lie in its own folder or below. "
                f"Move the files together. {TRUST}"
            )
        return inside

    def _require_overviews(self, handle: DatasetReader, path: str, level: int) -> None:
        """Check the file of overviews that the metadata of a file name."""
        named = handle.tags(ns="OVERVIEWS").get("OVERVIEW_FILE")
        if named is not None:
            name = named.removeprefix(":::BASE:::")
            reference = Reference(name, relative=name != named, raw=False)
            self._count(self._located(reference, path), raw=False, level=level)

    def _require_side_cars(self, path: str, level: int) -> None:
        if is_remote(path):
            self._require_remote_side_cars(path)
        elif is_local(path):
            for name in _existing_side_cars(path):
                self._count(name, raw=False, level=level)

    def _require_remote_side_cars(self, path: str) -> None:
        for end in SIDE_CARS[::2]:
            try:
                with closing(_dataset(path + end, self.access.allowed(path + end))):
                    pass
            except GDAL_ERRORS as error:  # most have none
                if UNKNOWN in reason(error):
                    raise


def _existing_side_cars(path: str) -> Iterator[str]:
    """Yield the masks and overviews beside a file; a file system may ignore case."""
    return (path + end for end in SIDE_CARS if os.path.exists(path + end))


def _inside(reference: Reference, path: str) -> str | None:
    """Return the path of a source that lies in the folder of a VRT or below; None otherwise."""
    prefix, name, rest = _split(reference.name)
    if not is_local(name):
        return None
    if is_local(path):
        joined = os.path.join(os.path.dirname(path) if reference.relative else "", name)
        # GDAL starts at the folder of the VRT itself, where its name is a link to it.
        real = os.path.realpath(path)
        if reference.relative and os.path.dirname(real) != os.path.realpath(os.path.dirname(path)):
            joined = os.path.join(os.path.dirname(real), name)
        inside = Path(os.path.realpath(joined)).is_relative_to(os.path.dirname(real))
        return f"{prefix}{joined}{rest}" if inside else None
    clean = os.path.normpath(name)
    if not reference.relative or prefix or clean.startswith("..") or os.path.isabs(clean):
        return None
    folder = virtual_name(path).partition("?")[0].rpartition("/")[0]
    return f"{folder}/{name}"


def _split(name: str) -> tuple[str, str, str]:
    """Split the name of a subdataset, as in ``NETCDF:"a.nc":b``, around its path."""
    for prefix in ('NETCDF:"', 'HDF5:"', 'ZARR:"'):
        if name.startswith(prefix):
            path, quote, rest = name.removeprefix(prefix).partition('"')
            return prefix, path, quote + rest
    return "", name, ""
