"""Which changes of events are alerts: no more than one per event and run.

An alert reports how an event stands once a run has scored what is due at its site, by the change
that matters most of those that the site's rule chooses.  A run that catches up with an archive, or
a backfill, sends none of events that opened and closed meanwhile.  Of very many events the largest
alone are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from .alerts import alert_of
from .decisions.event import Answer, Event, EventChange, Evidence
from .records import Alert
from .rule_tables import AlertRule
from .state import is_over, stamp

MOST_ALERTS = 20
"""Alerts that a run sends of a site at most."""
ORDER = (EventChange.CLOSED, EventChange.CONFIRMED, EventChange.OPENED, EventChange.CONTINUED)
"""Changes, the one that matters most first."""


@dataclass(frozen=True)
class Announced:
    """The alerts of a run, and the events that they leave."""

    events: tuple[Event, ...]
    alerts: tuple[Alert, ...]
    unsent: str | None
    """What is not sent, in one line; None: nothing."""


def announced(
    pending: Sequence[Event],
    rule: AlertRule,
    now: datetime,
    *,
    catching_up: bool = False,
    pictured: Callable[[Event], Evidence] = attrgetter("evidence"),
) -> Announced:
    """Choose the alerts of events with pending changes; ``pictured`` draws those that are sent."""
    cool = {event.number for event in pending if _cools(event, rule, now)}
    chosen = [
        (event, change)
        for event in pending
        if (change := chosen_change(event, rule, catching_up=catching_up)) is not None
        and (event.number not in cool or change is EventChange.CLOSED)
    ]
    chosen.sort(key=lambda pair: (ORDER.index(pair[1]), -pair[0].cluster.area_px))
    sent = chosen[:MOST_ALERTS]
    alerts = tuple(
        alert_of(replace(event, evidence=pictured(event)), change, now) for event, change in sent
    )
    about = {event.number for event, _ in sent}
    events = tuple(
        replace(
            event,
            pending=_kept(event, cooling=event.number in cool),
            alerted=stamp(now) if event.number in about else event.alerted,
        )
        for event in pending
    )
    more = len(chosen) - len(sent)
    unsent = (
        f"{more} more events changed than the {MOST_ALERTS} that got an alert" if more else None
    )
    return Announced(events, alerts, unsent)


def chosen_change(
    event: Event, rule: AlertRule, *, catching_up: bool = False
) -> EventChange | None:
    """Return the pending change of an event that is sent; None: none."""
    if event.answer == Answer.REJECTED or (event.answer == Answer.MUTED and event.open):
        return None
    wanted = [change for change in ORDER if change in event.pending and change in rule.on]
    if event.answer == Answer.ACKNOWLEDGED:
        wanted = [change for change in wanted if change is not EventChange.CONTINUED]
    if not event.open and not _ends(event, rule, wanted, catching_up=catching_up):
        return None
    return next(iter(wanted), None)


def _ends(
    event: Event, rule: AlertRule, wanted: Sequence[EventChange], *, catching_up: bool
) -> bool:
    """Whether somebody is to hear of an event that is closed."""
    if event.alerted is not None:
        return True
    lived = EventChange.OPENED in event.pending  # its whole life is news
    if catching_up and lived:
        return False
    if set(rule.on) == {EventChange.CLOSED}:
        return event.confirmed is not None
    return not {EventChange.OPENED, EventChange.CONFIRMED}.isdisjoint(wanted)


def _cools(event: Event, rule: AlertRule, now: datetime) -> bool:
    """Whether the last alert about an event is too recent for another one."""
    if event.alerted is None or rule.cool_down_days == 0:
        return False
    pause = timedelta(days=rule.cool_down_days)
    return not is_over(stamp(datetime.fromisoformat(event.alerted) + pause), now, pause)


def _kept(event: Event, *, cooling: bool) -> tuple[EventChange, ...]:
    """Return the changes that wait for the end of a pause; that an event continues does not."""
    if not (cooling and event.open):
        return ()
    return tuple(change for change in event.pending if change is not EventChange.CONTINUED)
