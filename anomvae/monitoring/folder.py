"""Scenes of a folder, and when they are stable.

A scene is a file, or a product of several files: it is read for its digest only when its size or
time is new.
"""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..identity import FileIdentity
from ..names import is_utf8, printable
from .folder_names import Folder
from .local import LocalScene, digest_of_file
from .notices import Report, SourceNotice, counted, resting
from .records import FileRecord
from .side_masks import SideMasks
from .source_tables import FolderConfig
from .sources import FoundScene, Listing, unreadable
from .state import stamp

if TYPE_CHECKING:
    from ..raster import Product


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
    folder = Folder(Path(config.path), config.pattern, aside, SideMasks(config.mask_pattern))
    found = folder.names()
    named = _named(found.offered, folder.path)
    unusable = [path for path in found.offered if not is_utf8(str(path))]
    locals_, foreign = _local_scenes(sorted(set(found.offered) - set(unusable)))
    scenes = _Scenes(known, now, timedelta(seconds=config.stable_seconds), digest)
    for path in unusable:
        scenes.add_fault(named[path], ValueError("its name is not encoded in UTF-8"))
    for local in map(folder.masks.beside, locals_):
        scenes.add(named[local.path], local)
    records = scenes.records
    notices = [*folder.notices(found), *scenes.notices([named[path] for path in foreign])]
    return Scan(
        scenes.sorted(),
        found.errors,
        notices,
        {name: record for name, record in records.items() if record != known.get(name)},
        [name for name in known if name not in records],
    )


def _named(paths: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Return a printable name of each path; a digest keeps an escaped one apart from others."""
    raw = {path: path.relative_to(folder).as_posix() for path in paths}
    shown = {path: printable(name) for path, name in raw.items()}
    times = Counter(shown.values())
    return {
        path: name if name == raw[path] or times[name] == 1 else f"{name} ({_short(raw[path])})"
        for path, name in shown.items()
    }


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]


@dataclass
class _Scenes:
    """The scenes of a folder, and those that are none yet."""

    known: Mapping[str, FileRecord]
    now: datetime
    span: timedelta
    digest: Callable[[Path], str]
    stable: list[FoundScene] = field(default_factory=list)
    faults: list[FoundScene] = field(default_factory=list)
    records: dict[str, FileRecord] = field(default_factory=dict)
    awaiting: list[str] = field(default_factory=list)
    """Names of masks that are not there."""
    incomplete: list[str] = field(default_factory=list)
    """Names of products of which files are being copied."""
    resting: dict[str, float] = field(default_factory=dict)
    """Names of scenes that changed lately, and in how many seconds they are stable."""

    def add(self, name: str, local: LocalScene) -> None:
        """Add a scene, if it is stable; one that cannot be read has a fault."""
        try:
            state = local.state()
            record = _record_of(
                local, state, self.known.get(name), self.now, self.span, self.digest
            )
        except FileNotFoundError:
            return  # it vanished meanwhile
        except (OSError, ValueError) as error:
            self.add_fault(name, error)
            return
        self.records[name] = record
        if record.digest is not None:
            identity, read = f"{name}@{record.digest}", (str(local.path),)
            scene = FoundScene(identity, name, read, product=local.product, state=state)
            self.stable.append(scene)
        else:
            self._add_unstable(name, local, state, record)

    def add_fault(self, name: str, error: OSError | ValueError) -> None:
        """Add a scene that cannot be read."""
        self.faults.append(unreadable(name, error))

    def sorted(self) -> list[FoundScene]:
        """Return the scenes, oldest first, then those with a fault."""
        by_time = sorted(
            self.stable, key=lambda scene: (scene.state and scene.state.mtime_ns, scene.identity)
        )
        return by_time + self.faults

    def notices(self, foreign: Sequence[str]) -> Iterator[SourceNotice]:
        """Yield why some are no scenes, or none yet; ``foreign`` are folders that are none."""
        if self.resting:
            yield resting(list(self.resting), max(self.resting.values()), self.now)
        if self.awaiting:
            texts = "mask is not there, its scene waits", "masks are not there, their scenes wait"
            yield SourceNotice(counted(self.awaiting, *texts), Report.AT_FIRST)
        for names, one, many in (
            (self.incomplete, "product is being copied", "products are being copied"),
            (
                foreign,
                "name is no file and no product, no scene",
                "names are no files and no products, no scenes",
            ),
        ):
            if names:
                yield SourceNotice(counted(names, one, many))

    def _add_unstable(
        self, name: str, local: LocalScene, state: FileIdentity, record: FileRecord
    ) -> None:
        if local.awaited:
            self.awaiting += [printable(Path(path).name) for path in local.awaited]
        elif local.incomplete:
            self.incomplete.append(name)
        else:
            times = (state.mtime_ns or 0) / 1e9, _seconds(record.since)
            waits = [time + self.span.total_seconds() - self.now.timestamp() for time in times]
            # A time that lies further back proves nothing: it was not scanned since then.
            self.resting[name] = min((wait for wait in waits if wait > 0), default=0.0)


def _local_scenes(paths: Sequence[Path]) -> tuple[list[LocalScene], list[Path]]:
    """Return the products at some paths, each once, and the folders and devices that are none.

    What cannot be looked at is a scene, too.
    """
    from ..raster.products import recognise, recognise_special
    from ..raster.products.expansion import distinct

    products: dict[str, Product] = {}
    unknown: list[LocalScene] = []
    foreign: list[Path] = []
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
        if product is None:
            foreign.append(path)
        else:
            products[name] = product
    chosen = distinct(products)
    scenes = [LocalScene(Path(path), product) for path, product in chosen.items()]
    return scenes + unknown, _apart_from(foreign, paths, chosen)


def _apart_from(
    foreign: Sequence[Path], paths: Sequence[Path], products: Mapping[str, Product]
) -> list[Path]:
    """Leave out folders that lie in a product, and those in which there are other names."""
    above = {parent for path in paths for parent in path.parents}
    return [
        path
        for path in foreign
        if path not in above and not any(str(parent) in products for parent in path.parents)
    ]


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
