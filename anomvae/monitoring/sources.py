"""Where scenes come from, and what tells one scene from another.

A local file is its path and its content: it is read for its digest only when its size or its time
is new.  An address is itself, without what signs it.  An item of a catalogue is its id and its
processing baseline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

from ..errors import FileError
from ..files import FileIdentity, identify, without_query
from .config import FolderConfig, UrlsConfig
from .state import FileRecord, stamp

UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp")
"""Endings of names that a file has while it is copied or fetched."""


@dataclass(frozen=True)
class Found:
    """A scene that a source offers."""

    identity: str
    """What tells it from any other, and from other states of itself."""
    source: str
    """What it is called, whatever its state; without a signature."""
    read: tuple[str, ...]
    """What is opened: one raster, or one for each band."""
    bands: tuple[str, ...] = ()
    """Names of the bands, where there is a raster for each."""
    state: FileIdentity | None = None
    """State of a local file when it was found."""
    before: tuple[Found, ...] = ()
    """Scenes of earlier dates, oldest first, given which it is scored."""

    @property
    def remote(self) -> bool:
        """Whether it lies on a server."""
        from ..raster.gdal import is_remote

        return is_remote(self.read[0])

    @property
    def vanished(self) -> bool:
        """Whether it was a local file that is gone."""
        return self.state is not None and not Path(self.read[0]).exists()

    @property
    def changed(self) -> bool:
        """Whether it, or one before it, is a local file that is not what it was."""
        changed = self.state is not None and identify(self.read[0]) != self.state
        return changed or any(earlier.changed for earlier in self.before)


@dataclass(frozen=True)
class Scan:
    """What a look into a folder gave."""

    found: list[Found]
    """Scenes that are whole, oldest first."""
    seen: dict[str, FileRecord] = field(default_factory=dict)
    """Files that the state does not know like this."""
    gone: list[str] = field(default_factory=list)
    """Files that the state knows and that are no longer there."""


def scan_folder(
    config: FolderConfig,
    known: Mapping[str, FileRecord],
    now: datetime,
    *,
    aside: Sequence[Path] = (),
) -> Scan:
    """Find the scenes of a folder whose files are stable; files below ``aside`` are none.

    Raises
    ------
    FileError
        If the folder cannot be read.
    """
    folder, span = Path(config.path), timedelta(seconds=config.stable_seconds)
    scan, listed = Scan([]), set[str]()
    for path in _files(folder, config.pattern, aside):
        try:
            name, state = path.relative_to(folder).as_posix(), identify(path)
            record = _recorded(path, state, known.get(name), now, span)
        except FileNotFoundError:
            continue  # it vanished meanwhile
        listed.add(name)
        if record != known.get(name):
            scan.seen[name] = record
        if record.digest is not None:
            scan.found.append(Found(f"{name}@{record.digest}", name, (str(path),), state=state))
    scan.found.sort(key=lambda each: (each.state.mtime_ns if each.state else 0, each.identity))
    scan.gone.extend(known.keys() - listed)
    return scan


def listed_urls(config: UrlsConfig) -> list[Found]:
    """List the scenes at known addresses, each once, in their order.

    Raises
    ------
    FileError
        If the file that lists them cannot be read.
    """
    urls = [*config.urls, *([] if config.file is None else _lines(config.file))]
    found = {identify(url).name: url for url in urls}
    return [Found(name, without_query(url), (url,)) for name, url in found.items()]


def digest_of_file(path: str | Path) -> str:
    """Sum up a file's content in 16 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _files(folder: Path, pattern: str, aside: Sequence[Path]) -> Iterator[Path]:
    """Go through the files that may be scenes."""
    try:
        next(folder.iterdir(), None)  # glob takes a folder that cannot be read for an empty one
    except OSError as error:
        raise FileError(
            f"{folder} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    for path in folder.glob(pattern):
        ours = any(path.is_relative_to(other) for other in aside)
        if not ours and not _is_unfinished(path.relative_to(folder)) and path.is_file():
            yield path


def _is_unfinished(name: PurePath) -> bool:
    """Tell a name that is hidden, or that a file has only until it is whole."""
    hidden = any(part.startswith(".") for part in name.parts)
    return hidden or name.name.endswith("~") or name.suffix.lower() in UNFINISHED


def _recorded(
    path: Path, state: FileIdentity, before: FileRecord | None, now: datetime, span: timedelta
) -> FileRecord:
    """Compare a file with how it was seen last; once it is stable, with its digest."""
    if state.size is None or state.mtime_ns is None:
        raise FileNotFoundError(path)
    size, mtime_ns = state.size, state.mtime_ns
    same = before is not None and (before.size, before.mtime_ns) == (size, mtime_ns)
    if before is not None and same and before.digest is not None:
        return before
    since = before.since if before is not None and same else stamp(now)
    rests = stamp(now - span)
    changed = datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    old = now - changed >= span
    # Some copies give a file the time of the original while they write.  A time that says that
    # nothing has changed since the file was seen to be another is such a one: it proves nothing.
    honest = before is None or same or stamp(changed) >= before.since
    stable = since <= rests or (old and honest)
    digest = _digest(path, state) if stable else None
    return FileRecord(size, mtime_ns, since, digest if identify(path) == state else None)


def _digest(path: Path, state: FileIdentity) -> str:
    """Sum up a file's content; what cannot be read is offered all the same, and fails by name."""
    try:
        return digest_of_file(path)
    except FileNotFoundError:
        raise
    except OSError:
        return f"unread-{state.size}-{state.mtime_ns}"


def _lines(file: str) -> Iterable[str]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{file} cannot be read: {error}. Check the path.") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
