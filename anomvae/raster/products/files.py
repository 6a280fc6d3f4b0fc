"""The files of a product in a folder or a ZIP archive: found by their names, none is opened."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, ParseError, fromstring

from ...documents import DocumentError, content_of, read_json, text_of
from ...errors import RasterError

MOST_FILES = 20_000
"""Files that are looked at: a SAFE folder has 150, a Zarr array may have millions."""
MOST_BYTES = 64_000_000
"""Length of the longest metadata file."""


@dataclass(frozen=True)
class ProductFiles:
    """Files below a folder or in an archive."""

    root: str
    """The folder, or GDAL's name of the archive (``/vsizip/scene.zip``)."""
    names: tuple[str, ...]
    """Paths below the root, parts divided by ``/``, sorted."""

    @classmethod
    def of(cls, root: str) -> ProductFiles:
        """List a folder or a ZIP archive; empty where it is neither, or cannot be listed."""
        if os.path.isdir(root):
            return cls(root, tuple(sorted(islice(_below(root), MOST_FILES))))
        if zipfile.is_zipfile(root):
            return cls(f"/vsizip/{root}", _members(root))
        return cls(root, ())

    @property
    def archive(self) -> str | None:
        """Path of the archive; None for a folder."""
        return self.root.removeprefix("/vsizip/") if self.root.startswith("/vsizip/") else None

    def matching(self, pattern: re.Pattern[str]) -> dict[str, re.Match[str]]:
        """Return the names whose last part matches ``pattern`` as a whole, with the matches."""
        matches = {name: pattern.fullmatch(PurePosixPath(name).name) for name in self.names}
        return {name: match for name, match in matches.items() if match is not None}

    def below(self, folder: str) -> ProductFiles:
        """Return the files of a folder below the root, which becomes the root."""
        start = f"{folder}/"
        names = (name.removeprefix(start) for name in self.names if name.startswith(start))
        return ProductFiles(f"{self.root}/{folder}", tuple(names))

    def path(self, name: str) -> str:
        """Return the path of a file, or its name for GDAL."""
        return f"{self.root}/{name}" if self.archive else os.path.join(self.root, *name.split("/"))

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file as one path each: the archive, or what lies in the folder."""
        archive = self.archive
        return (archive,) if archive is not None else tuple(map(self.path, self.names))

    def content(self, name: str) -> bytes:
        """Read a metadata file.

        Raises
        ------
        RasterError
            When it is missing, cannot be read, or is too long.
        """
        try:
            content = self._content(name)
        except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RasterError(
                f"{self.path(name)} cannot be read: {reason}. Fetch or unpack the product again."
            ) from error
        if len(content) > MOST_BYTES:
            raise RasterError(
                f"{self.path(name)} has more than {MOST_BYTES} bytes, too many for metadata. "
                f"Fetch or unpack the product again."
            )
        return content

    def xml(self, name: str) -> Element:
        """Read a metadata file of XML; a damaged one raises `RasterError`."""
        try:
            return fromstring(self.content(name))
        except ParseError as error:
            raise self._damaged(name, f"it is no XML ({error})") from error

    def json(self, name: str) -> object:
        """Read a metadata file of JSON; a damaged one raises `RasterError`."""
        try:
            found: object = read_json(self.content(name))
        except DocumentError as error:
            raise self._damaged(name, str(error)) from error
        return found

    def text(self, name: str) -> str:
        """Read a metadata file of text; one that is no UTF-8 raises `RasterError`."""
        try:
            return text_of(self.content(name))
        except DocumentError as error:
            raise self._damaged(name, str(error)) from error

    def _content(self, name: str) -> bytes:
        if self.archive is None:
            return content_of(self.path(name))
        with zipfile.ZipFile(self.archive) as archive, archive.open(name) as member:
            return member.read(MOST_BYTES + 1)

    def _damaged(self, name: str, reason: str) -> RasterError:
        return RasterError(
            f"{self.path(name)} is damaged: {reason}. Fetch or unpack the product again."
        )


def _below(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        inside = os.path.relpath(parent, folder)
        parts = [] if inside == os.curdir else inside.split(os.sep)
        yield from (PurePosixPath(*parts, file).as_posix() for file in files)


def _members(archive: str) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile):
        return ()
    return tuple(sorted(names[:MOST_FILES]))
