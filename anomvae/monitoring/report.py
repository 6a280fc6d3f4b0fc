"""Reports from the state: an overview of the watch, and the history of its scenes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from .database import opened_to_read
from .lock import LockOwner, read_lock_owner

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "site, source, status, started, finished, seconds, valid, flagged, objects, threshold, tries, "
    "next_try, error, map, scene, model, settings, quantiles"
)


@dataclass(frozen=True)
class RunSummary:
    """A run."""

    run: str
    """Its id."""
    began: str
    """UTC."""
    ended: str | None
    """UTC; None if it runs, or has died."""
    code: int | None
    """Its exit code."""
    done: int
    """Scenes scored."""
    failed: int
    """Scenes failed."""
    known: int
    """Scenes that were not due."""
    alerts: int
    """Alerts made."""


@dataclass(frozen=True)
class SiteSummary:
    """A site."""

    site: str
    """Its name."""
    done: int
    """Scenes scored."""
    failed: int
    """Scenes that failed: they wait for another try, or were given up."""
    begun: int
    """Scenes that are being scored, or at which a run died."""
    newest: str | None
    """When the last scene was done, UTC."""


@dataclass(frozen=True)
class FailureSummary:
    """A scene that failed."""

    site: str
    """Name of the site."""
    source: str
    """The scene."""
    tries: int
    """Number of tries."""
    next_try: str | None
    """When it is tried again, UTC; None: given up."""
    error: str
    """The reason."""


@dataclass(frozen=True)
class WaitingSummary:
    """Alerts that a channel has not taken."""

    channel: str
    """Its name."""
    waiting: int
    """How many."""
    error: str | None
    """Why the last try failed."""


@dataclass(frozen=True)
class Overview:
    """State of a watch."""

    owner: LockOwner | None
    """The run that is at work, or that died."""
    last_run: RunSummary | None
    """The run that began last."""
    last_success: str | None
    """When the last run without failures ended, UTC."""
    sites: tuple[SiteSummary, ...]
    """All sites in the state."""
    failures: tuple[FailureSummary, ...]
    """All scenes that failed and were not replaced."""
    waiting: tuple[WaitingSummary, ...]
    """Channels that have not taken all alerts."""


def overview(folder: str | Path) -> Overview:
    """Summarise a watch from its state folder.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    with opened_to_read(folder) as database:
        last = _rows(database, f"SELECT {_names(RunSummary)} FROM runs ORDER BY began DESC LIMIT 1")
        success = database.execute("SELECT max(ended) FROM runs WHERE code = 0").fetchone()[0]
        sites = _rows(
            database,
            "SELECT site, sum(status = 'done'), sum(status = 'failed'), sum(status = 'new'), "
            "max(finished) FILTER (WHERE status = 'done') FROM scenes "
            "GROUP BY site ORDER BY site",
        )
        failures = _rows(
            database,
            f"SELECT {_names(FailureSummary)} FROM scenes WHERE status = 'failed' "
            "ORDER BY site, source",
        )
        # SQLite takes a bare column from the row that has the smallest number.
        waiting = _rows(
            database,
            "SELECT channel, waiting, error FROM (SELECT channel, count(*) AS waiting, error, "
            "min(alert) FROM deliveries WHERE sent IS NULL GROUP BY channel) ORDER BY channel",
        )
        return Overview(
            owner=read_lock_owner(Path(folder)),
            last_run=RunSummary(*last[0]) if last else None,
            last_success=success,
            sites=tuple(SiteSummary(*row) for row in sites),
            failures=tuple(FailureSummary(*row) for row in failures),
            waiting=tuple(WaitingSummary(*row) for row in waiting),
        )


def history(
    folder: str | Path, *, site: str | None = None, last: int | None = None
) -> pd.DataFrame:
    """Return the scenes of a state folder, the latest first.

    Parameters
    ----------
    folder : path
        The state folder.
    site : str, optional
        Only this site.
    last : int, optional
        Only this number of scenes.

    Returns
    -------
    DataFrame
        A row for each scene, model and settings; times are UTC, as text.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    import pandas as pd

    with opened_to_read(folder) as database:
        rows = database.execute(
            f"SELECT {COLUMNS} FROM scenes WHERE ? IN (site, '') "
            "ORDER BY started DESC, rowid DESC LIMIT ?",
            (site or "", -1 if last is None else last),
        )
        names = [column[0] for column in rows.description]
        return pd.DataFrame([tuple(row) for row in rows], columns=names).convert_dtypes()


def _rows(database: sqlite3.Connection, query: str) -> list[sqlite3.Row]:
    return database.execute(query).fetchall()


def _names(kind: type[RunSummary | FailureSummary]) -> str:
    return ", ".join(field.name for field in fields(kind))
