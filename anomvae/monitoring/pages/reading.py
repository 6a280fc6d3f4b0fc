"""Read what pages show of a state.

Each table is read once, in one transaction, so that pages agree with each other while a run is at
work.  Nothing is opened but the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from ...documents import DocumentError, read_json
from ..answers import GivenAnswer
from ..config import MonitorConfig
from ..database import last_success, opened_to_read
from ..event_records import read_events
from ..lock import read_lock_owner
from ..records import Notice
from ..report import RunSummary, waiting_alerts
from .rows import AlertRow, Delivery, SceneRow, SiteRows, WatchRows

COLUMNS = (
    "site, scene, model, settings, source, status, tries, started, finished, next_try, error, "
    "pixels, valid, flagged, objects, threshold, seconds, map, masked, missing, taken, outcome, "
    "reasons, in_domain, doubts, drift"
)
Row = tuple[Any, ...]
"""Of a table."""


def read_watch(config: MonitorConfig) -> WatchRows:
    """Read the state of a watch.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    with opened_to_read(config.state) as database:
        database.execute("BEGIN")
        scenes = _by_first(map(tuple, database.execute(_SCENES)))
        events = read_events(database)
        notices = [
            Notice(*row)
            for row in database.execute("SELECT site, level, text FROM notices ORDER BY rowid")
        ]
        names = [site.name for site in config.site]
        found = {*scenes, *(event.site for event in events)}
        sites = tuple(
            SiteRows(
                name=name,
                scenes=tuple(SceneRow(*row) for row in scenes.get(name, ())),
                events=tuple(event for event in events if event.site == name),
                notices=tuple(notice for notice in notices if notice.site == name),
                watched=name in names,
            )
            for name in [*names, *sorted(found - set(names))]
        )
        last_run, owner = _last_run(database), read_lock_owner(Path(config.state))
        if last_run is not None and owner is not None and owner.run == last_run.run:
            owner = None if last_run.ended else owner  # it writes its pages when all else is done
        return WatchRows(
            sites=sites,
            answers=_answers(database),
            alerts=_alerts(database),
            waiting=waiting_alerts(database),
            last_run=last_run,
            last_success=last_success(database),
            owner=owner,
        )


_SCENES = (
    f"SELECT {COLUMNS} FROM scenes ORDER BY site, "
    "coalesce(taken, substr(coalesce(finished, started), 1, 10)), source, started, rowid"
)


def _by_first(rows: Iterable[Row]) -> dict[Any, list[Row]]:
    found: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return dict(found)


def _answers(database: Connection) -> dict[str, tuple[GivenAnswer, ...]]:
    rows = database.execute(
        "SELECT site || '-' || number, answer, by, reason, answered FROM answers ORDER BY rowid"
    )
    return {
        str(event): tuple(GivenAnswer(*one) for one in given)
        for event, given in _by_first(map(tuple, rows)).items()
    }


def _alerts(database: Connection) -> dict[str, tuple[AlertRow, ...]]:
    """Return the alerts about events; one of an earlier version was about a scene."""
    rows = database.execute(
        "SELECT alert, channel, tries, sent, error FROM deliveries ORDER BY alert, channel"
    )
    deliveries = _by_first(map(tuple, rows))
    found: defaultdict[str, list[AlertRow]] = defaultdict(list)
    for number, made, body in database.execute(
        "SELECT number, made, body FROM alerts ORDER BY number"
    ):
        event, change = _about(body)
        sent = tuple(Delivery(*row[1:]) for row in deliveries.get(number, ()))
        if event is not None:
            found[event].append(AlertRow(event, change, made, sent))
    return {event: tuple(alerts) for event, alerts in found.items()}


def _about(body: str) -> tuple[str | None, str]:
    try:
        document = read_json(body)
    except DocumentError:
        return None, ""
    if not isinstance(document, dict) or "event" not in document:
        return None, ""
    return str(document["event"]), str(document.get("change", ""))


def _last_run(database: Connection) -> RunSummary | None:
    row = database.execute(
        "SELECT run, began, ended, code, done, failed, known, alerts FROM runs "
        "ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    return None if row is None else RunSummary(*row)
