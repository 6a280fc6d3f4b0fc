"""Rows of events.

The answer of an event is written only with a new one: from then on it belongs to people.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import date
from typing import Any

from .decisions.event import Answer, Cluster, Event, EventChange, EventStatus, Evidence

PLAIN = ("agreed", "passes", "area_px", "confirmed_px", "tested_px", "area_m2")
"""Fields of a cluster that are columns as they are."""
TEXTS = ("origin", "reason", "alerted")
"""Fields of an event that are columns as they are."""
DAYS = ("first", "last", "confirmed", "closed")
OPEN = "status != 'closed'"
"""Condition of events that are open."""
DOCUMENTS = ("geometry", "box", "evidence", "pending")
"""Columns of JSON."""


def write_events(database: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Insert or update rows."""
    for event in events:
        row = _row(event)
        changed = ", ".join(f"{name} = :{name}" for name in row if name != "answer")
        database.execute(
            f"INSERT INTO events ({', '.join(row)}) VALUES ({', '.join(f':{one}' for one in row)}) "
            f"ON CONFLICT (site, number) DO UPDATE SET {changed}",
            row,
        )


def read_events(
    database: sqlite3.Connection, site: str | None = None, *, only: str = "1"
) -> list[Event]:
    """Return events, those of one site or all, in order; ``only`` is a condition of SQL."""
    rows = database.execute(
        f"SELECT * FROM events WHERE ? IN (site, '') AND ({only}) ORDER BY site, number",
        (site or "",),
    )
    return [_event(row) for row in rows]


def _row(event: Event) -> dict[str, Any]:
    cluster = event.cluster
    documents = {
        "geometry": cluster.geometry,
        "box": cluster.box,
        "evidence": event.evidence.to_dict(),
        "pending": event.pending,
    }
    days: dict[str, date | None] = {"first": cluster.first, "last": cluster.last}
    days |= {"confirmed": event.confirmed, "closed": event.closed}
    return {
        "site": event.site,
        "number": event.number,
        "status": event.status,
        "answer": event.answer,
        **{name: day and day.isoformat() for name, day in days.items()},
        **{name: getattr(cluster, name) for name in PLAIN},
        **{name: getattr(event, name) for name in TEXTS},
        **{
            name: value if value is None else json.dumps(value) for name, value in documents.items()
        },
    }


def _event(row: sqlite3.Row) -> Event:
    documents = {name: row[name] and json.loads(row[name]) for name in DOCUMENTS}
    days = {name: row[name] and date.fromisoformat(row[name]) for name in DAYS}
    cluster = Cluster(
        number=row["number"],
        first=days["first"],
        last=days["last"],
        **{name: row[name] for name in PLAIN},
        geometry=documents["geometry"],
        box=tuple(documents["box"]),
    )
    return Event(
        site=row["site"],
        cluster=cluster,
        status=EventStatus(row["status"]),
        evidence=Evidence.of(documents["evidence"]),
        confirmed=days["confirmed"],
        closed=days["closed"],
        pending=tuple(map(EventChange, documents["pending"])),
        answer=row["answer"] and Answer(row["answer"]),
        **{name: row[name] for name in TEXTS},
    )
