"""An event: connected pixels of a site that are anomalous in several passes, or may be so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any


class EventStatus(StrEnum):
    """How far an event is, as the alerts of OPERA DIST-ALERT (Pickens et al. 2023) call it."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    CLOSED = "closed"


class EventChange(StrEnum):
    """What a pass changes about an event."""

    OPENED = "opened"
    CONFIRMED = "confirmed"
    CONTINUED = "continued"
    CLOSED = "closed"


class Answer(StrEnum):
    """What people answer about an event."""

    ACKNOWLEDGED = "acknowledged"
    """It is real: people know of it."""
    MUTED = "muted"
    """Nobody wants alerts about it; whether it is real is left open."""
    REJECTED = "rejected"
    """It is no anomaly: its ground gives no alert again."""


@dataclass(frozen=True)
class Cluster:
    """Connected pixels of a persistence map that are provisional or confirmed."""

    number: int
    """Number of the event in its site, from 1: the smallest among its pixels, or the next."""
    first: date
    """Day of the first exceedance of any pixel."""
    last: date
    """Day of the last exceedance of any pixel."""
    agreed: int
    """Passes that exceed, of the last valid ones, at the pixel where most do."""
    passes: int
    """These valid passes."""
    area_px: int
    """Pixels on the site's grid."""
    confirmed_px: int
    """Pixels of them that are confirmed."""
    tested_px: int
    """Pixels of them with K valid passes since they exceeded: confirmed, or passes differ."""
    area_m2: float | None
    """None: the grid has no place on Earth."""
    geometry: Mapping[str, Any] | None
    """Outline as GeoJSON in WGS 84, or its box if it is long; None: no place on Earth."""
    box: tuple[int, int, int, int]
    """First and last row, first and last column, inclusive, on the grid of the site's first scene
    (< 0 above and left of it): a canvas that grows moves no event."""

    @property
    def box_px(self) -> int:
        """Pixels of its box."""
        return self.box_px_in(self)

    def box_px_in(self, other: Cluster) -> int:
        """Return the pixels of its box that lie in the box of another."""
        top, bottom, left, right = self.box
        up, down, west, east = other.box
        rows = min(bottom, down) - max(top, up) + 1
        columns = min(right, east) - max(left, west) + 1
        return max(rows, 0) * max(columns, 0)


@dataclass(frozen=True)
class Band:
    """A band that leads in an anomaly."""

    band: str
    wavelength: float | None
    """Centre, nm; None: unknown."""
    residual: float
    """In units of the noise, > 0: above its reconstruction."""
    share: float
    """Of the score, in [0, 1]."""


@dataclass(frozen=True)
class Evidence:
    """The newest scene that shows an event, and the strongest object of it there."""

    scene: str
    """Name of the scene."""
    day: str
    """Day of the pass."""
    map: str
    """Path of the anomaly map."""
    quicklook: str | None
    """Path of the quick look; None: there is none."""
    valid: int
    flagged: int
    threshold: float | None
    objects: int
    reasons: tuple[str, ...]
    """Of the outcome."""
    in_domain: str | None
    """The verdict about the scene; None: the model has none."""
    doubts: tuple[str, ...]
    """Reasons of the verdict."""
    score_max: float | None = None
    """Of the strongest object; None, as the next five: no object meets the event."""
    margin: float | None = None
    """Above the threshold."""
    p: float | None = None
    """P-value of its highest score."""
    peak: tuple[int, int] | None = None
    """Row and column of its highest score in the scene."""
    object_px: int | None = None
    """Its pixels."""
    bands: tuple[Band, ...] = ()
    """Bands that lead in it, the first one most."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as tables of JSON."""
        return asdict(self)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Evidence:
        """Read what `to_dict` returns."""
        tuples = {name: tuple(fields[name]) for name in ("reasons", "doubts")}
        bands = tuple(Band(**band) for band in fields["bands"])
        peak = None if fields.get("peak") is None else tuple(fields["peak"])
        return cls(**{**fields, **tuples, "bands": bands, "peak": peak})


@dataclass(frozen=True)
class Event:
    """An event as the state records it."""

    site: str
    cluster: Cluster
    """As the newest pass leaves it; as the last one it was in left it, if it is closed."""
    status: EventStatus
    origin: str
    """The scene that opened it."""
    evidence: Evidence = field(repr=False)
    confirmed: date | None = None
    """Day of the pass that confirmed it."""
    closed: date | None = None
    """Day of the pass that closed it."""
    reason: str | None = None
    """Why it is closed."""
    pending: tuple[EventChange, ...] = ()
    """Changes that no alert was considered for yet, in order."""
    alerted: str | None = None
    """When the last alert about it was made, UTC."""
    answer: Answer | None = None
    """What people answered last."""

    @property
    def number(self) -> int:
        """Its number in the site."""
        return self.cluster.number

    @property
    def name(self) -> str:
        """Its name for people, as in ``harbour-3``."""
        return f"{self.site}-{self.number}"

    @property
    def open(self) -> bool:
        """Whether it is not closed."""
        return self.status is not EventStatus.CLOSED


def open_clusters(events: Iterable[Event]) -> list[Cluster]:
    """Return where events lie that are open."""
    return [event.cluster for event in events if event.open]
