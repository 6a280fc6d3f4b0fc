"""What a pass changes about the events of a site.

Each cluster of active pixels of the persistence map is an event, by its number.  A number that is
new is opened; a cluster with enough confirmed pixels is confirmed, and stays so; one that exceeds
again is continued; an event without a cluster is closed.  Of events that grow together while they
form, the smallest number goes on (`numbering`).  What people rejected stays rejected: an event that
opens on its ground is, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..rule_tables import AlertRule
from .event import Answer, Cluster, Event, EventChange, EventStatus, Evidence
from .passes import ScenePass

SAME_PIXELS = 0.5
"""Least share of the tested pixels of an event that is confirmed, so that it is: passes show the
same object, not two that meet."""
SAME_GROUND = 0.5
"""Least share of the box of a new event in that of a rejected one, to be on its ground."""


@dataclass(frozen=True)
class AddedPass:
    """A pass over a site that its map has just taken in, or one that the map has just lost."""

    site: str
    scene: ScenePass
    continues: bool
    """Whether it may continue events: it is the newest of the site, and anomalous."""
    rule: AlertRule
    evidence: Callable[[Cluster], Evidence]
    """Returns what its scene shows of a cluster."""

    def events(
        self, recorded: Sequence[Event], clusters: Sequence[Cluster], merged: Mapping[int, int]
    ) -> tuple[Event, ...]:
        """Return the events that the pass changes, in the order of their numbers.

        Parameters
        ----------
        recorded
            The events of the site that are open, or rejected.
        clusters
            Those of the map with the pass; each number occurs once.
        merged
            Numbers of events that became part of another one, and that one's.
        """
        known = {event.number: event for event in recorded}
        after = [self._of(cluster, known.get(cluster.number), recorded) for cluster in clusters]
        active = {cluster.number for cluster in clusters}
        after += [
            self._closed(event, merged.get(event.number))
            for event in recorded
            if event.open and event.number not in active
        ]
        changed = (event for event in after if event != known.get(event.number))
        return tuple(sorted(changed, key=lambda event: event.number))

    def _of(self, cluster: Cluster, before: Event | None, recorded: Iterable[Event]) -> Event:
        """Return the event of a cluster."""
        if before is not None and before.open:
            event = self._continued(cluster, before)
        else:
            event = self._opened(cluster, recorded)
        if event.status is EventStatus.PROVISIONAL and is_confirmed(cluster, self.rule):
            event = replace(event, status=EventStatus.CONFIRMED, confirmed=self.scene.day)
            return _with(event, EventChange.CONFIRMED)
        return event

    def _opened(self, cluster: Cluster, recorded: Iterable[Event]) -> Event:
        rejected = (event for event in recorded if event.answer == Answer.REJECTED)
        on_rejected = any(
            cluster.box_px_in(event.cluster) >= SAME_GROUND * cluster.box_px for event in rejected
        )
        event = Event(
            site=self.site,
            cluster=cluster,
            status=EventStatus.PROVISIONAL,
            origin=self.scene.key.scene,
            evidence=self.evidence(cluster),
            answer=Answer.REJECTED if on_rejected else None,
        )
        return _with(event, EventChange.OPENED)

    def _continued(self, cluster: Cluster, before: Event) -> Event:
        event = replace(before, cluster=cluster)
        if not self.continues or cluster.last != self.scene.day:
            return event
        event = replace(event, evidence=self.evidence(cluster))
        return _with(event, EventChange.CONTINUED)

    def _closed(self, event: Event, into: int | None) -> Event:
        among = self.rule.needed[1]
        if into is None:
            reason = f"none of the last {among} valid passes over it exceeds"
            event = replace(event, cluster=replace(event.cluster, agreed=0, passes=among))
        else:
            reason = f"it is part of {self.site}-{into}"
        closed = replace(event, status=EventStatus.CLOSED, closed=self.scene.day, reason=reason)
        return _with(closed, EventChange.CLOSED)


def newly_confirmed(
    recorded: Iterable[Event], clusters: Iterable[Cluster], rule: AlertRule
) -> list[int]:
    """Return the numbers of the events that become confirmed, given what is recorded."""
    confirmed = {event.number for event in recorded if event.status is EventStatus.CONFIRMED}
    return [
        cluster.number
        for cluster in clusters
        if cluster.number not in confirmed and is_confirmed(cluster, rule)
    ]


def is_confirmed(cluster: Cluster, rule: AlertRule) -> bool:
    """Return whether as many pixels are confirmed as an object needs, and half of the tested ones.

    Where two clouds overlap, fewer agree.  Where clouds hide a part, fewer are tested.
    """
    if cluster.confirmed_px < max(rule.min_area_px, SAME_PIXELS * cluster.tested_px):
        return False
    if rule.min_area_m2 is None or cluster.area_m2 is None:
        return True
    return cluster.area_m2 * cluster.confirmed_px / cluster.area_px >= rule.min_area_m2


def _with(event: Event, change: EventChange) -> Event:
    """Return an event with a pending change, each once."""
    pending = (*(each for each in event.pending if each is not change), change)
    return replace(event, pending=pending)
