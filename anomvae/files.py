"""Files that appear whole or not at all, and what tells one state of a file from another.

Results are made in a hidden folder beside their place, synced to disk, then renamed: a run that
dies leaves no half file, and a reader sees the old file or the new one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import RasterError

PathText = str | Path
"""A path, an URI, or whatever else GDAL opens by name."""


@dataclass(frozen=True)
class FileIdentity:
    """What changes when a file's content changes, without reading it."""

    name: str
    """Name of a local file without its folder; any other source as it was given."""
    size: int | None = None
    """Bytes; None where it is not a local file."""
    mtime_ns: int | None = None
    """Time of the last change, ns since 1970; None where it is not a local file."""


def identify(source: str | Path) -> FileIdentity:
    """Tell the state of a file, wherever its folder has been moved to."""
    path = Path(source)
    if not path.exists():
        return FileIdentity(str(source))
    status = path.stat()
    return FileIdentity(path.name, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Staging:
    """A hidden folder in which files are made before they are published."""

    target: Path
    """The folder that published files go to."""
    hidden: Path
    """The temporary folder inside ``target``, so that a rename never crosses file systems."""

    def path(self, name: str) -> Path:
        """Say where to make the file that will be published as ``name``."""
        return self.hidden / name

    def publish(self, *names: str) -> None:
        """Give finished files their names in ``target``, in the order given.

        All are safely on disk before the first is renamed, and each rename is on disk before the
        next: whoever finds the last file finds all of them, even after a power cut.

        Raises
        ------
        RasterError
            If a file cannot be synced or renamed.
        """
        with _writing(self.target):
            for name in names:
                sync(self.path(name))
            for name in names:
                self.path(name).replace(self.target / name)
                sync(self.target)


@contextmanager
def staging(folder: str | Path) -> Iterator[Staging]:
    """Make a hidden folder for results on their way into ``folder``; it is removed in the end.

    Parameters
    ----------
    folder : path
        Where the results go; created where it is missing.

    Yields
    ------
    Staging

    Raises
    ------
    RasterError
        If the folder cannot be created or written, or a file is in its place.
    """
    target = Path(folder)
    with _writing(target):
        target.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".anomvae-", dir=target))
    try:
        yield Staging(target, hidden)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write one file so that it appears whole or not at all.

    Raises
    ------
    RasterError
        If it cannot be written; what was there before is untouched.
    """
    final = Path(path)
    with staging(final.parent) as stage:
        with _writing(final):
            stage.path(final.name).write_bytes(data)
        stage.publish(final.name)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    if path.is_dir() and os.name != "posix":
        return  # only POSIX lets a folder be opened
    # Windows flushes only what is open for writing, POSIX opens a folder only for reading.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says into one line."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise RasterError(
            f"{path} cannot be written: a file stands where a folder is expected. "
            f"Choose another folder, or move that file away."
        ) from error
    except OSError as error:
        raise RasterError(
            f"{path} cannot be written: {error.strerror or error}. "
            f"Choose a place that is writable and has free space."
        ) from error
