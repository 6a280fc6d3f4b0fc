"""Files that appear whole or not at all, and what tells one state of a file from another.

Results are made in a hidden folder beside their place, synced to disk, then renamed: a run that
dies leaves no half file, and a reader sees the old file or the new one.  A lock, freed by the
system when its process dies, keeps two runs from writing the same results; what a dead run left
hidden is removed by the next one in the same folder.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from filelock import BaseFileLock

PathText = str | Path
"""A path, an URI, or whatever else GDAL opens by name."""
SceneText = PathText | Sequence[PathText]
"""A raster, or those of several dates of one place, oldest first."""

HIDDEN = ".anomvae-"
PATIENCE = 1.0  # s; a run that sweeps up after a dead one holds its lock for a moment

SCHEME = re.compile(r"(?P<address>/vsi|\w{2,}://)|<|\w{2,}:")
"""How a name begins that is no path: an address, a VRT as text, or a container's raster."""
ARCHIVE = re.compile(r"/vsi(zip|tar|gzip|7z|rar)/")
SIGNATURE = re.compile(
    r"x-(amz|goog|oss|ms|cos)-.*|sig|signature|expires|policy|key-pair-id|\w*accessk?e?y?id|"
    r"token|access_token",
    re.IGNORECASE,
)
"""Names of the parameters by which stores of objects sign an URL for some hours."""
BESIDE_SIG = re.compile(
    r"s[eprtv]|spr|sip|sdd|ss|srt|sk[esv]|skt|skoid|sktid|saoid|suoid|scid", re.IGNORECASE
)
"""Names that belong to a signature only beside the parameter ``sig`` (Azure's)."""


@dataclass(frozen=True)
class FileIdentity:
    """What changes when a file's content changes, without reading it."""

    name: str
    """Name of a local file without its folder; any other source as given, less its signature."""
    size: int | None = None
    """Bytes; None where it is not a local file."""
    mtime_ns: int | None = None
    """Time of the last change, ns since 1970; None where it is not a local file."""
    path: Path | None = field(default=None, compare=False, repr=False)
    """Where a local file lies; no part of its identity."""


def as_paths(scene: SceneText) -> tuple[PathText, ...]:
    """Give the rasters of a scene, of which there are several if it has several dates."""
    return (scene,) if isinstance(scene, str | Path) else tuple(scene)


def identify(source: str | Path) -> FileIdentity:
    """Tell the state of a file, wherever its folder has been moved to and however it is signed."""
    if not os.path.exists(source):  # Path.exists raises for a VRT given as text
        return FileIdentity(_unsigned(str(source)))
    path = Path(source)
    status = path.stat()
    return FileIdentity(path.name, status.st_size, status.st_mtime_ns, path.absolute())


def is_local(name: str) -> bool:
    """Whether a name is a path, not an URI, one of GDAL's virtual files, or a VRT as text.

    Examples
    --------
    >>> is_local("maps/coast.tif"), is_local("s3://eo/coast.tif"), is_local('NETCDF:"a.nc":t2m')
    (True, False, False)
    """
    return not SCHEME.match(name)


def file_name(name: str) -> str:
    """Return the name of a file without its folder and without the query of an URL.

    Examples
    --------
    >>> file_name("https://eo.example/2024/coast.tif?sig=secret")
    'coast.tif'
    """
    return PurePath(without_query(name)).name


def without_query(name: str) -> str:
    """Take off an URL what follows the question mark: it may be a signature, so a secret.

    Examples
    --------
    >>> without_query("https://eo.example/coast.tif?sig=secret"), without_query("what?.tif")
    ('https://eo.example/coast.tif', 'what?.tif')
    """
    return _split_query(name)[0]


def _unsigned(name: str) -> str:
    """Keep the parameters of an URL that identify it, and drop those that sign it."""
    url, query = _split_query(name)
    parts = [part for part in query.split("&") if part]
    names = [unquote(part.partition("=")[0]) for part in parts]
    signed = any(one.lower() == "sig" for one in names)
    kept = [
        part
        for part, one in zip(parts, names, strict=True)
        if not (SIGNATURE.fullmatch(one) or (signed and BESIDE_SIG.fullmatch(one)))
    ]
    return f"{url}?{'&'.join(kept)}" if kept else url


def _split_query(name: str) -> tuple[str, str]:
    scheme = SCHEME.match(name)
    if scheme is None or not scheme["address"]:
        return name, ""
    if ARCHIVE.match(name):  # the name inside the archive follows the query
        return re.sub(r"\?[^/]*", "", name), ""
    url, _, query = name.partition("?")
    inner = parse_qs(query).get("url") if re.fullmatch(r"/vsi\w+", url) else None
    return _split_query(f"{url}/{inner[0]}") if inner else (url, query)


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
        next.  The last of several names is the commit mark: the old one is gone before the first
        rename.  So whoever finds it finds all of them, of one run, even after a power cut.

        Raises
        ------
        RasterError
            If a file cannot be synced or renamed.
        """
        with writing(self.target):
            for name in names:
                sync(self.path(name))
            if len(names) > 1:
                self._unmark(self.target / names[-1])
            for name in names:
                self.path(name).replace(self.target / name)
                sync(self.target)

    def _unmark(self, mark: Path) -> None:
        if mark.is_symlink() or mark.exists():
            mark.unlink()
            sync(self.target)


@contextmanager
def staging(folder: str | Path, name: str) -> Iterator[Staging]:
    """Make a hidden folder for results on their way into ``folder``; it is removed in the end.

    Parameters
    ----------
    folder : path
        Where the results go; created where it is missing.
    name : str
        What the results are called: one run at a time makes them.

    Yields
    ------
    Staging

    Raises
    ------
    RasterError
        If the folder cannot be created or written, or a file is in its place.
    LockHeld
        If another run makes results of this name there.
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
            with suppress(OSError):  # it holds results
                target.rmdir()


def sweep(folder: Path) -> None:
    """Remove what dead runs left hidden in a folder."""
    for path in list(folder.glob(f"{HIDDEN}*.lock")):
        tidy(folder, path.name.removeprefix(HIDDEN).removesuffix(".lock"))


def tidy(folder: Path, name: str) -> None:
    """Remove what a dead run left hidden on the way to results of one name."""
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
            _give_up(lock, path)


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write one file so that it appears whole or not at all.

    Raises
    ------
    RasterError
        If it cannot be written; what was there before is untouched.
    LockHeld
        If another run is writing it.
    """
    final = Path(path)
    with staging(final.parent, final.name) as stage:
        with writing(final):
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
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says while ``path`` is written into one line.

    Raises
    ------
    NotWritten
        If there is no permission, space or memory, or a file stands in the way.
    """
    try:
        yield
    except AnomvaeError:
        raise
    except (FileExistsError, NotADirectoryError) as error:
        raise NotWritten(
            f"{path} cannot be written: a file stands where a folder is expected. "
            f"Choose another folder, or move that file away."
        ) from error
    except OSError as error:
        raise NotWritten(
            f"{path} cannot be written: {error.strerror or error}. "
            f"Choose a place that is writable and has free space."
        ) from error
    except MemoryError as error:
        raise NotWritten(
            f"{path} cannot be written: there is not enough memory. "
            f"End other programs, or use a machine with more."
        ) from error


@contextmanager
def locked(folder: Path, name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Keep others from making results of one name; after ``patience`` seconds it is `LockHeld`."""
    from filelock import FileLock, Timeout

    path = _lock_path(folder, name)
    lock = FileLock(path)
    with writing(folder):
        try:
            lock.acquire(timeout=patience)
        except Timeout as error:
            # filelock takes a folder in which nothing can be made, such as /proc, for a lock held.
            tempfile.TemporaryFile(dir=folder).close()
            raise LockHeld(
                f"{folder / name} is being written by another run of anomvae. "
                f"Wait until that has ended, then run this again."
            ) from error
    try:
        yield
    finally:
        _give_up(lock, path)


def _give_up(lock: BaseFileLock, path: Path) -> None:
    """Release a lock and leave no file behind."""
    with suppress(OSError):  # Windows keeps the file while it is open; filelock removes it there
        path.unlink()  # while it is held: who opened it meanwhile finds it gone and begins anew
    lock.release()


def _lock_path(folder: Path, name: str) -> Path:
    return folder / f"{HIDDEN}{name}.lock"


def _hidden(folder: Path, name: str) -> Path:
    return folder / f"{HIDDEN}{name}.part"
