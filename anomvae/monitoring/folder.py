"""Scenes of a folder, and when they are stable.

A scene is a file, or a product of several files: it is read for its digest only when its size or
time is new.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..errors import AnomvaeError, ConfigError, FileError, listed
from ..identity import FileIdentity
from ..names import is_unfinished, is_utf8, printable
from .local import LocalScene, digest_of_file
from .records import FileRecord
from .source_tables import FolderConfig
from .sources import FoundScene, Listing, unreadable
from .state import stamp

if TYPE_CHECKING:
    from ..raster import Product

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan(Listing):
    """The files of a folder; its scenes are those that are stable."""

    records: dict[str, FileRecord]
    """New and changed records of files, by path in the folder."""
    missing: list[str]
    """Known files that no longer exist."""


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
    paths, errors = _files(folder, config.pattern, aside)
    if not paths:
        _warn_of_products(folder, config.pattern, aside)
    named = {path: printable(path.relative_to(folder).as_posix()) for path in paths}
    unusable = [path for path in paths if not is_utf8(str(path))]
    faults = [
        unreadable(named[path], ValueError("its name is not encoded in UTF-8")) for path in unusable
    ]
    for local in _local_scenes(sorted(set(paths) - set(unusable))):
        name = named[local.path]
        try:
            state = local.state()
            records[name] = _record_of(local, state, known.get(name), now, span, digest)
        except FileNotFoundError:
            continue  # it vanished meanwhile
        except (OSError, ValueError) as error:
            faults.append(unreadable(name, error))
            continue
        if records[name].digest is not None:
            identity = f"{name}@{records[name].digest}"
            read = (str(local.path),)
            scenes.append(FoundScene(identity, name, read, product=local.product, state=state))
    scenes.sort(key=lambda scene: (scene.state and scene.state.mtime_ns, scene.identity))
    new = {name: record for name, record in records.items() if record != known.get(name)}
    missing = [name for name in known if name not in records]
    return Scan(scenes + faults, errors, new, missing)


def _local_scenes(paths: Sequence[Path]) -> list[LocalScene]:
    """Return the products at some paths, each once; what cannot be looked at is a scene, too."""
    from ..raster.products import recognise, recognise_special
    from ..raster.products.expansion import distinct

    products: dict[str, Product] = {}
    unknown: list[LocalScene] = []
    for path in paths:
        name = str(path)
        try:
            mode = path.stat().st_mode
        except OSError:  # such as a link that leads to itself
            unknown.append(LocalScene(path))
            continue
        product = recognise_special(name) if stat.S_ISDIR(mode) else None
        if stat.S_ISREG(mode):
            product = recognise(name)
        if product is not None:
            products[name] = product
    chosen = distinct(products)
    return [LocalScene(Path(path), product) for path, product in chosen.items()] + unknown


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


def _warn_of_products(folder: Path, pattern: str, aside: Sequence[Path]) -> None:
    """Warn of products in a folder in which a pattern matches nothing."""
    from ..raster.products import recognise_special

    found = [
        path.name
        for path in sorted(folder.iterdir())
        if not (is_unfinished(Path(path.name)) or _is_below(path, aside))
        and is_utf8(path.name)
        and recognise_special(str(path)) is not None
    ]
    if found:
        log.warning(
            "%s holds products (%s), but no name matches pattern = %r. Give the pattern of their "
            "names, as in '*.SAFE'.",
            printable(str(folder)),
            printable(listed(found, 2)),
            pattern,
        )


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
    local: LocalScene,
    state: FileIdentity,
    before: FileRecord | None,
    now: datetime,
    span: timedelta,
    digest: Callable[[Path], str],
) -> FileRecord:
    """Compare a scene with its previous record; a stable one gets a digest."""
    if state.size is None or state.mtime_ns is None:
        raise FileNotFoundError(local.path)
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
    stable = stable and not local.incomplete
    content = _digest(local, state, digest) if stable else None
    return FileRecord(size, mtime_ns, since, content if local.state() == state else None)


def _in_64_bits(number: int) -> int:
    """Return a number as SQLite holds it; times beyond the year 2262 continue from 1677."""
    return (number + 2**63) % 2**64 - 2**63


def _seconds(stamped: str) -> float:
    return datetime.fromisoformat(stamped).timestamp()


def _digest(local: LocalScene, state: FileIdentity, digest: Callable[[Path], str]) -> str:
    """Return the digest of a scene; an unreadable one gets another, so that its scoring fails."""
    try:
        return local.digest(digest)
    except FileNotFoundError:
        raise
    except OSError:
        return f"unread-{state.size}-{state.mtime_ns}"
