"""What is known of scenes and files from earlier runs; each change is one transaction.

A scene is ``new`` from the moment it is begun: if its process dies, that is what is left, and the
next run begins it again.  Times are UTC in ISO 8601 with milliseconds, so that text sorts by time.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .database import opened, transaction


@dataclass(frozen=True)
class Key:
    """What makes a scene one that is scored once."""

    site: str
    """Name of the site."""
    scene: str
    """Identity of the scene."""
    model: str
    """Digest of the model file."""
    settings: str
    """Digest of what is asked for."""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits: the key of its alert, and a part of its folder's name."""
        parts = json.dumps([self.site, self.scene, self.model, self.settings])
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class SceneStatus:
    """How far a scene has come."""

    status: str
    """``new``, ``done``, ``failed`` or ``replaced``."""
    tries: int
    """Begun so often."""
    started: str
    """The last time, UTC."""
    next_try: str | None
    """When a failed one is due again, UTC; None: never."""


@dataclass(frozen=True)
class SceneResult:
    """What scoring a scene gave, as the state keeps it."""

    pixels: int
    """Pixels of the scene."""
    valid: int
    """Pixels with data."""
    flagged: int
    """Pixels above the threshold."""
    objects: int
    """Connected anomalies that are large enough to be told."""
    threshold: float
    """The cut-off, nats."""
    quantiles: Mapping[str, float]
    """Quantiles of the scores by level, nats."""
    seconds: float
    """Time it took."""
    map: str
    """Path of the anomaly map."""


@dataclass(frozen=True)
class Alert:
    """Something that someone is to be told."""

    key: str
    """The same whenever it is sent; who receives it twice drops one."""
    site: str
    """Where."""
    made: str
    """When its scene was scored, UTC."""
    body: str
    """JSON, one line."""


@dataclass(frozen=True)
class FileRecord:
    """A local file as it was seen."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Last change, ns since 1970."""
    since: str
    """When it was first seen like this, UTC."""
    digest: str | None = None
    """Of its content; None until it was stable."""


@dataclass(frozen=True)
class State:
    """The state of a watch, open for a run."""

    database: sqlite3.Connection
    """Connected."""

    def scene_statuses(self, site: str, model: str, settings: str) -> dict[str, SceneStatus]:
        """Tell how far each known scene of a site has come with a model and settings."""
        rows = self.database.execute(
            "SELECT scene, status, tries, started, next_try FROM scenes "
            "WHERE site = ? AND model = ? AND settings = ?",
            (site, model, settings),
        )
        return {scene: SceneStatus(*rest) for scene, *rest in rows}

    def begin(self, key: Key, source: str, now: datetime) -> None:
        """Note that a scene is being scored, before anything else of it is done."""
        with transaction(self.database):
            self.database.execute(
                "INSERT INTO scenes (site, scene, model, settings, source, status, tries, started)"
                " VALUES (?, ?, ?, ?, ?, 'new', 1, ?) ON CONFLICT DO UPDATE SET status = 'new', "
                "tries = tries + 1, started = excluded.started, next_try = NULL",
                (*_columns(key), source, stamp(now)),
            )

    def finish(
        self,
        key: Key,
        result: SceneResult,
        now: datetime,
        *,
        alert: Alert | None = None,
        channels: Sequence[str] = (),
    ) -> None:
        """Note that a scene is done, and who is to be told of it, at once."""
        row = {**vars(result), "quantiles": json.dumps(dict(result.quantiles))}
        columns = ", ".join(f"{name} = :{name}" for name in row)
        with transaction(self.database):
            self.database.execute(
                f"UPDATE scenes SET status = 'done', finished = :now, next_try = NULL, "
                f"error = NULL, {columns} WHERE {_WHERE_NAMED}",
                {**row, **vars(key), "now": stamp(now)},
            )
            # A whole file in the place of a damaged one, or a model that fits: no longer missing.
            self.database.execute(
                "UPDATE scenes SET status = 'replaced', next_try = NULL WHERE status = 'failed' "
                "AND site = :site AND source = "
                f"(SELECT source FROM scenes WHERE {_WHERE_NAMED})",
                vars(key),
            )
            if alert is not None:
                self._tell(alert, channels)

    def fail(self, key: Key, error: str, now: datetime, *, next_try: datetime | None) -> None:
        """Note why a scene failed, and when it is tried again, if ever."""
        again = None if next_try is None else stamp(next_try)
        with transaction(self.database):
            self.database.execute(
                "UPDATE scenes SET status = 'failed', finished = ?, next_try = ?, error = ? "
                f"WHERE {_WHERE}",
                (stamp(now), again, _line(error), *_columns(key)),
            )

    def requeue(self, key: Key, now: datetime, error: str | None = None) -> None:
        """Note that a scene that was begun could not be tried, for no fault of its own."""
        with transaction(self.database):
            self.database.execute(
                "UPDATE scenes SET status = 'failed', tries = tries - 1, next_try = ?, "
                f"error = coalesce(?, error, 'interrupted') WHERE {_WHERE}",
                (stamp(now), _line(error), *_columns(key)),
            )
            if error is None:
                self.database.execute(
                    f"DELETE FROM scenes WHERE tries = 0 AND {_WHERE}", _columns(key)
                )

    def file_records(self, site: str) -> dict[str, FileRecord]:
        """Tell which local files of a site were seen, by their paths."""
        rows = self.database.execute(
            "SELECT path, size, mtime_ns, since, digest FROM files WHERE site = ?", (site,)
        )
        return {path: FileRecord(*rest) for path, *rest in rows}

    def see(self, site: str, seen: Mapping[str, FileRecord], gone: Iterable[str]) -> None:
        """Note which files were seen, and forget those that are gone."""
        with transaction(self.database):
            self.database.executemany(
                "INSERT OR REPLACE INTO files (site, path, size, mtime_ns, since, digest) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(site, path, *vars(record).values()) for path, record in seen.items()],
            )
            self.database.executemany(
                "DELETE FROM files WHERE site = ? AND path = ?", [(site, path) for path in gone]
            )

    def begin_run(self, run: str, now: datetime) -> None:
        """Note that a run has begun."""
        with transaction(self.database):
            self.database.execute("INSERT INTO runs (run, began) VALUES (?, ?)", (run, stamp(now)))

    def end_run(self, run: str, now: datetime, code: int, **counts: int) -> None:
        """Note how a run ended; ``counts`` are columns."""
        columns = "".join(f", {name} = :{name}" for name in counts)
        with transaction(self.database):
            self.database.execute(
                f"UPDATE runs SET ended = :now, code = :code{columns} WHERE run = :run",
                {"now": stamp(now), "code": code, "run": run, **counts},
            )

    def _tell(self, alert: Alert, channels: Sequence[str]) -> None:
        number = self.database.execute(
            "INSERT INTO alerts (key, site, made, body) VALUES (?, ?, ?, ?) RETURNING number",
            (alert.key, alert.site, alert.made, alert.body),
        ).fetchone()[0]
        self.database.executemany(
            "INSERT INTO deliveries (alert, channel) VALUES (?, ?)",
            [(number, channel) for channel in channels],
        )


_WHERE = "site = ? AND scene = ? AND model = ? AND settings = ?"
_WHERE_NAMED = "site = :site AND scene = :scene AND model = :model AND settings = :settings"


@contextmanager
def opened_state(folder: str | Path) -> Iterator[State]:
    """Open the state for a run; it is made, or brought up to date.

    Raises
    ------
    FileError
        If it cannot be read or written, or is of a newer version.
    """
    with opened(folder) as database:
        yield State(database)


def stamp(now: datetime) -> str:
    """Write a time, UTC.

    Examples
    --------
    >>> stamp(datetime(2025, 6, 1, 3, tzinfo=UTC))
    '2025-06-01T03:00:00.000+00:00'
    """
    return now.astimezone(UTC).isoformat(timespec="milliseconds")


def _columns(key: Key) -> tuple[str, str, str, str]:
    return key.site, key.scene, key.model, key.settings


def _line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())
