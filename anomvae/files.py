"""Atomic files, and locks.

Results are written in a hidden folder inside the output folder, synced to disk, then renamed: a run
that dies leaves no half file, and a reader opens the old file or the new one.  A lock, which the
system frees when its process dies, keeps two runs from writing the same results.  The next run in
a folder removes the hidden files that a dead run left there.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .errors import AnomvaeError, LockHeld, NotWritten
from .names import fitted

if TYPE_CHECKING:
    from filelock import BaseFileLock

PathText = str | os.PathLike[str]
"""A path, an URI, or whatever else GDAL opens by name."""
SceneText = PathText | Sequence[PathText]
"""A raster, or one raster for each date of a scene, oldest first."""

HIDDEN = ".anomvae-"
SIDE_CAR = ".aux.xml"
"""End of the name of the file in which GDAL keeps what a raster's own format cannot hold."""
MAX_NAME = 255  # bytes, of file systems
PATIENCE = 1.0  # s; a run that removes files of a dead one holds its lock for a moment


def as_path(name: object) -> str:
    """Return a path as text.

    Raises
    ------
    TypeError
        When it is no path, such as an array of pixels.
    """
    if isinstance(name, str | os.PathLike):
        path = os.fspath(name)
        return path if isinstance(path, str) else os.fsdecode(path)
    kind = f"{type(name).__module__.partition('.')[0]}.{type(name).__qualname__}"
    if hasattr(name, "shape"):
        raise TypeError(
            f"An array ({kind} of shape {tuple(name.shape)}) is given where a path is expected. "
            f"Use anomvae.score_array or anomvae.detect_array for pixels in memory, or write them "
            f"to a file and give its path."
        )
    raise TypeError(
        f"A path is expected, not a value of type {kind}. Give a text or a pathlib.Path."
    )


def as_paths(scene: SceneText | Sequence[object]) -> tuple[str, ...]:
    """Return the rasters of a scene, one for each date; raises TypeError as `as_path`."""
    if isinstance(scene, str | os.PathLike) or _has_numbers(scene):
        return (as_path(scene),)
    return tuple(map(as_path, scene)) if isinstance(scene, Iterable) else (as_path(scene),)


def _has_numbers(value: object) -> bool:
    """Return whether a value is an array of numbers, not of names; torch's types have no kind."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return hasattr(value, "shape") and kind not in {"O", "U", "T"}


@dataclass(frozen=True)
class Staging:
    """A hidden folder in which files are written before they are published."""

    target: Path
    """Folder of the published files."""
    hidden: Path
    """The temporary folder inside ``target``, so that a rename never crosses file systems."""

    def path(self, name: str) -> Path:
        """Return where to write the file that will be published as ``name``."""
        return self.hidden / name

    def publish(self, *names: str) -> None:
        """Move complete files into ``target``, in the order of ``names``.

        All are on disk before the first is renamed, and each rename is on disk before the next.
        The last of several names is the commit mark: the old one is removed before the first
        rename.  Where it exists, all files exist and are of one run, even after a power cut.
        The side-car of a raster comes with it, and the one of a raster that it replaces goes.
        A file that cannot be synced or renamed, or would replace what is no file, raises
        `NotWritten`.  A link to a file is replaced, and its file kept.
        """
        with writing(self.target):
            for name in names:
                require_file(self.target / name)
                require_file(side_car(self.target / name))
                sync(self.path(name))
                if os.path.exists(side_car(self.path(name))):
                    sync(side_car(self.path(name)))
            if len(names) > 1:
                (self.target / names[-1]).unlink(missing_ok=True)
                sync(self.target)
            for name in names:
                self._publish_side_car(name)
                self.path(name).replace(self.target / name)
                sync(self.target)

    def _publish_side_car(self, name: str) -> None:
        made, published = side_car(self.path(name)), side_car(self.target / name)
        if os.path.exists(made):  # Path.exists raises where the name is too long
            made.replace(published)
        elif os.path.lexists(published):
            published.unlink()


def side_car(path: Path) -> Path:
    """Return the path of the side-car of a raster."""
    return path.with_name(path.name + SIDE_CAR)


@contextmanager
def staging(folder: PathText, name: str) -> Iterator[Staging]:
    """Create a hidden folder for results on their way into ``folder``; remove it in the end.

    ``folder`` is created if missing.  One run at a time writes results of one ``name``: another
    raises `LockHeld`.  A folder that cannot be created or written raises `NotWritten`.
    """
    target = Path(folder)
    new = not target.exists()
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
    sweep(target)
    hidden = _hidden(target, name)
    try:
        with locked(target, name):
            try:
                with writing(target):
                    hidden.mkdir(exist_ok=True)
                yield Staging(target, hidden)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
    finally:
        if new:
            with suppress(OSError):  # it is not empty
                target.rmdir()


def sweep(folder: Path) -> None:
    """Remove the hidden files of dead runs from a folder."""
    for path in list(folder.glob(f"{HIDDEN}*.lock")):
        tidy(folder, path.name.removeprefix(HIDDEN).removesuffix(".lock"))


def tidy(folder: Path, name: str) -> None:
    """Remove the hidden files of a dead run that wrote results of one name."""
    path = _lock_path(folder, name)
    if not path.exists():
        return
    from filelock import FileLock

    lock = FileLock(path)
    with suppress(OSError):  # a run is alive, or the files are another user's
        lock.acquire(blocking=False)
        try:
            shutil.rmtree(_hidden(folder, name), ignore_errors=True)
        finally:
            _release(lock, path)


def is_left(folder: Path, name: str) -> bool:
    """Return whether a run left hidden files of results of one name: it is at work, or it died."""
    return _hidden(folder, name).exists()


def write_atomically(path: PathText, data: bytes, mode: int = 0o666) -> None:
    """Write one file so that it appears whole or not at all; a link to a file stays a link.

    Raises `NotWritten`, which leaves the old file untouched, or `LockHeld`.
    """
    with replacing(path) as part, writing(Path(path)):
        part.touch(mode)
        part.write_bytes(data)


@contextmanager
def replacing(path: PathText) -> Iterator[Path]:
    """Yield where to write one file; it gets its name when the context ends without an error.

    A link to a file stays a link.  Raises `NotWritten`, which leaves the old file untouched, or
    `LockHeld`.
    """
    final = Path(path)
    require_file(final)
    if os.path.islink(final):  # Path.is_symlink raises for a name too long
        final = Path(os.path.realpath(final))
    with staging(final.parent, final.name) as stage:
        yield stage.path(final.name)
        stage.publish(final.name)


def require_file(path: Path) -> None:
    """Require that a result would replace a regular file, a link to one, or nothing.

    Raises
    ------
    NotWritten
        When a folder, a device, a pipe or a socket has the name, or a link leads to one.
    """
    if os.path.exists(path) and not path.is_file():  # Path.exists raises for a name too long
        kind = "a folder" if path.is_dir() else "a device, a pipe or a socket"
        raise NotWritten(f"{path} is {kind}, which no file replaces. Give the name of a file.")


def sync(path: Path) -> None:
    """Wait until the content of a file, or the entries of a folder, are on disk."""
    if path.is_dir() and os.name != "posix":
        return  # only POSIX opens folders
    # Windows flushes only files open for writing; POSIX opens folders only for reading.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the operating system while ``path`` is written into a `NotWritten`."""
    try:
        yield
    except AnomvaeError:
        raise
    except (OSError, MemoryError) as error:
        if isinstance(error, MemoryError):
            why = "there is not enough memory. End other programs, or use a machine with more."
        elif isinstance(error, FileExistsError | NotADirectoryError):
            why = (
                "a file stands where a folder is expected. Choose another folder, or move the file."
            )
        elif error.errno == errno.ENAMETOOLONG:
            why = "the name is too long. Choose a shorter one."
        else:
            why = f"{error.strerror or error}. Choose a place that is writable and has free space."
        raise NotWritten(f"{path} cannot be written: {why}") from error


@contextmanager
def ended(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Close a temporary file at the end, whose content was flushed as it was written."""
    try:
        yield file
    finally:
        with suppress(OSError):  # closing tries again to write what a full disk did not take
            file.close()


@contextmanager
def locked(
    folder: Path, name: str, patience: float = PATIENCE, mode: int = 0o644
) -> Iterator[None]:
    """Hold the lock of results of one name; raise `LockHeld` after ``patience`` seconds."""
    from filelock import FileLock, Timeout

    path = _lock_path(folder, name)
    lock = FileLock(path, mode=mode)
    with writing(folder):
        try:
            lock.acquire(timeout=patience)
        except Timeout as error:
            # filelock also times out in a folder that holds no files, such as /proc.
            tempfile.TemporaryFile(dir=folder).close()
            raise LockHeld(
                f"{folder / name} is being written by another run of anomvae. "
                f"Wait until it has ended, then run this again."
            ) from error
    try:
        yield
    finally:
        _release(lock, path)


def _release(lock: BaseFileLock, path: Path) -> None:
    with suppress(OSError):  # Windows keeps the file while it is open; filelock removes it there
        path.unlink()  # while it is held: a run that has opened it finds it gone and starts again
    lock.release()


def _lock_path(folder: Path, name: str) -> Path:
    return _hidden_path(folder, name, ".lock")


def _hidden(folder: Path, name: str) -> Path:
    return _hidden_path(folder, name, ".part")


def _hidden_path(folder: Path, name: str, end: str) -> Path:
    return folder / f"{HIDDEN}{fitted(name, MAX_NAME - len(HIDDEN) - len(end))}{end}"
