"""A local scene as files: one file, or all files of a product, which change together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..errors import FileError
from ..identity import FileIdentity, identify
from ..names import UNFINISHED

if TYPE_CHECKING:
    from ..raster import Product

MOST_FILES = 20_000
"""Files of a product: a SAFE folder has 150."""


def digest_of_file(path: str | Path) -> str:
    """Return the digest of a file's content, 16 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def digest_of_setting(path: str, what: str) -> str:
    """Return the digest of a file that a configuration names; `FileError` calls it ``what``."""
    try:
        return digest_of_file(path)
    except OSError as error:
        raise FileError(
            f"{path}, the {what}, cannot be read: {error.strerror}. Check the path."
        ) from error


@dataclass(frozen=True)
class LocalScene:
    """A file, or a product of several files."""

    path: Path
    """What is opened: a file or a folder."""
    product: Product | None = None
    """What was recognised."""
    awaited: tuple[str, ...] = ()
    """Masks of it that are not there yet."""

    @property
    def entries(self) -> list[Path]:
        """The files, and the folders that hold them; ValueError where they are too many."""
        paths = () if self.product is None else self.product.paths
        local = {Path(path) for path in paths if os.path.exists(path)}
        if self.path.is_dir():
            folder = os.path.abspath(self.path)
            beside = (path for path in local if not _lies_in(os.path.abspath(path), folder))
            return self._below() + sorted(beside)
        return sorted(local) if len(local) > 1 else [self.path]

    @property
    def incomplete(self) -> bool:
        """Whether a mask is not there yet, or a file is being copied or fetched, by its name."""
        unfinished = any(path.suffix.lower() in UNFINISHED for path in self.entries)
        return unfinished or bool(self.awaited)

    def state(self) -> FileIdentity:
        """Return name, size and time: of several files their sum, and the latest of all times.

        A copy may set the time of an original; the time at which its entry was written stays.
        """
        entries = self.entries
        states = [path.stat() for path in entries]
        if entries == [self.path]:
            return identify(self.path)
        return FileIdentity(
            self.path.name,
            sum(state.st_size for state in states),
            max(max(state.st_mtime_ns, state.st_ctime_ns) for state in states),
            path=self.path.absolute(),
        )

    def digest(self, digest: Callable[[Path], str]) -> str:
        """Return the digest of its content, of several files with their names."""
        files = [path for path in self.entries if path.is_file()]
        if files == [self.path]:
            return digest(self.path)
        whole = hashlib.sha256()
        for path in files:
            name = PurePath(os.path.relpath(path, self.path.parent)).as_posix()
            whole.update(f"{name} {digest(path)}\n".encode(errors="surrogateescape"))
        return whole.hexdigest()[:16]

    def _below(self) -> list[Path]:
        found = [self.path]
        for parent, folders, files in os.walk(self.path):
            folders.sort()
            found += [Path(parent, name) for name in (*folders, *sorted(files))]
            if len(found) > MOST_FILES:
                raise ValueError(f"it holds more than {MOST_FILES} files")
        return found


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}{os.sep}")
