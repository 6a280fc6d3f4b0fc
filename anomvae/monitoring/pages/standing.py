"""How a site stands, in plain words: what an operator reads first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...words import counted
from ..config import SiteConfig
from ..decisions.drift import SceneDrift, drift_in_brief, drift_warning
from ..decisions.event import EventStatus
from ..decisions.outcomes import Outcome
from ..rule_tables import DriftConfig
from .rows import SceneRow, SiteRows

TRENDING = 50
"""Latest scenes whose drift counts."""


@dataclass(frozen=True)
class Badge:
    """A word or two about a site, with how much it matters."""

    kind: str
    """``bad``, ``doubtful``, ``good`` or ``quiet``."""
    text: str


@dataclass(frozen=True)
class SiteStanding:
    """How a site stands."""

    badges: tuple[Badge, ...]
    """What matters most first; at least one."""
    confirmed: int
    """Open events that are confirmed."""
    provisional: int
    unanswered: int
    """Confirmed open events that nobody has answered."""
    drift: str | None
    """A line about the drift; None: not measured."""
    drifting: bool
    """Whether that line is a warning."""
    brief: str | None
    """A clause about the drift of the newest scene; None: not measured."""

    @property
    def rank(self) -> tuple[int, int]:
        """What sorts sites: those that need somebody come first."""
        return ("bad", "doubtful", "quiet", "good").index(self.badges[0].kind), -self.unanswered


def standing_of(site: SiteRows, config: SiteConfig | None) -> SiteStanding:
    """Return how a site stands, given its configuration; None: it is not watched any more."""
    open_events = site.open_events
    confirmed = [event for event in open_events if event.status is EventStatus.CONFIRMED]
    limits = DriftConfig() if config is None else config.drift
    scenes = drift_of(site)
    warning = drift_warning(scenes, limits)
    brief = drift_in_brief(scenes[-1], limits) if scenes else None
    unanswered = sum(event.answer is None for event in confirmed)
    provisional = sum(
        event.status is EventStatus.PROVISIONAL and event.answer is None for event in open_events
    )
    badges = tuple(_badges(site, unanswered, provisional, drifting=warning is not None))
    return SiteStanding(
        badges=badges or (Badge("good", "nothing open"),),
        confirmed=len(confirmed),
        provisional=len(open_events) - len(confirmed),
        unanswered=unanswered,
        drift=warning or brief,
        drifting=warning is not None,
        brief=brief,
    )


def drift_of(site: SiteRows) -> list[SceneDrift]:
    """Return the drift of the latest scenes of a site from its present model, oldest first."""
    scored = site.scored
    if not scored:
        return []
    model = max(scored, key=lambda row: row.finished or "").model
    measured = [row for row in scored if row.model == model and row.drift is not None]
    newest = {row.source: row for row in measured[-TRENDING:]}
    return [
        SceneDrift(row.source, row.date, drift, row.outcome != Outcome.NOT_COMPARABLE)
        for row in newest.values()
        if (drift := row.measured_drift) is not None
    ]


def level_of(row: SceneRow, limits: DriftConfig) -> float | None:
    """Return the drift of a scene as a share of its limit; None: not measured."""
    drift = row.measured_drift
    if drift is None:
        return None
    return max(part.level(limits.psi, limits.ks) for part in drift.parts)


def _badges(
    site: SiteRows, unanswered: int, provisional: int, *, drifting: bool
) -> Iterator[Badge]:
    newest = site.newest
    hidden = newest is not None and newest.outcome == Outcome.NOT_COMPARABLE
    failing = any(notice.level == "error" for notice in site.notices)
    found = (
        (not site.watched, Badge("quiet", "no longer watched")),
        (failing, Badge("bad", "the last run failed here")),
        (unanswered, Badge("bad", f"{counted(unanswered, 'confirmed event')} to answer")),
        (site.failures, Badge("doubtful", f"{counted(len(site.failures), 'scene')} failed")),
        (hidden, Badge("doubtful", "newest scene not comparable")),
        (drifting, Badge("doubtful", "drifts from the training scenes")),
        (provisional, Badge("quiet", counted(provisional, "provisional event"))),
        (not site.scenes, Badge("quiet", "no scene yet")),
    )
    yield from (badge for applies, badge in found if applies)
