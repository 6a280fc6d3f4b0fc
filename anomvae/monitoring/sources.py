"""Scenes of folders and lists of addresses, and their identity.

A local file is identified by its path and content: it is read for its digest only when its size or
time is new.  An address is identified by itself, without its signature; an item of a catalogue by
its id and processing baseline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

from ..addresses import displayed, unsigned
from ..errors import FileError
from ..identity import FileIdentity, identify
from .config import FolderConfig, UrlsConfig
from .state import FileRecord, stamp

UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp")
"""Suffixes of files that are being copied or fetched."""


@dataclass(frozen=True)
class FoundScene:
    """A scene that a source offers."""

    identity: str
    """Identifies the scene in its present state."""
    source: str
    """Name of the scene in any state; without a signature."""
    read: tuple[str, ...]
    """The raster to open, or one for each band, named by ``bands``."""
    bands: tuple[str, ...] = ()
    state: FileIdentity | None = None
    """State of a local file at the scan."""
    before: tuple[FoundScene, ...] = ()
    """Scenes of earlier dates that its score is conditioned on, oldest first."""

    @property
    def remote(self) -> bool:
        """Whether it lies on a server."""
        from ..raster.gdal import is_remote

        return is_remote(self.read[0])

    @property
    def vanished(self) -> bool:
        """Whether it was a local file that no longer exists."""
        return self.state is not None and not Path(self.read[0]).exists()

    @property
    def changed(self) -> bool:
        """Whether it, or a scene before it, is a local file that has changed since the scan."""
        changed = self.state is not None and identify(self.read[0]) != self.state
        return changed or any(earlier.changed for earlier in self.before)


@dataclass(frozen=True)
class Scan:
    """The files of a folder."""

    scenes: list[FoundScene]
    """Scenes whose files are stable, oldest first."""
    records: dict[str, FileRecord]
    """New and changed records of files, by path in the folder."""
    missing: list[str]
    """Known files that no longer exist."""


def digest_of_file(path: str | Path) -> str:
    """Return the digest of a file's content, 16 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def scan_folder(
    config: FolderConfig,
    known: Mapping[str, FileRecord],
    now: datetime,
    *,
    aside: Sequence[Path] = (),
    digest: Callable[[Path], str] = digest_of_file,
) -> Scan:
    """Find the scenes of a folder whose files are stable; files below ``aside`` are none.

    A folder that cannot be read raises `FileError`.
    """
    folder, span = Path(config.path), timedelta(seconds=config.stable_seconds)
    scenes, records = [], {}
    for path in _files(folder, config.pattern, aside):
        try:
            name, state = path.relative_to(folder).as_posix(), identify(path)
            records[name] = _record_of(path, state, known.get(name), now, span, digest)
        except FileNotFoundError:
            continue  # it vanished meanwhile
        if records[name].digest is not None:
            identity = f"{name}@{records[name].digest}"
            scenes.append(FoundScene(identity, name, (str(path),), state=state))
    scenes.sort(key=lambda scene: (records[scene.source].mtime_ns, scene.identity))
    new = {name: record for name, record in records.items() if record != known.get(name)}
    return Scan(scenes, new, [name for name in known if name not in records])


def listed_urls(config: UrlsConfig) -> list[FoundScene]:
    """List the scenes at configured addresses, each once, in their order.

    Raises `FileError` if the file that lists them cannot be read.
    """
    urls = [*config.urls, *([] if config.file is None else _addresses(config.file))]
    by_identity = {_identity_of(url): url for url in urls}
    return [FoundScene(name, displayed(url), (url,)) for name, url in by_identity.items()]


def _identity_of(url: str) -> str:
    """Identify an address without its signature, by a digest where a query is part of it."""
    whole, shown = unsigned(url), displayed(url)
    if whole == shown:
        return shown
    return f"{shown}?{hashlib.sha256(whole.encode(errors='surrogateescape')).hexdigest()[:16]}"


def _files(folder: Path, pattern: str, aside: Sequence[Path]) -> Iterator[Path]:
    try:
        next(folder.iterdir(), None)  # glob takes a folder that cannot be read for an empty one
    except OSError as error:
        raise FileError(
            f"{folder} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    for path in folder.glob(pattern):
        excluded = any(path.is_relative_to(other) for other in aside)
        if not excluded and not _is_unfinished(path.relative_to(folder)) and path.is_file():
            yield path


def _is_unfinished(name: PurePath) -> bool:
    """Return whether a name is hidden, or is that of a file being copied or fetched."""
    hidden = any(part.startswith(".") for part in name.parts)
    return hidden or name.name.endswith("~") or name.suffix.lower() in UNFINISHED


def _record_of(
    path: Path,
    state: FileIdentity,
    before: FileRecord | None,
    now: datetime,
    span: timedelta,
    digest: Callable[[Path], str],
) -> FileRecord:
    """Compare a file with its previous record; a stable file gets a digest."""
    if state.size is None or state.mtime_ns is None:
        raise FileNotFoundError(path)
    size, mtime_ns = state.size, state.mtime_ns
    same = before is not None and (before.size, before.mtime_ns) == (size, mtime_ns)
    if before is not None and same and before.digest is not None:
        return before
    since = before.since if before is not None and same else stamp(now)
    changed = datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    # Some copies set the time of the original while they write: a changed file whose time lies
    # before its previous record proves nothing.
    reliable = before is None or same or stamp(changed) >= before.since
    stable = since <= stamp(now - span) or (now - changed >= span and reliable)
    content = _digest(path, state, digest) if stable else None
    return FileRecord(size, mtime_ns, since, content if identify(path) == state else None)


def _digest(path: Path, state: FileIdentity, digest: Callable[[Path], str]) -> str:
    """Return the digest of a file; an unreadable one gets another, so that its scoring fails."""
    try:
        return digest(path)
    except FileNotFoundError:
        raise
    except OSError:
        return f"unread-{state.size}-{state.mtime_ns}"


def _addresses(file: str) -> list[str]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{file} cannot be read: {error}. Check the path.") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
