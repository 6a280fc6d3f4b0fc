"""The start page: how each site stands, what waits for an answer, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import listed
from ..decisions.event import Event, EventStatus
from .folder import PlannedFile
from .frame import Frame, page, site_address
from .rows import SceneRow, SiteRows, digest_of
from .scene_page import clock
from .standing import SiteStanding

if TYPE_CHECKING:
    from ...pages import Page

LISTED = 30
"""Events, failures and notices that the start page lists at most."""


@dataclass(frozen=True)
class SiteCard:
    """A site on the start page."""

    site: SiteRows
    standing: SiteStanding
    address: str

    @property
    def newest(self) -> SceneRow | None:
        """Its newest scene that was scored."""
        return self.site.newest

    @property
    def scored(self) -> int:
        """How many of its scenes are done."""
        return len(self.site.scored)


@dataclass(frozen=True)
class LinkedEvent:
    """An event, and the address of its page."""

    event: Event
    address: str


def index_page(frame: Frame, standings: Sequence[SiteStanding]) -> PlannedFile:
    """Plan the start page, given how each site stands."""
    cards = [
        SiteCard(site, standing, site_address(site))
        for site, standing in zip(frame.rows.sites, standings, strict=True)
    ]
    rows = frame.rows
    inputs = (
        [site.digest for site in rows.sites],
        standings,
        digest_of(rows.answers.items()),
        (rows.waiting, rows.last_run, rows.last_success, rows.owner),
    )
    return frame.planned("index.html", inputs, lambda: _made(frame, cards))


def _made(frame: Frame, cards: Sequence[SiteCard]) -> Page:
    rows = frame.rows
    unanswered = [
        LinkedEvent(event, f"sites/{card.site.slug}/events/{event.number}.html")
        for card in cards
        for event in card.site.open_events
        if event.status is EventStatus.CONFIRMED and event.answer is None
    ]
    unanswered.sort(key=lambda one: one.event.cluster.last, reverse=True)
    failures = [
        (row, f"sites/{card.site.slug}/scenes/{row.name}.html")
        for card in cards
        for row in reversed(card.site.failures)
    ]
    notices = [notice for card in cards for notice in card.site.notices]
    values = {
        "cards": sorted(cards, key=lambda card: card.standing.rank),
        "run": rows.last_run,
        "began": rows.last_run and clock(rows.last_run.began),
        "ended": rows.last_run and rows.last_run.ended and clock(rows.last_run.ended),
        "last_success": rows.last_success and clock(rows.last_success),
        "at_work": rows.owner,
        "waiting": rows.waiting,
        "unanswered": unanswered[:LISTED],
        "more_unanswered": max(0, len(unanswered) - LISTED),
        "failures": failures[:LISTED],
        "more_failures": max(0, len(failures) - LISTED),
        "problems": [one for one in notices if one.level == "error"],
        "notes": [one for one in notices if one.level != "error"][:LISTED],
        "headline": _headline(len(unanswered), cards),
    }
    return page("Watched sites", "index.html", values)


def _headline(unanswered: int, cards: Sequence[SiteCard]) -> tuple[str, str]:
    """Return the kind and the words of the first line."""
    failing = sum(any(notice.level == "error" for notice in card.site.notices) for card in cards)
    parts = []
    if unanswered:
        verb = "event waits" if unanswered == 1 else "events wait"
        parts.append(f"{unanswered:,} confirmed {verb} for an answer")
    if failing:
        parts.append(f"the last run failed at {failing:,} of {len(cards):,} sites")
    if parts:
        text = "; ".join(parts)
        return "bad", f"{text[0].upper()}{text[1:]}."
    doubtful = [card.site.name for card in cards if card.standing.badges[0].kind == "doubtful"]
    if doubtful:
        where = f"Look at {listed(doubtful)}: the cards below name the reasons."
        return "doubtful", f"No confirmed event waits for an answer. {where}"
    return "good", "No confirmed event waits for an answer, and the last run failed at no site."
