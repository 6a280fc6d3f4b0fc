"""Reports about the drift of sites, from the state."""

from __future__ import annotations

import json

from ..stats.drift import read_drift
from .config import MonitorConfig
from .database import opened_to_read
from .decisions.drift import drift_in_brief, drift_warning, recorded_drift


def drift_lines(config: MonitorConfig) -> list[str]:
    """Return a line about the drift of each site whose scenes have any.

    Raises
    ------
    FileError
        If there is no state that can be read.
    """
    lines = []
    with opened_to_read(config.state) as database:
        for site in config.site:
            scenes = recorded_drift(database, site.name)
            if scenes:
                line = drift_warning(scenes, site.drift) or drift_in_brief(scenes[-1], site.drift)
                lines.append(f"{site.name}: {line}")
    return lines


def drift_level(text: object) -> float | None:
    """Return the level of a drift as the state keeps it, for the default limits."""
    drift = read_drift(json.loads(text)) if isinstance(text, str) else None
    return None if drift is None else max(part.level() for part in drift.parts)
