"""The tables of the events of a site."""

from __future__ import annotations

from collections.abc import Sequence

from ...pages import Column, Table
from ..decisions.event import Event

MOST_EVENTS = 1000
"""Events that are listed at most: open ones, and closed ones."""
OPEN_COLUMNS = (
    Column("event", "Event", "link"),
    Column("status", "Status", "state", choices=True),
    Column("answer", "Answer", choices=True),
    Column("first", "First", "date"),
    Column("last", "Last", "date"),
    Column("passes", "Passes that show it"),
    Column("pixels", "Pixels", "number"),
)
CLOSED_COLUMNS = (
    Column("event", "Event", "link"),
    Column("first", "First", "date"),
    Column("last", "Last", "date"),
    Column("confirmed", "Confirmed", "date"),
    Column("closed", "Closed", "date"),
    Column("answer", "Answer", choices=True),
    Column("pixels", "Pixels", "number"),
)


def open_table(events: Sequence[Event]) -> Table:
    """Return the open events; a row leads to its place on the map."""
    listed = events[:MOST_EVENTS]
    rows = [
        [
            [event.name, f"events/{event.number}.html"],
            event.status.value,
            event.answer or "none",
            event.cluster.first.isoformat(),
            event.cluster.last.isoformat(),
            f"{event.cluster.agreed} of {event.cluster.passes}",
            event.cluster.area_px,
        ]
        for event in listed
    ]
    ids = [event.name for event in listed]
    return Table("Open events", OPEN_COLUMNS, rows, ids, page=12, total=len(events))


def closed_table(events: Sequence[Event]) -> Table:
    """Return the closed events."""
    return Table(
        "Closed events",
        CLOSED_COLUMNS,
        [
            [
                [event.name, f"events/{event.number}.html"],
                event.cluster.first.isoformat(),
                event.cluster.last.isoformat(),
                None if event.confirmed is None else event.confirmed.isoformat(),
                None if event.closed is None else event.closed.isoformat(),
                event.answer or "none",
                event.cluster.area_px,
            ]
            for event in events[:MOST_EVENTS]
        ],
        page=25,
        total=len(events),
    )
