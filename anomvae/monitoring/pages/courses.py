"""The course of a site: what was measured of its scenes over time, and its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...pages import Axis, Dated, Mark, Timeline
from ...pages import Event as Span
from ..config import SiteConfig
from ..decisions.event import Event
from ..rule_tables import DriftConfig
from .rows import SceneRow, SiteRows
from .standing import level_of

SPANS = 60
"""Events on a chart at most: the open ones first."""


def charts_of(
    site: SiteRows, config: SiteConfig | None, rows: Sequence[SceneRow]
) -> dict[str, Timeline]:
    """Return the courses of what was measured, as far as it was."""
    scored = [row for row in rows if row.status == "done"]
    if not scored:
        return {}
    limits = DriftConfig() if config is None else config.drift
    spans = _spans(site, scored[0].day, scored[-1].day)
    charts = {
        "flagged": Timeline(
            "Flagged share of valid pixels",
            (_dated("flagged", scored, [percent(row.flagged_share) for row in scored]),),
            Axis("flagged", "%", low=0),
            events=spans,
        )
    }
    levels = [percent(level_of(row, limits)) for row in scored]
    if any(level is not None for level in levels):
        charts["drift"] = Timeline(
            "Drift from the training scenes",
            (_dated("drift", scored, levels),),
            Axis("drift", "% of limit", low=0),
            limits=(Mark(100.0, "limit"),),
        )
    masked = [percent(row.masked_share) for row in scored]
    if any(masked):
        marks = () if config is None else (Mark(100 * config.max_masked, "not comparable above"),)
        charts["masked"] = Timeline(
            "Masked share of pixels with data",
            (_dated("masked", scored, masked),),
            Axis("masked", "%", low=0),
            limits=marks,
        )
    return charts


def by_matter(events: Iterable[Event]) -> list[Event]:
    """Sort events: confirmed ones without an answer first, then open ones, then the newest."""
    order = ("confirmed", "provisional", "closed")
    return sorted(
        events,
        key=lambda event: (
            event.answer is not None,
            order.index(event.status),
            -event.cluster.last.toordinal(),
            event.number,
        ),
    )


def address_in_site(row: SceneRow) -> str:
    """Return the address of the page of a scene, relative to that of its site."""
    return f"scenes/{row.name}.html"


def percent(share: float | None) -> float | None:
    """Return a share in percent."""
    return None if share is None else round(100 * share, 4)


def _spans(site: SiteRows, first: str, last: str) -> tuple[Span, ...]:
    events = [one for one in site.events if one.cluster.last.isoformat() >= first]
    events = [one for one in events if one.cluster.first.isoformat() <= last]
    return tuple(
        Span(
            event.name,
            event.cluster.first.isoformat(),
            (event.closed or event.cluster.last).isoformat() if not event.open else None,
            event.status.value,
            f"events/{event.number}.html",
        )
        for event in by_matter(events)[:SPANS]
    )


def _dated(name: str, rows: Sequence[SceneRow], values: Sequence[float | None]) -> Dated:
    return Dated(
        name,
        [row.day for row in rows],
        values,
        kinds=[row.state for row in rows],
        links=[address_in_site(row) for row in rows],
    )
