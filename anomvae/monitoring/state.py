"""The state of scenes, files and alerts between runs; each change is one transaction.

A scene is ``new`` from the moment it is begun: if its process dies, it stays ``new``, and the next
run begins it again.  Times are UTC in ISO 8601 with milliseconds, so that text sorts by time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..names import one_line
from .database import MIGRATIONS, identified, opened, require_in_place, transaction
from .decisions.event import Event
from .decisions.outcomes import COMPARABLE, Outcome
from .decisions.passes import ScenePass, recorded_passes
from .event_records import read_events, write_events
from .records import Alert, FileRecord, Key, Notice, SceneResult, SceneStatus


@dataclass(frozen=True)
class State:
    """The state of a watch in its open database."""

    database: sqlite3.Connection
    folder: Path
    """Where its file lies."""
    file: tuple[int, int]
    """What identifies the open file, see `identified`."""

    def scene_statuses(self, site: str, model: str, settings: str) -> dict[str, SceneStatus]:
        """Return the status of each known scene of a site, for a model and settings."""
        rows = self.database.execute(
            "SELECT scene, status, tries, started, next_try FROM scenes "
            "WHERE site = ? AND model = ? AND settings = ?",
            (site, model, settings),
        )
        return {scene: SceneStatus(*rest) for scene, *rest in rows}

    def done_scenes(self, site: str) -> set[str]:
        """Return the scenes of a site that are done with any model and settings."""
        rows = self.database.execute(
            "SELECT DISTINCT scene FROM scenes WHERE site = ? AND status = 'done'", (site,)
        )
        return {scene for (scene,) in rows}

    def serve(self, site: str, model: str, settings: str, now: datetime) -> None:
        """Record which model and settings serve a site from now on, if others did before."""
        newest = self.database.execute(
            "SELECT model, settings FROM services WHERE site = ? ORDER BY rowid DESC LIMIT 1",
            (site,),
        ).fetchone()
        if newest is None or tuple(newest) != (model, settings):
            self.database.execute(
                "INSERT OR REPLACE INTO services (site, since, model, settings) "
                "VALUES (?, ?, ?, ?)",
                (site, stamp(now), model, settings),
            )

    def caught_up(self, site: str) -> bool:
        """Return whether a run has ever scored all scenes of a site that were due."""
        query = "SELECT 1 FROM services WHERE site = ? AND caught_up IS NOT NULL LIMIT 1"
        return self.database.execute(query, (site,)).fetchone() is not None

    def catch_up(self, site: str, now: datetime) -> None:
        """Record that no scene of a site is due any more."""
        self.database.execute(
            "UPDATE services SET caught_up = ? WHERE site = ? AND caught_up IS NULL",
            (stamp(now), site),
        )

    def passes(self, site: str, outcomes: Collection[Outcome] = COMPARABLE) -> list[ScenePass]:
        """Return the scenes of a site with some outcomes, in the order of acquisition."""
        return recorded_passes(self.database, site, outcomes)

    def events(self, site: str) -> list[Event]:
        """Return the events of a site that are open, or rejected."""
        return read_events(self.database, site, only="status != 'closed' OR answer = 'rejected'")

    def next_event(self, site: str) -> int:
        """Return the number of the next new event of a site."""
        newest = "SELECT coalesce(max(number), 0) + 1 FROM events WHERE site = ?"
        return int(self.database.execute(newest, (site,)).fetchone()[0])

    def pending_events(self, site: str) -> list[Event]:
        """Return the events of a site with changes that no alert was considered for."""
        return read_events(self.database, site, only="pending != '[]'")

    def begin(self, key: Key, source: str, now: datetime) -> None:
        """Record that the scoring of a scene begins."""
        self.database.execute(
            "INSERT INTO scenes (site, scene, model, settings, source, status, tries, started) "
            "VALUES (:site, :scene, :model, :settings, :source, 'new', 1, :now) ON CONFLICT "
            "DO UPDATE SET status = 'new', tries = tries + 1, started = :now, next_try = NULL",
            {**vars(key), "source": source, "now": stamp(now)},
        )

    def finish(
        self,
        key: Key,
        result: SceneResult,
        now: datetime,
        *,
        events: Iterable[Event] = (),
    ) -> None:
        """Record that a scene is done, and the events that it changes.

        Raises `NotWritten` if the state's disk was taken away, as the results may lie elsewhere.
        """
        require_in_place(self.folder, self.file)
        row = {
            **vars(result),
            "quantiles": json.dumps(dict(result.quantiles)),
            "reasons": json.dumps(result.reasons),
            "doubts": json.dumps(result.doubts),
        }
        columns = ", ".join(f"{name} = :{name}" for name in row)
        with transaction(self.database):
            self.database.execute(
                f"UPDATE scenes SET status = 'done', finished = :now, next_try = NULL, "
                f"error = NULL, {columns} WHERE {_WHERE}",
                {**row, **vars(key), "now": stamp(now)},
            )
            # Another state of the file, or another model, makes earlier failures obsolete.
            self.database.execute(
                "UPDATE scenes SET status = 'replaced', next_try = NULL WHERE status = 'failed' "
                "AND site = :site AND source = "
                f"(SELECT source FROM scenes WHERE {_WHERE})",
                vars(key),
            )
            write_events(self.database, events)

    def announce(
        self, events: Iterable[Event], alerts: Iterable[Alert], channels: Sequence[str]
    ) -> int:
        """Store alerts for channels with the events they are about; return how many are new.

        Raises `NotWritten` if the state's disk was taken away.
        """
        require_in_place(self.folder, self.file)
        with transaction(self.database):
            write_events(self.database, events)
            return sum(self._add_alert(alert, channels) for alert in alerts)

    def fail(self, key: Key, error: str, now: datetime, *, next_try: datetime | None) -> None:
        """Record why a scene failed, and when it is tried again, if ever."""
        times = {"now": stamp(now), "again": None if next_try is None else stamp(next_try)}
        self.database.execute(
            "UPDATE scenes SET status = 'failed', finished = :now, next_try = :again, "
            f"error = :error WHERE {_WHERE}",
            {**vars(key), **times, "error": one_line(error)},
        )

    def requeue(self, key: Key, now: datetime, error: str | None = None) -> None:
        """Take back the begin of a scene that could not be tried, for no fault of its own."""
        with transaction(self.database):
            self.database.execute(
                "UPDATE scenes SET status = 'failed', tries = tries - 1, next_try = :now, "
                f"error = coalesce(:error, error, 'interrupted') WHERE {_WHERE}",
                {**vars(key), "now": stamp(now), "error": error and one_line(error)},
            )
            if error is None:
                self.database.execute(f"DELETE FROM scenes WHERE tries = 0 AND {_WHERE}", vars(key))

    def file_records(self, site: str) -> dict[str, FileRecord]:
        """Return the known local files of a site by path."""
        return read_file_records(self.database, site)

    def record_files(
        self, site: str, records: Mapping[str, FileRecord], missing: Iterable[str]
    ) -> None:
        """Store files of a site, and forget missing ones."""
        with transaction(self.database):
            self.database.executemany(
                "INSERT OR REPLACE INTO files (site, path, size, mtime_ns, since, digest) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [(site, path, *vars(record).values()) for path, record in records.items()],
            )
            self.database.executemany(
                "DELETE FROM files WHERE site = ? AND path = ?", [(site, path) for path in missing]
            )

    def begin_run(self, run: str, now: datetime) -> None:
        """Record that a run has begun."""
        self.database.execute("INSERT INTO runs (run, began) VALUES (?, ?)", (run, stamp(now)))

    def note(self, notices: Iterable[Notice]) -> None:
        """Replace what the last run found out about sites."""
        with transaction(self.database):
            self.database.execute("DELETE FROM notices")
            self.database.executemany(
                "INSERT INTO notices (site, level, text) VALUES (?, ?, ?)", map(astuple, notices)
            )

    def end_run(self, run: str, now: datetime, code: int, **counts: int) -> None:
        """Record how a run ended; ``counts`` are columns.

        Raises `NotWritten` if the state's disk was taken away.
        """
        require_in_place(self.folder, self.file)
        columns = "".join(f", {name} = :{name}" for name in counts)
        self.database.execute(
            f"UPDATE runs SET ended = :now, code = :code{columns} WHERE run = :run",
            {"now": stamp(now), "code": code, "run": run, **counts},
        )

    def _add_alert(self, alert: Alert, channels: Sequence[str]) -> bool:
        """Store an alert unless one of its key is there; return whether it is new."""
        added = self.database.execute(
            "INSERT INTO alerts (key, site, made, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO NOTHING RETURNING number",
            (alert.key, alert.site, alert.made, alert.body),
        ).fetchone()
        if added is not None:
            self.database.executemany(
                "INSERT INTO deliveries (alert, channel) VALUES (?, ?)",
                [(added["number"], channel) for channel in channels],
            )
        return added is not None


_WHERE = "site = :site AND scene = :scene AND model = :model AND settings = :settings"


@contextmanager
def opened_state(folder: str | Path, migrations: Sequence[str] = MIGRATIONS) -> Iterator[State]:
    """Open the state for a run, as `opened` opens its database."""
    with opened(folder, migrations) as database:
        yield State(database, Path(folder), identified(folder))


def read_file_records(database: sqlite3.Connection, site: str) -> dict[str, FileRecord]:
    """Return the known local files of a site by path."""
    rows = database.execute(
        "SELECT path, size, mtime_ns, since, digest FROM files WHERE site = ?", (site,)
    )
    return {path: FileRecord(*rest) for path, *rest in rows}


def stamp(now: datetime) -> str:
    """Return a time as text, UTC.

    Examples
    --------
    >>> stamp(datetime(2025, 6, 1, 3, tzinfo=UTC))
    '2025-06-01T03:00:00.000+00:00'
    """
    return now.astimezone(UTC).isoformat(timespec="milliseconds")


def is_over(until: str, now: datetime, longest: timedelta) -> bool:
    """Return whether a wait until a stamped time is over.

    It is so, too, if it would last longer than ``longest``: the clock was ahead when it began.
    """
    return not stamp(now) < until <= stamp(now + longest)
