"""What the state keeps, as pages show it: scenes, events, answers, alerts, notices."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from operator import attrgetter
from pathlib import Path

from ...stats.drift import Drift, read_drift
from ..answers import GivenAnswer
from ..decisions.event import Event
from ..decisions.outcomes import Outcome
from ..lock import LockOwner
from ..records import Key, Notice
from ..report import RunSummary, WaitingSummary
from .names import PLAIN, page_name


@dataclass(frozen=True)
class SceneRow:
    """A scoring of a scene: the columns of the table that `database` describes."""

    site: str
    scene: str
    model: str
    settings: str
    source: str
    status: str
    tries: int
    started: str
    finished: str | None
    next_try: str | None
    error: str | None
    pixels: int | None
    valid: int | None
    flagged: int | None
    objects: int | None
    threshold: float | None
    seconds: float | None
    map: str | None
    masked: int | None
    missing: int | None
    taken: str | None
    outcome: str | None
    reasons: str | None
    in_domain: str | None
    doubts: str | None
    drift: str | None

    @cached_property
    def day(self) -> str:
        """Day of the acquisition, or else of the scoring, ISO 8601."""
        return self.taken or (self.finished or self.started)[:10]

    @property
    def date(self) -> date:
        """The same as a date."""
        return date.fromisoformat(self.day)

    @property
    def state(self) -> str:
        """Its outcome; of one without, how far it is."""
        words = {"new": "being scored", "done": self.outcome or "done"}
        return words.get(self.status, self.status)

    @cached_property
    def name(self) -> str:
        """Its part of the addresses of pages, unique in the state."""
        key = Key(self.site, self.scene, self.model, self.settings)
        return page_name(Path(self.source).stem, key.digest[:12])

    @property
    def flagged_share(self) -> float | None:
        """Flagged pixels, of the valid ones; None where there are none."""
        return None if self.flagged is None or not self.valid else self.flagged / self.valid

    @property
    def masked_share(self) -> float | None:
        """Masked pixels, of those with data; None where they were not counted."""
        seen = (self.valid or 0) + (self.masked or 0)
        return None if self.masked is None or not seen else self.masked / seen

    @cached_property
    def measured_drift(self) -> Drift | None:
        """How far it lies from the training scenes; None: not measured."""
        return None if self.drift is None else read_drift(json.loads(self.drift))

    @cached_property
    def digest(self) -> str:
        """Identifies all that the state keeps of it."""
        return digest_of(self.__dict__[name] for name in self.__dataclass_fields__)


@dataclass(frozen=True)
class Delivery:
    """What became of an alert at a channel."""

    channel: str
    tries: int
    sent: str | None
    """When it was sent, UTC; None: it waits."""
    error: str | None
    """Why the last try failed."""


@dataclass(frozen=True)
class AlertRow:
    """An alert about an event."""

    event: str
    """Name of the event."""
    change: str
    made: str
    """UTC."""
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True)
class SiteRows:
    """All that the state keeps of a site."""

    name: str
    scenes: tuple[SceneRow, ...]
    """By day of acquisition, the oldest first."""
    events: tuple[Event, ...]
    """By number."""
    notices: tuple[Notice, ...]
    """What the last run found out about it."""
    watched: bool
    """Whether the configuration has it."""

    @property
    def slug(self) -> str:
        """Name of the folder of its pages."""
        if PLAIN.fullmatch(self.name):
            return self.name
        return page_name(self.name, digest_of([self.name])[:8])

    @cached_property
    def scored(self) -> tuple[SceneRow, ...]:
        """Scenes that are done, by day."""
        return tuple(row for row in self.scenes if row.status == "done")

    @cached_property
    def by_name(self) -> Mapping[str, SceneRow]:
        """Scenes by their names and by what identifies them: the one scored last."""
        rows = sorted(self.scenes, key=lambda row: row.finished or "")
        return {row.source: row for row in rows} | {row.scene: row for row in rows}

    def scored_within(self, first: str, last: str) -> tuple[SceneRow, ...]:
        """Return the scored scenes of some days, first and last included."""
        start = bisect_left(self.scored, first, key=attrgetter("day"))
        return self.scored[start : bisect_right(self.scored, last, key=attrgetter("day"))]

    @cached_property
    def newest(self) -> SceneRow | None:
        """The scene of the latest day that was scored."""
        return self.scored[-1] if self.scored else None

    @cached_property
    def failures(self) -> list[SceneRow]:
        """Scenes that failed and were not replaced."""
        return [row for row in self.scenes if row.status == "failed"]

    @property
    def open_events(self) -> list[Event]:
        """Events that are not closed."""
        return [event for event in self.events if event.open]

    @cached_property
    def digest(self) -> str:
        """Identifies all of it."""
        return digest_of(
            [
                [row.digest for row in self.scenes],
                self.events,
                [event.evidence for event in self.events],
                self.notices,
                self.watched,
            ]
        )


@dataclass(frozen=True)
class WatchRows:
    """The state of a watch at one moment."""

    sites: tuple[SiteRows, ...]
    """Those of the configuration in its order, then those that it no longer has."""
    answers: Mapping[str, tuple[GivenAnswer, ...]]
    """By the names of events, in order."""
    alerts: Mapping[str, tuple[AlertRow, ...]]
    """By the names of events, in order."""
    waiting: tuple[WaitingSummary, ...]
    """Channels that have not taken all alerts."""
    last_run: RunSummary | None
    last_success: str | None
    """When the last run without failures ended, UTC."""
    owner: LockOwner | None
    """The run that is at work, or that died."""


def digest_of(parts: object) -> str:
    """Return what identifies values of Python, 16 hexadecimal digits."""
    text = repr(list(parts) if isinstance(parts, Iterable) else parts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def comparable(row: SceneRow) -> bool:
    """Return whether a scene counts for events."""
    return row.status == "done" and row.outcome not in {None, Outcome.NOT_COMPARABLE}
