"""Drift of a site: how far its scenes lie from the training scenes, and whether that grows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import takewhile
from sqlite3 import Connection

from ...detector.modelfile import read_card
from ...documents import to_json
from ...errors import AnomvaeError
from ...stats.drift import Divergence, Drift, read_drift
from ...stats.trend import trend_of
from ..rule_tables import DriftConfig
from .outcomes import Outcome

KEPT = 50
"""Latest scenes that are looked at."""
TRENDING = 10
"""Those of them whose trend counts."""
GROWN = 0.5
"""Level from which a trend is a warning: below it, scenes differ as the training scenes do."""


@dataclass(frozen=True)
class SceneDrift:
    """The drift of a scene of a site."""

    source: str
    """Its name."""
    day: date
    """Day of the acquisition, or else of the scoring."""
    drift: Drift
    comparable: bool
    """Whether its outcome is another one than not comparable."""

    def level(self, limits: DriftConfig) -> float:
        """Return the largest share of its limit; above 1 it exceeds one."""
        return max(part.level(limits.psi, limits.ks) for part in self.drift.parts)


def drift_text(drift: Drift | None) -> str | None:
    """Return the JSON of a drift, as the state keeps it."""
    return None if drift is None else to_json(asdict(drift))


def recorded_drift(database: Connection, site: str) -> list[SceneDrift]:
    """Return the drift of the latest scenes of a site from its present model, oldest first."""
    rows = database.execute(
        "SELECT source, coalesce(taken, substr(finished, 1, 10)) AS day, drift, outcome "
        "FROM scenes WHERE site = :site AND status = 'done' AND drift IS NOT NULL AND model = "
        "(SELECT model FROM scenes WHERE site = :site AND status = 'done' "
        "ORDER BY finished DESC, rowid DESC LIMIT 1) "
        "ORDER BY day DESC, source DESC, finished DESC LIMIT :kept",
        {"site": site, "kept": KEPT},
    )
    newest: dict[str, SceneDrift] = {}
    for source, day, text, outcome in rows:
        drift = read_drift(json.loads(text))
        if drift is not None and source not in newest:
            comparable = outcome != Outcome.NOT_COMPARABLE
            newest[source] = SceneDrift(source, date.fromisoformat(day), drift, comparable)
    return list(newest.values())[::-1]


def drift_warning(scenes: Sequence[SceneDrift], limits: DriftConfig) -> str | None:
    """Return a line about the drift of a site, given that of its scenes, oldest first.

    None where the newest scene exceeds no limit, and no trend will soon.
    """
    if not scenes:
        return None
    if scenes[-1].level(limits) > 1:
        return _exceeding(scenes, limits)
    return _growing([scene for scene in scenes if scene.comparable][-TRENDING:], limits)


def drift_in_brief(scene: SceneDrift, limits: DriftConfig) -> str:
    """Return a clause about the drift of a scene."""
    part = max(scene.drift.parts, key=lambda each: each.level(limits.psi, limits.ks))
    return f"drift at {scene.level(limits):.0%} of its limit: {described(part, limits)}"


def why_no_drift(model: str) -> list[str]:
    """Return why a model measures no drift; nothing where it does, or cannot be read."""
    try:
        card = read_card(model)
    except AnomvaeError:
        return []
    if card.drift:
        return []
    return [
        "no drift is measured: the model keeps no figures of how its training scenes differ. "
        "Train it anew with this version."
    ]


def described(part: Divergence, limits: DriftConfig) -> str:
    """Return what drifts, how, and how far."""
    psi, ks = part.limits(limits.psi, limits.ks)
    verb = "are" if part.name == "scores" else "is"
    return (
        f"{part.name} {verb} {part.direction} (PSI {part.psi:.2f} of {psi:.2f}, "
        f"KS {abs(part.ks):.2f} of {ks:.2f})"
    )


def _exceeding(scenes: Sequence[SceneDrift], limits: DriftConfig) -> str:
    newest = scenes[-1]
    parts = [part for part in newest.drift.parts if part.level(limits.psi, limits.ks) > 1]
    run = list(takewhile(lambda scene: scene.level(limits) > 1, reversed(scenes)))
    since = (
        f"since {run[-1].day}, {len(run)} scenes in a row" if len(run) > 1 else "for the first time"
    )
    return (
        f"{newest.source} lies far from the training scenes, {since}: "
        f"{' and '.join(described(part, limits) for part in parts)}. If that lasts, find out "
        f"why, and train a successor (anomvae monitor retrain)"
    )


def _growing(scenes: Sequence[SceneDrift], limits: DriftConfig) -> str | None:
    days = [float(scene.day.toordinal()) for scene in scenes]
    trend = trend_of(days, [scene.level(limits) for scene in scenes])
    if trend is None or trend.now < GROWN:
        return None
    left = trend.time_to(1.0)
    if left is None or left > days[-1] - days[0]:  # no further ahead than behind
        return None
    newest = scenes[-1]
    part = max(newest.drift.parts, key=lambda each: each.level(limits.psi, limits.ks))
    return (
        f"drift from the training scenes grows since {scenes[0].day}: {described(part, limits)} in "
        f"{newest.source}. At this pace it exceeds its limit about "
        f"{newest.day + timedelta(days=round(left))}: train a successor before (anomvae monitor "
        f"retrain)"
    )
