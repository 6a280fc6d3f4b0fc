"""Scenes of folders and lists of addresses, and their identity.

A local file is identified by its path and content: it is read for its digest only when its size or
time is new.  An address is identified by itself, without its signature; an item of a catalogue by
its id and processing baseline.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePath

from ..addresses import displayed, unsigned
from ..documents import DocumentError, content_of, text_of
from ..errors import AnomvaeError, ConfigError, FileError
from ..identity import FileIdentity, identify
from ..names import is_unfinished, is_utf8, printable
from .config import FolderConfig, UrlsConfig
from .state import FileRecord, stamp


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
    fault: str | None = None
    """Why it cannot be scored; None where nothing is known against it."""

    @property
    def remote(self) -> bool:
        """Whether it lies on a server."""
        from ..raster.gdal import is_remote

        return any(map(is_remote, self.read))

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
class Listing:
    """The scenes that a source offers."""

    scenes: list[FoundScene]
    """Oldest first, then those with a fault."""
    errors: list[AnomvaeError]
    """Why parts of the source could not be listed."""


@dataclass(frozen=True)
class Scan(Listing):
    """The files of a folder; its scenes are those that are stable."""

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
    scenes, faults, records = [], [], {}
    paths, errors = _files(folder, config.pattern, aside)
    for path in paths:
        name = printable(path.relative_to(folder).as_posix())
        try:
            if not is_utf8(str(path)):
                raise ValueError("its name is not encoded in UTF-8")
            if not stat.S_ISREG(path.stat().st_mode):
                continue
            state = identify(path)
            records[name] = _record_of(path, state, known.get(name), now, span, digest)
        except FileNotFoundError:
            continue  # it vanished meanwhile
        except (OSError, ValueError) as error:
            faults.append(_unreadable(name, error))
            continue
        if records[name].digest is not None:
            identity = f"{name}@{records[name].digest}"
            scenes.append(FoundScene(identity, name, (str(path),), state=state))
    scenes.sort(key=lambda scene: (scene.state and scene.state.mtime_ns, scene.identity))
    new = {name: record for name, record in records.items() if record != known.get(name)}
    missing = [name for name in known if name not in records]
    return Scan(scenes + faults, errors, new, missing)


def listed_urls(config: UrlsConfig) -> list[FoundScene]:
    """List the scenes at configured addresses, each once, in their order.

    Raises `FileError` if the file that lists them cannot be read.
    """
    urls = [*config.urls, *([] if config.file is None else _addresses(config.file))]
    return list({scene.identity: scene for scene in map(_at, urls)}.values())


def _identity_of(url: str) -> str:
    """Identify an address without its signature, by a digest where a query is part of it."""
    whole, shown = unsigned(url), displayed(url)
    if whole == shown:
        return shown
    return f"{shown}?{hashlib.sha256(whole.encode(errors='surrogateescape')).hexdigest()[:16]}"


def _at(url: str) -> FoundScene:
    source = printable(displayed(url))
    if printable(url) != url:
        return FoundScene(
            source, source, (), fault=f"{source} holds characters that no address has. Remove them."
        )
    try:
        state = identify(url)
    except OSError as error:
        return _unreadable(source, error)
    # The name of a local file lacks its folder: files of two folders may have one.
    identity = _identity_of(url) if state.path is None else str(state.path)
    return FoundScene(identity, source, (url,))


def _unreadable(name: str, error: OSError | ValueError) -> FoundScene:
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    fault = f"{name} cannot be read: {reason}. Check the file, its name and its permissions."
    return FoundScene(f"{name}@unreadable", name, (), fault=fault)


def _files(
    folder: Path, pattern: str, aside: Sequence[Path]
) -> tuple[list[Path], list[AnomvaeError]]:
    """List the names that are scenes, and what is wrong with subfolders.

    A folder that cannot be read raises `FileError`.
    """
    try:
        next(folder.iterdir(), None)  # glob takes a folder that cannot be read for an empty one
    except OSError as error:
        raise _not_listed(folder, error) from error
    paths, apart = [], [*aside, *(Path(os.path.realpath(other)) for other in aside)]
    try:
        for path in folder.glob(pattern):
            if not (is_unfinished(path.relative_to(folder)) or _is_below(path, apart)):
                paths.append(path)
        errors = _unlisted(folder, apart) if len(PurePath(pattern).parts) > 1 else []
    except OSError as error:
        errors = [_not_listed(folder, error)]
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(f"pattern = {pattern!r}: {error}. Write it as in '**/*.tif'.") from error
    return paths, errors


def _unlisted(folder: Path, apart: Sequence[Path]) -> list[AnomvaeError]:
    """List the subfolders that cannot be read; glob takes them for empty ones."""
    errors: list[OSError] = []
    for _ in os.walk(folder, onerror=errors.append):
        pass
    lasting = [error for error in errors if not isinstance(error, FileNotFoundError)]
    paths = [(Path(str(error.filename)), error) for error in lasting]
    return [_not_listed(path, error) for path, error in paths if not _is_below(path, apart)]


def _not_listed(folder: Path, error: OSError) -> AnomvaeError:
    return FileError(
        f"{printable(str(folder))} cannot be read: {error.strerror}. Check the path and its "
        f"permissions."
    )


def _is_below(path: Path, apart: Sequence[Path]) -> bool:
    """Return whether a path is in one of some folders, by its name or by its place on disk."""
    real = Path(os.path.realpath(path.parent), path.name)
    return any(each.is_relative_to(other) for other in apart for each in (path, real))


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
    size, mtime_ns = state.size, _in_64_bits(state.mtime_ns)
    same = before is not None and (before.size, before.mtime_ns) == (size, mtime_ns)
    if before is not None and same and before.digest is not None:
        return before
    since = before.since if before is not None and same else stamp(now)
    since = min(since, stamp(now))  # the clock may have been ahead
    changed = state.mtime_ns / 1e9  # s since 1970; a date ends with year 9999
    # Some copies set the time of the original while they write: a changed file whose time lies
    # before its previous record proves nothing.
    reliable = before is None or same or changed >= _seconds(before.since)
    aged = now.timestamp() - changed >= span.total_seconds()
    stable = since <= stamp(now - span) or (aged and reliable)
    content = _digest(path, state, digest) if stable else None
    return FileRecord(size, mtime_ns, since, content if identify(path) == state else None)


def _in_64_bits(number: int) -> int:
    """Return a number as SQLite holds it; times beyond the year 2262 continue from 1677."""
    return (number + 2**63) % 2**64 - 2**63


def _seconds(stamped: str) -> float:
    return datetime.fromisoformat(stamped).timestamp()


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
        text = text_of(content_of(file), errors="surrogateescape")
    except (OSError, DocumentError) as error:
        raise FileError(f"{file} cannot be read: {error}. Check the path.") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
