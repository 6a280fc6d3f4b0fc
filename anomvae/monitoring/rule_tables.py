"""The tables of a monitoring configuration for decisions: what is an event, and who hears of it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from ..config.table import Table
from ..config.values import After, Before, Between, Entries
from ..stats.drift import LIMITS
from .checks import Count, PathText

MOST_PASSES = 16
"""Passes that a confirmation looks back at most: the map keeps a bit for each."""
WRITTEN = re.compile(r"(\d{1,2}) of (\d{1,2})")
Share = Annotated[float, Between(above=0, most=1)]
Change = Literal["opened", "confirmed", "continued", "closed"]
"""What happens to an event."""


def _confirmation(text: str) -> str:
    found = WRITTEN.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MOST_PASSES:
        raise ValueError(
            f"confirm = {text!r}: expected 'K of N', K of the last N valid passes, N up to "
            f"{MOST_PASSES}, as in '2 of 3'; '1 of 1' confirms at once."
        )
    return found[0]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class AlertRule(Table):
    """What counts as an anomaly of a site, and which changes of events are alerts."""

    min_objects: Count = 1
    """A scene is anomalous with at least this many objects ..."""
    min_area_px: Count = 9
    """... of at least this many pixels, connected by sides or corners.  Smaller ones are dropped
    from the objects file."""
    min_area_m2: Annotated[float, Between(above=0)] | None = None
    """... and of at least this area, m2; None: any."""
    min_share: Share | None = None
    """Or with at least this share of the valid pixels flagged."""
    confirm: Annotated[str, After(_confirmation)] = "2 of 3"
    """K of the last N valid passes over the same ground confirm an event; ``1 of 1``: at once."""
    on: Annotated[tuple[Change, ...], Before(_listed), Entries()] = ("confirmed",)
    """Changes of an event that are alerts."""
    cool_down_days: Annotated[float, Between(least=0, most=36_500)] = 0.0
    """After an alert about an event, no other one but of its end for so many days."""

    @property
    def needed(self) -> tuple[int, int]:
        """The passes that confirm, and of how many."""
        needed, among = self.confirm.split(" of ")
        return int(needed), int(among)


class AreaConfig(Table):
    """Where a site is watched."""

    only: PathText | None = None
    """Polygons (GeoJSON, or a format of the extra ``vector``): what lies outside is no anomaly."""
    exclude: PathText | None = None
    """Polygons: what lies inside is no anomaly."""


class DriftConfig(Table):
    """When a warning reports that scenes drift away from the training scenes."""

    psi: Annotated[float, Between(above=0, most=100)] = LIMITS[0]
    """Population-stability index of scores or bands."""
    ks: Share = LIMITS[1]
    """Kolmogorov-Smirnov distance of scores or bands."""
