"""The files of a product in a folder or an archive: found by their names, none is opened."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, fromstring

from ...documents import DocumentError, content_of, read_json, text_of
from ...errors import RasterError

MOST_FILES = 20_000
"""Files that are looked at: a SAFE folder has 150, a Zarr array may have millions."""
MOST_BYTES = 64_000_000
"""Length of the longest metadata file."""
ARCHIVE = re.compile(
    r"(?:/vsi(?:zip|tar)/|zip://)?(?P<path>.+?\.(?:zip|tar))(?:(?:!/?|/)(?P<member>.*))?",
    re.IGNORECASE | re.DOTALL,
)
"""An archive, or a file or folder in one as GDAL and rasterio name it."""
DAMAGES = (OSError, KeyError, RuntimeError, zipfile.BadZipFile, tarfile.TarError)
"""What the reading of a file or of a member raises."""


class InArchive(NamedTuple):
    """A name that is of an archive."""

    path: str
    """The archive, a file that exists."""
    member: str
    """A file or folder in it; empty: all of it."""

    @classmethod
    def of(cls, name: str) -> InArchive | None:
        """Take a name apart; None where it is of no archive."""
        found = ARCHIVE.fullmatch(name)
        if found is None or not os.path.isfile(found["path"]):
            return None
        return cls(found["path"], (found["member"] or "").rstrip("/"))


@dataclass(frozen=True)
class ProductFiles:
    """Files below a folder or in an archive."""

    root: str
    """The folder, or GDAL's name of the archive (``/vsizip/scene.zip``)."""
    names: tuple[str, ...]
    """Paths below the root, parts divided by ``/``, sorted."""
    archive: str | None = field(default=None, kw_only=True)
    """Path of the archive; None for a folder."""

    @classmethod
    def of(cls, root: str) -> ProductFiles:
        """List a folder or an archive, whole; empty where it is neither, or cannot be listed."""
        if os.path.isdir(root):
            return cls(root, tuple(sorted(islice(_below(root), MOST_FILES))))
        if zipfile.is_zipfile(root):
            return cls(f"/vsizip/{root}", _listed(_zipped, root), archive=root)
        if root.lower().endswith(".tar") and os.path.isfile(root):
            return cls(f"/vsitar/{root}", _listed(_tarred, root), archive=root)
        return cls(root, ())

    @classmethod
    def near(cls, name: str, pattern: re.Pattern[str]) -> ProductFiles:
        """List the files among which a product is that a user names by one name.

        That is what lies directly in a folder, or beside a file whose name matches ``pattern``; of
        an archive, or of a member, all of it.  Empty where the name is none of these.
        """
        found = InArchive.of(name)
        if found is not None:
            return cls.of(found.path)
        folder, last = os.path.split(name)
        if os.path.isdir(name):
            folder = name
        elif not pattern.fullmatch(last) or not os.path.isfile(name):
            return cls(name, ())
        return cls(folder, _directly_in(folder))

    def name_of(self, path: str) -> str | None:
        """Return the name of a file; None where the path is of a folder, or of another place."""
        if self.archive is not None:
            found = InArchive.of(path)
            name = "" if found is None else found.member
        else:
            name = "" if os.path.isdir(path) else os.path.basename(path)
        return name if name in self.names else None

    def starting(self, *starts: str) -> ProductFiles:
        """Return the files whose names start with one of some texts in upper case, in any case."""
        own = (n for n in self.names if PurePosixPath(n).name.upper().startswith(starts))
        return replace(self, names=tuple(own))

    def matching(self, pattern: re.Pattern[str]) -> dict[str, re.Match[str]]:
        """Return the names whose last part matches ``pattern`` as a whole, with the matches."""
        matches = {name: pattern.fullmatch(PurePosixPath(name).name) for name in self.names}
        return {name: match for name, match in matches.items() if match is not None}

    def absolute(self) -> ProductFiles:
        """Return the files with absolute paths."""
        if self.archive is None:
            return replace(self, root=os.path.abspath(self.root))
        archive = os.path.abspath(self.archive)
        root = f"{self.root.removesuffix(self.archive)}{archive}"
        return replace(self, root=root, archive=archive)

    def path(self, name: str) -> str:
        """Return the path of a file, or its name for GDAL."""
        return f"{self.root}/{name}" if self.archive else os.path.join(self.root, *name.split("/"))

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file as one path each: the archive, or what lies in the folder."""
        return tuple(map(self.path, self.names)) if self.archive is None else (self.archive,)

    def content(self, name: str) -> bytes:
        """Read a metadata file.

        Raises
        ------
        RasterError
            When it is missing, cannot be read, or is too long.
        """
        try:
            content = self._content(name)
        except DAMAGES as error:
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
        # Of an encoding that is unknown, or of several bytes, Python raises errors of its own.
        except (ParseError, LookupError, ValueError) as error:
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
        if self.root.startswith("/vsizip/"):
            with zipfile.ZipFile(self.archive) as zipped, zipped.open(name) as file:
                return file.read(MOST_BYTES + 1)
        with tarfile.open(self.archive, "r:") as tarred:
            content = tarred.extractfile(name)
            return b"" if content is None else content.read(MOST_BYTES + 1)

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


def _directly_in(folder: str) -> tuple[str, ...]:
    try:
        with os.scandir(folder or os.curdir) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
    except OSError:
        return ()
    return tuple(sorted(names[:MOST_FILES]))


def _listed(members: Callable[[str], list[str]], archive: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(members(archive)[:MOST_FILES]))
    except DAMAGES:
        return ()


def _zipped(archive: str) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return [name for name in opened.namelist() if not name.endswith("/")]


def _tarred(archive: str) -> list[str]:
    with tarfile.open(archive, "r:") as opened:
        return [member.name for member in opened if member.isreg()]
