"""Atomic files, locks, and the identity of a file.

Results are written in a hidden folder inside the output folder, synced to disk, then renamed: a run
that dies leaves no half file, and a reader opens the old file or the new one.  A lock, which the
system frees when its process dies, keeps two runs from writing the same results.  The next run in
a folder removes the hidden files that a dead run left there.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from .errors import AnomvaeError, LockHeld, NotWritten
from .names import fitted

if TYPE_CHECKING:
    from filelock import BaseFileLock

PathText = str | Path
"""A path, an URI, or whatever else GDAL opens by name."""
SceneText = PathText | Sequence[PathText]
"""A raster, or one raster for each date of a scene, oldest first."""

HIDDEN = ".anomvae-"
SIDE_CAR = ".aux.xml"
"""End of the name of the file in which GDAL keeps what a raster's own format cannot hold."""
MAX_NAME = 255  # bytes, of file systems
PATIENCE = 1.0  # s; a run that removes files of a dead one holds its lock for a moment

SCHEME = re.compile(r"(?P<address>/vsi|\w{2,}://)|<|\w{2,}:")
"""Start of a name that is no path: an address, a VRT as text, or a subdataset of a container."""
ARCHIVE = re.compile(r"/vsi(zip|tar|gzip|7z|rar)/")
SIGNATURE = re.compile(
    r"x-(amz|goog|oss|ms|cos)-.*|sig|signature|expires|policy|key-pair-id|\w*accessk?e?y?id|"
    r"token|access_token",
    re.IGNORECASE,
)
"""Query parameters by which object stores sign a URL for a limited time."""
BESIDE_SIG = re.compile(
    r"s[eprtv]|spr|sip|sdd|ss|srt|sk[esv]|skt|skoid|sktid|saoid|suoid|scid", re.IGNORECASE
)
"""Query parameters that belong to a signature only where there is a ``sig``, too (Azure)."""


@dataclass(frozen=True)
class FileIdentity:
    """Name, size and time of a file: they change with its content, which is not read."""

    name: str
    """Name of a local file without its folder; any other source in full, without its signature."""
    size: int | None = None
    """Bytes; None where it is not a local file."""
    mtime_ns: int | None = None
    """Time of the last change, ns since 1970; None where it is not a local file."""
    path: Path | None = field(default=None, compare=False, repr=False)
    """Absolute path of a local file; no part of its identity."""


def as_paths(scene: SceneText) -> tuple[PathText, ...]:
    """Return the rasters of a scene, one for each date."""
    return (scene,) if isinstance(scene, str | Path) else tuple(scene)


def identify(source: PathText) -> FileIdentity:
    """Return the identity of a file; neither its folder nor the signature of its URL is part."""
    if not os.path.exists(source):  # Path.exists raises for a VRT given as text
        return FileIdentity(_unsigned(str(source)))
    path = Path(source)
    status = path.stat()
    return FileIdentity(path.name, status.st_size, status.st_mtime_ns, path.absolute())


def is_local(name: str) -> bool:
    """Return whether a name is a path: no URI, no virtual file of GDAL, no VRT as text."""
    return not SCHEME.match(name)


def file_name(name: str) -> str:
    """Return the name of a file without its folder and without the query of a URL."""
    return PurePath(without_query(name)).name


def without_query(name: str) -> str:
    """Return a URL without its query, which may hold a secret signature; a path as it is."""
    return _split_query(name)[0]


def _unsigned(name: str) -> str:
    url, query = _split_query(name)
    keys = [(part, unquote(part.partition("=")[0])) for part in query.split("&") if part]
    signed = any(key.lower() == "sig" for _, key in keys)
    kept = [
        part
        for part, key in keys
        if not (SIGNATURE.fullmatch(key) or (signed and BESIDE_SIG.fullmatch(key)))
    ]
    return f"{url}?{'&'.join(kept)}" if kept else url


def _split_query(name: str) -> tuple[str, str]:
    """Split a URL into address and query; one that GDAL's options wrap is unwrapped."""
    scheme = SCHEME.match(name)
    if scheme is None or not scheme["address"]:
        return name, ""
    if ARCHIVE.match(name):  # the path inside the archive follows the query
        return re.sub(r"\?[^/]*", "", name), ""
    url, _, query = name.partition("?")
    inner = parse_qs(query).get("url") if re.fullmatch(r"/vsi\w+", url) else None
    return _split_query(f"{url}/{inner[0]}") if inner else (url, query)


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
        A file that cannot be synced or renamed raises `NotWritten`.
        """
        with writing(self.target):
            for name in names:
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


def write_atomically(path: PathText, data: bytes) -> None:
    """Write one file so that it appears whole or not at all.

    Raises `NotWritten`, which leaves the old file untouched, or `LockHeld`.
    """
    final = Path(path)
    with staging(final.parent, final.name) as stage:
        with writing(final):
            stage.path(final.name).write_bytes(data)
        stage.publish(final.name)


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
def locked(folder: Path, name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of results of one name; raise `LockHeld` after ``patience`` seconds."""
    from filelock import FileLock, Timeout

    path = _lock_path(folder, name)
    lock = FileLock(path)
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
