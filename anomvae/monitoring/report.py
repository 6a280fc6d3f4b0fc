"""Reports from the state: an overview of the watch, and the history of its scenes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

from .database import last_success, opened_to_read
from .decisions.event import Event, EventStatus
from .decisions.outcomes import Outcome
from .drift_report import drift_level
from .event_records import OPEN, read_events
from .lock import LockOwner, read_lock_owner
from .records import Notice

if TYPE_CHECKING:
    import pandas as pd

OPEN_STATUSES = (EventStatus.PROVISIONAL, EventStatus.CONFIRMED)
OPEN_EVENTS = "SELECT count(*) FROM events WHERE events.site = scenes.site"


@dataclass(frozen=True)
class RunSummary:
    """A run: its id, times (UTC), exit code, and numbers of scenes and alerts."""

    run: str
    began: str
    ended: str | None
    """None if it runs, or has died."""
    code: int | None
    done: int
    failed: int
    known: int
    """Scenes that were not due."""
    alerts: int


@dataclass(frozen=True)
class SiteSummary:
    """A site: its name, and numbers of scenes."""

    site: str
    done: int
    failed: int
    """Scenes that failed: they wait for another try, or were given up."""
    begun: int
    """Scenes that are being scored, or at which a run died."""
    newest: str | None
    """When the last scene was done, UTC."""
    normal: int
    """Of those that are done: what their outcomes are; an earlier version left some without."""
    anomalous: int
    not_comparable: int
    provisional: int
    """Events that are open, and not confirmed."""
    confirmed: int
    """Events that are confirmed, and open."""


@dataclass(frozen=True)
class FailureSummary:
    """A scene that failed, and the reason."""

    site: str
    source: str
    tries: int
    next_try: str | None
    """When it is tried again, UTC; None: given up."""
    error: str


@dataclass(frozen=True)
class WaitingSummary:
    """Number of alerts that a channel has not taken."""

    channel: str
    waiting: int
    error: str | None
    """Why the last try failed."""


@dataclass(frozen=True)
class Overview:
    """State of a watch."""

    owner: LockOwner | None
    """The run that is at work, or that died."""
    last_run: RunSummary | None
    last_success: str | None
    """When the last run without failures ended, UTC."""
    sites: tuple[SiteSummary, ...]
    failures: tuple[FailureSummary, ...]
    """Scenes that failed and were not replaced."""
    waiting: tuple[WaitingSummary, ...]
    """Channels that have not taken all alerts."""
    notices: tuple[Notice, ...] = ()
    """What the last run found out about sites."""


def overview(folder: str | Path) -> Overview:
    """Summarise a watch from its state folder.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    with opened_to_read(folder) as database:
        runs = database.execute(
            "SELECT run, began, ended, code, done, failed, known, alerts FROM runs "
            "ORDER BY rowid DESC LIMIT 1"  # in order of their begin, whatever the clock was
        )
        sites = database.execute(
            "SELECT site, sum(status = 'done'), sum(status = 'failed'), sum(status = 'new'), "
            "max(finished) FILTER (WHERE status = 'done'), "
            f"{', '.join(f'count(*) FILTER (WHERE outcome = {str(each)!r})' for each in Outcome)}, "
            f"{', '.join(f'({OPEN_EVENTS} AND status = {str(each)!r})' for each in OPEN_STATUSES)} "
            "FROM scenes GROUP BY site ORDER BY site"
        )
        failures = database.execute(
            "SELECT site, source, tries, next_try, error FROM scenes WHERE status = 'failed' "
            "ORDER BY site, source"
        )
        notices = database.execute(
            "SELECT site, level, text FROM notices ORDER BY level, site, rowid"
        )
        return Overview(
            owner=read_lock_owner(Path(folder)),
            last_run=next((RunSummary(*row) for row in runs), None),
            last_success=last_success(database),
            sites=tuple(SiteSummary(*row) for row in sites),
            failures=tuple(FailureSummary(*row) for row in failures),
            waiting=waiting_alerts(database),
            notices=tuple(Notice(*row) for row in notices),
        )


def waiting_alerts(database: Connection) -> tuple[WaitingSummary, ...]:
    """Return the channels that have not taken all alerts."""
    # SQLite takes a bare column from the row that has the smallest number.
    rows = database.execute(
        "SELECT channel, waiting, error FROM (SELECT channel, count(*) AS waiting, error, "
        "min(alert) FROM deliveries WHERE sent IS NULL GROUP BY channel) ORDER BY channel"
    )
    return tuple(WaitingSummary(*row) for row in rows)


def events(
    folder: str | Path, *, site: str | None = None, closed: bool = False
) -> tuple[Event, ...]:
    """Return the events of a state folder that are open, or all, by site and number.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    with opened_to_read(folder) as database:
        return tuple(read_events(database, site, only="1" if closed else OPEN))


def history(
    folder: str | Path, *, site: str | None = None, last: int | None = None
) -> pd.DataFrame:
    """Return the scenes of a state folder, latest first; only one site's, or ``last``, if given.

    Returns
    -------
    DataFrame
        A row for each scene, model and settings; times are UTC, as text, and so are reasons.
        Of the drift, a level above 1 exceeds the default limits.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    import pandas as pd

    with opened_to_read(folder) as database:
        rows = database.execute(
            "SELECT site, source, status, outcome, reasons, taken, in_domain, doubts, started, "
            "finished, seconds, valid, masked, missing, flagged, objects, threshold, tries, "
            "next_try, error, map, scene, model, settings, quantiles, drift FROM scenes "
            "WHERE ? IN (site, '') ORDER BY started DESC, rowid DESC LIMIT ?",
            (site or "", -1 if last is None else last),
        )
        names = [column[0] for column in rows.description]
        table = pd.DataFrame([tuple(row) for row in rows], columns=names)
    for name in ("reasons", "doubts"):
        table[name] = [
            "; ".join(json.loads(text)) or None if isinstance(text, str) else None
            for text in table[name]
        ]
    table.insert(names.index("objects") + 1, "drift_level", table["drift"].map(drift_level))
    return table.convert_dtypes()
