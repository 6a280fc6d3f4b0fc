"""An event: connected pixels of a site that are anomalous in several passes, or may be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Cluster:
    """Connected pixels of a persistence map that are provisional or confirmed."""

    number: int
    """Number of the event in its site, from 1."""
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
    area_m2: float | None
    """None: the grid has no place on Earth."""
    geometry: Mapping[str, Any] | None
    """Outline as GeoJSON in WGS 84, or its box if it is long; None: no place on Earth."""
    box: tuple[int, int, int, int]
    """First and last row and column on the site's grid: row, row, column, column, inclusive."""


@dataclass(frozen=True)
class Event:
    """An event as the state records it."""

    site: str
    number: int
    status: EventStatus
    cluster: Cluster
    confirmed: date | None = None
    """Day of the pass that confirmed it."""
    closed: date | None = None
    """Day of the pass that closed it."""
    answer: str | None = None
    """What people answered last: ``acknowledged``, ``muted`` or ``rejected``."""

    @property
    def name(self) -> str:
        """Its name for people, as in ``harbour-3``."""
        return f"{self.site}-{self.number}"
