"""What identifies a file: its name, size and time, and a sample of its content.

The sample is read at fixed places, evenly spread from the first byte to the last: at most half a
megabyte of all the files of a raster together, or two blocks of each where there are many.  The
folder of a file is no part of its identity, so a moved archive keeps its results.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from .addresses import unsigned
from .errors import InputChanged
from .files import PathText

BLOCK, BLOCKS, FEWEST_BLOCKS = 4096, 128, 2
"""Bytes of a block of a sample; blocks of all files together, and the fewest of a file."""
ENTRIES = 10_000
"""Files in a folder, such as the chunks of a Zarr array, whose size and time count."""
SIDECARS = (".aux.xml", ".aux", ".ovr", ".rrd")
"""Ends of files that viewers write beside a raster: statistics, overviews.  What GDAL reads from
them (georeference, nodata, scale) is part of the identity of the open raster instead."""
WRAPPED = re.compile(r"/vsi(?:zip|tar|gzip|7z|rar|subfile|sparse|cached|crypt)/")
WRAPPERS = re.compile(rf"(?:{WRAPPED.pattern}|\{{|\d+(?:_\d+)?,)+")


@dataclass(frozen=True)
class FileIdentity:
    """Name, size, time and a sample of the content of a file."""

    name: str
    """Name of a local file without its folder; any other source in full, without its signature."""
    size: int | None = None
    """Bytes; None where it is not a local file."""
    mtime_ns: int | None = None
    """Time of the last change, ns since 1970; None where it is not a local file."""
    sample: str | None = None
    """Digest of blocks of the content; None where it was not read."""
    header: str | None = None
    """Of the first file of an open raster, digest of what GDAL reads beside the pixels."""
    path: Path | None = field(default=None, compare=False, repr=False)
    """Absolute path of a local file; no part of its identity."""
    blocks: int = field(default=0, compare=False, repr=False)
    """Most blocks in the sample."""


def is_sidecar(name: str) -> bool:
    """Return whether a file holds only what viewers write beside a raster."""
    return name.lower().endswith(SIDECARS)


def identify(source: PathText) -> FileIdentity:
    """Return the identity of a file without reading it: its sample is None.

    Neither its folder, nor the log-in and signature of a URL are part.
    """
    path = _local_file(str(source))
    if path is None:
        return FileIdentity(unsigned(str(source)))
    status = path.stat()
    name = str(source).replace(f"{path.parent}{os.sep}", "", 1) if _wrapped(source) else path.name
    return FileIdentity(name, status.st_size, status.st_mtime_ns, path=path.absolute())


def identify_content(sources: Iterable[PathText]) -> tuple[FileIdentity, ...]:
    """Return the identities of files with samples of their content."""
    names = list(sources)
    blocks = max(FEWEST_BLOCKS, BLOCKS // max(1, len(names)))
    return tuple(_sampled(identify(name), blocks) for name in names)


def require_unchanged(inputs: Iterable[FileIdentity]) -> None:
    """Require that the local files of `identify_content` still are what they were.

    Raises
    ------
    InputChanged
        When the size, the time or the sample of one differs, or it no longer exists.
    """
    for before in inputs:
        if before.path is None:
            continue
        now = None
        with suppress(OSError):
            status = before.path.stat()
            same = replace(before, size=status.st_size, mtime_ns=status.st_mtime_ns)
            now = _sampled(same, before.blocks)
        if now != before:
            raise InputChanged(
                f"{before.path} {'vanished' if now is None else 'changed'} while it was read, so "
                f"the result would belong to no state of it: nothing was written. Run this again "
                f"once the file is complete, and write such files under another name first."
            )


@contextmanager
def unchanged(inputs: Iterable[FileIdentity]) -> Iterator[None]:
    """Read files for as long as the context is open; at its end, `require_unchanged`."""
    yield
    require_unchanged(inputs)


def _sampled(identity: FileIdentity, blocks: int) -> FileIdentity:
    path = identity.path
    if path is None:
        return identity
    if not path.is_file() and not path.is_dir():  # a pipe, which is read once
        return FileIdentity(identity.name)
    if path.is_dir():  # its own size and time depend on the side-cars in it
        return replace(identity, size=None, mtime_ns=None, sample=_entries(path), blocks=blocks)
    try:
        sample = _sample(path, blocks)
    except PermissionError:  # GDAL does without it, too
        sample = None
    return replace(identity, sample=sample, blocks=blocks)


def _sample(path: Path, blocks: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        span = max(0, size - BLOCK)
        steps = min(blocks, -(-size // BLOCK)) - 1
        for step in range(steps + 1):
            file.seek(span * step // max(1, steps))
            digest.update(file.read(BLOCK))
    return digest.hexdigest()[:16]


def _entries(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in islice(_files_below(folder), ENTRIES):
        status = path.stat()
        entry = path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns
        digest.update(repr(entry).encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names) if not is_sidecar(name))


def _local_file(name: str) -> Path | None:
    """Return the file or folder that a name of GDAL reads: itself, or the archive around it."""
    if os.path.exists(name):  # Path.exists raises for a VRT given as text
        return Path(name)
    if not _wrapped(name):
        return None
    inner = Path(WRAPPERS.sub("", name, count=1).replace("}", ""))
    return next((path for path in (inner, *inner.parents) if path.is_file()), None)


def _wrapped(name: PathText) -> bool:
    return bool(WRAPPED.match(str(name)))
