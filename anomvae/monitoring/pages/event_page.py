"""The page of an event: its story, what people answered, and its ground before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from ...words import area, counted
from ..decisions.event import Answer, Event, EventStatus
from .folder import PlannedFile
from .frame import Crumb, Frame, page
from .rows import AlertRow, SceneRow, SiteRows, comparable

if TYPE_CHECKING:
    from ...pages import Page
    from .crops import Ground

PASSES = 40
"""Scenes that the page of an event lists at most, the newest."""
LOOKED_BACK = 50
"""Scenes before an event among which one is sought that shows its ground."""
CANDIDATES = 4
"""Scenes that are opened for a picture at most, until one has data where the event is."""
ANSWERS = {
    Answer.ACKNOWLEDGED: "acknowledged: it is real, and known",
    Answer.MUTED: "muted: no alerts until it ends",
    Answer.REJECTED: "rejected: no anomaly, its ground gives no alert",
    "withdrawn": "answer taken back",
}
"""What an answer means."""
STATUS_KINDS = {
    EventStatus.CONFIRMED: "bad",
    EventStatus.PROVISIONAL: "doubtful",
    EventStatus.CLOSED: "quiet",
}
NEWS = {
    "opened": "Alert: it opened",
    "confirmed": "Alert: it is confirmed",
    "continued": "Alert: it continues",
    "closed": "Alert: it is closed",
}


@dataclass(frozen=True)
class Step:
    """A step of the story of an event."""

    when: str
    """A day, or a time in UTC."""
    title: str
    text: str
    address: str | None = None
    """Of the page of a scene."""


@dataclass(frozen=True)
class Shot:
    """A picture of the ground of an event."""

    source: str
    title: str
    text: str
    address: str


@dataclass(frozen=True)
class EventPage:
    """What the page of an event is made of."""

    frame: Frame
    site: SiteRows
    event: Event
    ground: Ground | None
    """Where its pictures come from; None: the site is not watched any more."""

    @property
    def shown_by(self) -> SceneRow | None:
        """The newest scene that shows it."""
        return self.site.by_name.get(self.event.evidence.scene)

    @property
    def opened_by(self) -> SceneRow | None:
        """The scene that opened it."""
        return self.site.by_name.get(self.event.origin)

    @cached_property
    def before(self) -> list[SceneRow]:
        """The newest comparable scenes before it began, the newest first."""
        day = self.event.cluster.first - timedelta(days=1)
        earlier = self.site.scored_within("", day.isoformat())[-LOOKED_BACK:]
        return [row for row in reversed(earlier) if comparable(row)][:CANDIDATES]

    @cached_property
    def passes(self) -> list[SceneRow]:
        """The scored scenes from its begin to the newest one that shows it, the newest first."""
        first, last = self.event.cluster.first.isoformat(), self.event.cluster.last.isoformat()
        return list(reversed(self.site.scored_within(first, last)[-PASSES:]))

    @property
    def after(self) -> list[SceneRow]:
        """The newest comparable scenes that may show it, the one that does first."""
        shown = self.shown_by
        others = [row for row in self.passes if row is not shown and comparable(row)]
        return [*([] if shown is None else [shown]), *others][:CANDIDATES]

    def planned(self) -> PlannedFile:
        """Plan the page."""
        name = self.event.name
        rows = (*self.before, self.opened_by, self.shown_by, *self.passes)
        inputs = (
            self.event,
            self.event.evidence,
            self.frame.rows.answers.get(name, ()),
            self.frame.rows.alerts.get(name, ()),
            [None if row is None else row.digest for row in rows],
        )
        path = f"sites/{self.site.slug}/events/{self.event.number}.html"
        return self.frame.planned(path, inputs, self.made)

    def made(self) -> Page:
        """Make the page."""
        event, answers = self.event, self.frame.rows.answers.get(self.event.name, ())
        values = {
            "crumbs": (
                Crumb("All sites", "../../../index.html"),
                Crumb(self.site.name, "../index.html"),
            ),
            "event": event,
            "kind": STATUS_KINDS[event.status],
            "headline": self._headline(),
            "answer": ANSWERS[event.answer] if event.answer else None,
            "last_answer": answers[-1] if answers else None,
            "shots": self._shots(),
            "ground": list(self._shown_steps()),
            "people": list(self._people_steps()),
            "facts": list(self._facts()),
            "bands": event.evidence.bands,
            "passes": [(row, address_of_scene(row)) for row in self.passes],
        }
        return page(f"Event {event.name}", "event.html", values)

    def _headline(self) -> str:
        event, cluster = self.event, self.event.cluster
        ground = "" if cluster.area_m2 is None else f" ({area(cluster.area_m2)})"
        size = f"{counted(cluster.area_px, 'pixel')}{ground}"
        if event.status is EventStatus.CLOSED:
            last = f"It covered {size}, and was found last on {cluster.last}."
            return f"Closed on {event.closed}. {last}"
        return (
            f"{cluster.agreed} of the last {counted(cluster.passes, 'valid pass', 'valid passes')} "
            f"over it show it, the newest on {cluster.last}. It covers {size}."
        )

    def _shown_steps(self) -> Iterator[Step]:
        """Yield what the scenes show, by days of acquisition."""
        event, cluster = self.event, self.event.cluster
        opened, shown = self.opened_by, self.shown_by
        yield Step(
            cluster.first.isoformat(),
            "Opened, provisional",
            "First scene that shows it" + (f": {opened.source}" if opened else ""),
            None if opened is None else address_of_scene(opened),
        )
        if event.confirmed is not None:
            config = self.frame.site_config(self.site.name)
            rule = "enough" if config is None else config.alert.confirm
            yield Step(
                event.confirmed.isoformat(), "Confirmed", f"{rule} valid passes over it show it"
            )
        if cluster.last > cluster.first:
            yield Step(
                cluster.last.isoformat(),
                "Last shown",
                f"by {event.evidence.scene}",
                None if shown is None else address_of_scene(shown),
            )
        if event.closed is not None:
            yield Step(event.closed.isoformat(), "Closed", event.reason or "")

    def _people_steps(self) -> Iterator[Step]:
        """Yield alerts and answers, by the clock."""
        name = self.event.name
        steps = [_alerted(alert) for alert in self.frame.rows.alerts.get(name, ())]
        steps += [
            Step(
                one.at,
                f"{one.answer.capitalize()} by {one.by}",
                f"{one.reason}",
            )
            for one in self.frame.rows.answers.get(name, ())
        ]
        yield from sorted(steps, key=lambda step: step.when)

    def _facts(self) -> Iterator[tuple[str, str]]:
        cluster, evidence = self.event.cluster, self.event.evidence
        yield "Status", self.event.status.value
        yield "Pixels", f"{cluster.area_px:,}, of which {cluster.confirmed_px:,} confirmed"
        if cluster.area_m2 is not None:
            yield "Area", area(cluster.area_m2)
        top, bottom, left, right = cluster.box
        yield "Place", f"rows {top} to {bottom}, columns {left} to {right} of the first scene"
        if (centre := _centre(cluster.geometry)) is not None:
            yield "Longitude, latitude", f"{centre[0]:.5f}, {centre[1]:.5f}"
        if evidence.score_max is not None:
            yield "Highest score", f"{evidence.score_max:.4g}"
        if evidence.margin is not None:
            yield "Above the threshold by", f"{evidence.margin:.4g}"
        if evidence.p is not None:
            yield "P-value", f"{evidence.p:.2g}"

    def _shots(self) -> list[Shot]:
        from ...pages import picture

        if self.ground is None:
            return []
        crops = self.ground.crops(self.event, (self.before, self.after))
        return [
            Shot(
                picture(crop.image),
                f"{title}, {crop.row.day}",
                f"{crop.row.source}, from the {crop.origin}",
                address_of_scene(crop.row),
            )
            for title, crop in zip(("Before", "After"), crops, strict=True)
            if crop is not None
        ]


def event_pages(frame: Frame, site: SiteRows) -> Iterator[PlannedFile]:
    """Plan the pages of all events of a site."""
    from .crops import Ground

    config = frame.site_config(site.name)
    ground = None if config is None else Ground(config)
    for event in site.events:
        yield EventPage(frame, site, event, ground).planned()


def address_of_scene(row: SceneRow) -> str:
    """Return the address of the page of a scene, relative to that of an event of its site."""
    return f"../scenes/{row.name}.html"


def _alerted(alert: AlertRow) -> Step:
    sent = [f"sent to {one.channel}" for one in alert.deliveries if one.sent is not None]
    waiting = [
        f"waits for {one.channel}" + (f" ({one.error})" if one.error else "")
        for one in alert.deliveries
        if one.sent is None
    ]
    title = NEWS.get(alert.change, f"Alert: {alert.change}")
    return Step(alert.made, title, "; ".join([*waiting, *sent]) or "for no receiver")


def _centre(geometry: object) -> tuple[float, float] | None:
    """Return longitude and latitude of the middle of an outline."""
    points = list(_points(geometry.get("coordinates") if hasattr(geometry, "get") else None))
    if not points:
        return None
    middles = [(min(axis) + max(axis)) / 2 for axis in zip(*points, strict=True)]
    return (middles[0] + 180) % 360 - 180, middles[1]


def _points(node: object) -> Iterator[Sequence[float]]:
    if not isinstance(node, list | tuple):
        return
    if len(node) >= 2 and all(isinstance(number, int | float) for number in node):
        yield node[:2]
        return
    for item in node:
        yield from _points(item)
