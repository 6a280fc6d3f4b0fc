"""The outcome of a scene: normal, anomalous, or not comparable; one that failed has an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ...errors import listed
from ...stats.domain import InDomain
from ..config import SiteConfig
from ..rule_tables import AlertRule

if TYPE_CHECKING:
    from ...mapping import MapResult
    from .candidates import Candidates


class Outcome(StrEnum):
    """What a scored scene is."""

    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    NOT_COMPARABLE = "not comparable"


COMPARABLE = (Outcome.NORMAL, Outcome.ANOMALOUS)
"""Outcomes of comparable scenes."""


@dataclass(frozen=True)
class Assessment:
    """The outcome of a scene."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    """Why, in clauses; empty for a normal scene."""

    def confirming(self, events: Sequence[str]) -> Assessment:
        """Return the assessment of a scene that confirms events: it is not normal."""
        if self.outcome is not Outcome.NORMAL or not events:
            return self
        return Assessment(Outcome.ANOMALOUS, (f"it confirms {listed(events)}",))


def in_place() -> None:
    """Return that a scene is not displaced."""


def short_history(site: SiteConfig, before: int) -> str | None:
    """Return why a scene with so few dates ``before`` it is not comparable; None: they suffice.

    A detector that is fitted to each scene knows what is normal for its ground by those dates
    alone: half of them are the least.
    """
    wanted = site.dates - 1
    if site.model is not None or 2 * before >= wanted:
        return None
    return f"only {before} of {wanted} dates before it are there"


def assess(
    site: SiteConfig,
    result: MapResult,
    candidates: Callable[[], Candidates],
    displaced: Callable[[], str | None] = in_place,
) -> Assessment:
    """Assess a scored scene of a site.

    Whether it is ``displaced``, and why, is found only if nothing else is against it; its
    ``candidates`` only if it is comparable.
    """
    if reasons := tuple(_not_comparable(site, result)):
        return Assessment(Outcome.NOT_COMPARABLE, reasons)
    if (reason := displaced()) is not None:
        return Assessment(Outcome.NOT_COMPARABLE, (reason,))
    if reasons := tuple(_anomalous(site.alert, candidates())):
        return Assessment(Outcome.ANOMALOUS, reasons)
    return Assessment(Outcome.NORMAL)


def _not_comparable(site: SiteConfig, result: MapResult) -> Iterator[str]:
    masked = result.masked / max(result.masked + result.valid, 1)
    if masked > site.max_masked:
        yield f"masks hide {masked:.0%} of it, more than max_masked = {site.max_masked:g}"
    if result.verdict is not None and result.verdict.in_domain is InDomain.NO:
        yield from result.verdict.reasons


def _anomalous(rule: AlertRule, candidates: Candidates) -> Iterator[str]:
    area = "" if rule.min_area_m2 is None else f" and {rule.min_area_m2:g} m2"
    if candidates.objects >= rule.min_objects:
        objects = "object" if candidates.objects == 1 else "objects"
        yield f"{candidates.objects} {objects} of {rule.min_area_px} pixels{area} or more"
    if rule.min_share is not None and candidates.share >= rule.min_share:
        yield f"{candidates.share:.2%} of the valid pixels are flagged"
