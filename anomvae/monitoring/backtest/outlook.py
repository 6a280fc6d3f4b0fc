"""What a replay shows: scenes by outcome, alerts, events, delays, and what people answered of them.

The delay of an event is from the pass that exceeds first to the pass that confirms it: in days, and
in comparable scenes of the site, both included.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from ..decisions.event import EventStatus
from ..decisions.outcomes import Outcome
from .answered import AnsweredEvents, alerted_again
from .archive import Span
from .replay import FAILED, Replay

MONTH = 365.25 / 12
"""Days."""
FEWER = 0.75
"""An advised rule makes at most this share of the alerts."""


@dataclass(frozen=True)
class Outlook:
    """What a site would have done under some rules."""

    change: str
    """Which rule differs from the configuration."""
    normal: int
    """Scenes ..."""
    anomalous: int
    not_comparable: int
    failed: int
    alerts: int
    alerts_per_month: float
    opened: int
    """Events ..."""
    confirmed: int
    closed: int
    """... of the confirmed ones."""
    delay_days: float | None
    """Median from the first exceedance to the confirmation; None: no event is confirmed."""
    delay_passes: float | None
    """The same in comparable scenes, both included."""
    hits: int
    """Acknowledged events of the watch that would be alerts."""
    acknowledged: int
    """Of so many in the span."""
    false_alarms: int
    """Rejected events of the watch that would be alerts."""
    rejected: int
    """Of so many in the span."""


@dataclass(frozen=True)
class Advice:
    """A rule to change, and what that brings."""

    aim: str
    """``fewer alerts`` or ``a shorter delay``."""
    change: str | None
    """None: no rule that was tried does it."""
    text: str
    """Its figures beside those of the configuration."""

    def __str__(self) -> str:
        """Return one line."""
        change = "keep the rules" if self.change is None else self.change
        return f"for {self.aim}: {change} ({self.text})"


def outlook_of(change: str, replay: Replay, answered: AnsweredEvents, span: Span) -> Outlook:
    """Summarise a replay with a rule that differs."""
    confirmed = [event for event in replay.events if event.confirmed is not None]
    delays = [
        _delay(event.cluster.first, event.confirmed, replay.days)
        for event in confirmed
        if event.confirmed is not None
    ]
    return Outlook(
        change=change,
        normal=replay.outcomes.get(Outcome.NORMAL, 0),
        anomalous=replay.outcomes.get(Outcome.ANOMALOUS, 0),
        not_comparable=replay.outcomes.get(Outcome.NOT_COMPARABLE, 0),
        failed=replay.outcomes.get(FAILED, 0),
        alerts=replay.alerts,
        alerts_per_month=round(replay.alerts * MONTH / span.days, 4),
        opened=len(replay.events),
        confirmed=len(confirmed),
        closed=sum(event.status is EventStatus.CLOSED for event in confirmed),
        delay_days=median(days for days, _ in delays) if delays else None,
        delay_passes=median(passes for _, passes in delays) if delays else None,
        hits=alerted_again(answered.acknowledged, replay.events),
        acknowledged=len(answered.acknowledged),
        false_alarms=alerted_again(answered.rejected, replay.events),
        rejected=len(answered.rejected),
    )


def _delay(first: date, confirmed: date, days: Sequence[date]) -> tuple[int, int]:
    """Return days and comparable scenes from the first exceedance to the confirmation."""
    passes = bisect_right(days, confirmed) - bisect_left(days, first)
    return (confirmed - first).days, passes


def advise(now: Outlook, others: Sequence[Outlook]) -> list[Advice]:
    """Return which rule to change for fewer alerts, and for a shorter delay.

    A rule that loses alerts about acknowledged events is not advised.
    """
    kept = [each for each in others if each.hits >= now.hits]
    return [_fewer_alerts(now, kept), _shorter_delay(now, kept)]


def _fewer_alerts(now: Outlook, others: Sequence[Outlook]) -> Advice:
    aim = "fewer alerts"
    if not now.alerts:
        return Advice(aim, None, "there are none")
    # A rule under which nothing is an alert helps only where every alert was false.
    least = 0 if now.false_alarms == now.alerts else 1
    fewer = [each for each in others if least <= each.alerts <= FEWER * now.alerts]
    if not fewer:
        return Advice(aim, None, f"no single change keeps some of {_rate(now)}")
    best = min(fewer, key=lambda each: (each.false_alarms, _days(each), each.alerts))
    doubt = "" if now.acknowledged else "; no event is acknowledged, so real ones may be lost"
    return Advice(aim, best.change, f"{_instead(best, now)}; {_wait(best)}{doubt}")


def _shorter_delay(now: Outlook, others: Sequence[Outlook]) -> Advice:
    aim = "a shorter delay"
    if now.delay_days is None:
        return Advice(aim, None, "no event is confirmed")
    shorter = [each for each in others if _days(each) < now.delay_days and each.confirmed]
    if not shorter:
        return Advice(aim, None, f"no single change is faster than {now.delay_days:g} days")
    best = min(shorter, key=lambda each: (each.alerts, _days(each)))
    wait = f"{_wait(best)} instead of {now.delay_days:g}"
    return Advice(aim, best.change, f"{wait}; {_instead(best, now)}")


def _days(outlook: Outlook) -> float:
    return float("inf") if outlook.delay_days is None else outlook.delay_days


def _instead(other: Outlook, now: Outlook) -> str:
    return f"{_rate(other)} instead of {now.alerts_per_month:.2g}"


def _rate(outlook: Outlook) -> str:
    return f"{outlook.alerts_per_month:.2g} alerts a month"


def _wait(outlook: Outlook) -> str:
    if outlook.delay_days is None:
        return "no event is confirmed"
    return f"confirmed after {outlook.delay_days:g} days"
