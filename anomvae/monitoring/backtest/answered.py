"""Events that people answered, beside those of a replay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from ..decisions.event import Answer, Event
from ..decisions.evidence import box_of
from ..event_records import read_events
from .archive import Span

SAME_GROUND = 0.5
"""Least share of the smaller of two boxes that lies in the other, for events of one place."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class AnsweredEvents:
    """The events of a site in a span that are acknowledged, and those that are rejected."""

    acknowledged: tuple[Event, ...] = ()
    rejected: tuple[Event, ...] = ()

    @classmethod
    def of(cls, database: sqlite3.Connection, site: str, span: Span) -> AnsweredEvents:
        """Read them from the state."""
        events = [event for event in read_events(database, site) if _is_in(event, span)]
        acknowledged, rejected = (
            tuple(event for event in events if event.answer == answer)
            for answer in (Answer.ACKNOWLEDGED, Answer.REJECTED)
        )
        return cls(acknowledged, rejected)


def alerted_again(answered: Iterable[Event], replayed: Iterable[Event]) -> int:
    """Count the events of a state of which a replay has alerts: same place, overlapping days."""
    alerts = [event for event in replayed if event.alerted is not None]
    return sum(any(_meets(event, other) for other in alerts) for event in answered)


def _is_in(event: Event, span: Span) -> bool:
    first, last = event.cluster.first, event.cluster.last
    return first <= span.last and last >= span.first


def _meets(one: Event, other: Event) -> bool:
    first, last = one.cluster.first, one.cluster.last
    begin, end = other.cluster.first, other.cluster.last
    return first <= end and begin <= last and _share(_box(one), _box(other)) >= SAME_GROUND


def _box(event: Event) -> Box:
    """Return west, south, east, north; of a site without a place on Earth, in pixels."""
    cluster = event.cluster
    if cluster.geometry is not None:
        return box_of(cluster.geometry)
    top, bottom, left, right = cluster.box
    return left, top, right + 1, bottom + 1


def _share(one: Box, other: Box) -> float:
    """Return the share of the smaller box that lies in the other."""
    west, south, east, north = one
    left, low, right, high = other
    width, height = min(east, right) - max(west, left), min(north, high) - max(south, low)
    smaller = min((east - west) * (north - south), (right - left) * (high - low))
    return max(width, 0) * max(height, 0) / smaller if smaller else 0.0
