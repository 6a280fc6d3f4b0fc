"""What a watch reports of an eventful season, beside an alert for every anomalous scene.

Seasons of many seeds are watched (`benchmarks.eventful`).  One lasting change is to be reported of
each.  Haze, an offset of all values, greening, clouds that masks miss, shifted grids and an object
of one date are not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from anomvae.testing.eventful import MARGIN, Course, EventfulSeason, Spot, course
from benchmarks.eventful import DATES, KINDS, Record, Watched, watch
from benchmarks.record import Section, circumstances, publish, record_option

TITLE = "An eventful season under watch"
NEEDED = 9
"""Pixels of an object that confirm it: ``min_area_px``."""
PASSES = 2
"""Passes that confirm: K of ``confirm``."""


@dataclass(frozen=True)
class Findings:
    """What a watch made of one season; numbers of scenes, and counts."""

    confirmed: tuple[int, ...]
    """Numbers of the scenes that confirmed the lasting object: one, if all is well."""
    due: int | None
    """Number of the scene by which it was visible in enough valid passes; None: in too few."""
    vanishing: int
    """Confirmed events at the vanishing object."""
    elsewhere: int
    """Other confirmed events."""
    hazy: tuple[int, int]
    """Hazy scenes that are not comparable, and hazy scenes."""
    offset: tuple[int, int]
    """Those with an offset, likewise."""
    plain: tuple[int, int]
    """All others, likewise."""
    warned: bool
    """Whether a warning reported drift at the first scene with an offset."""
    early: int
    """Plain scenes before with such a warning."""
    alerts: int
    """Alerts without decisions: scenes with an object."""
    known: int
    """Events before the season."""
    events: int
    """Alerts of the season with decisions."""
    failed: int
    """Scenes that failed."""

    @property
    def in_time(self) -> bool:
        """Whether the lasting object was confirmed once, in as many valid passes as it needs."""
        return len(self.confirmed) == 1 and self.due is not None and self.confirmed[0] <= self.due


def findings(drawn: Course, watched: Watched) -> Findings:
    """Compare what a watch reports with what happened."""
    settings = drawn.season
    first = settings.offset_from
    incomparable = {n for n, outcome in watched.outcomes.items() if outcome == "not comparable"}
    offset = set(range(first, settings.scenes))
    plain = set(range(settings.scenes)) - offset - drawn.hazy
    confirmed = [event for event in watched.events if event.confirmed is not None]
    lasting, vanishing = (
        [event for event in confirmed if is_at(event, spot)] for spot in drawn.spots
    )
    return Findings(
        confirmed=tuple(_number(drawn, event) for event in lasting),
        due=due(drawn, watched, incomparable),
        vanishing=len(vanishing),
        elsewhere=len(confirmed) - len(lasting) - len(vanishing),
        hazy=(len(drawn.hazy & incomparable), len(drawn.hazy)),
        offset=(len(offset & incomparable), len(offset)),
        plain=(len(plain & incomparable), len(plain)),
        warned=watched.drifted.get(first, False),
        early=sum(watched.drifted.get(number, False) for number in plain),
        alerts=sum(objects > 0 for objects in watched.objects.values()),
        known=watched.known,
        events=watched.alerts,
        failed=len(watched.failed),
    )


def is_at(event: Record, spot: Spot) -> bool:
    """Return whether the boxes of an event and an object share half of the smaller one."""
    low, high = np.reshape(event.box, (2, 2)).T
    first, last = np.array([(side.start, side.stop) for side in spot]).T - MARGIN
    shared = (np.minimum(high, last) - np.maximum(low, first)).clip(0).prod()
    return bool(shared >= 0.5 * min((last - first).prod(), (high - low).prod()))


def due(drawn: Course, watched: Watched, incomparable: set[int]) -> int | None:
    """Return the scene by which enough pixels of the lasting object had enough valid passes."""
    passes = np.zeros(drawn.season.size, int)
    for number in range(drawn.season.lasting, drawn.season.scenes):
        visible = _visible(drawn, watched.valid[number], number)
        if number not in incomparable and visible.sum() >= NEEDED:
            passes += visible
        if (passes >= PASSES).sum() >= NEEDED:
            return number
    return None


def _visible(drawn: Course, valid: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """Return which pixels of the lasting object have data in a scene, by its own grid."""
    shift = drawn.shifts.get(number, (0.0, 0.0))
    sides = (
        np.arange(side.start, side.stop) - MARGIN - round(step)
        for side, step in zip(drawn.spots[0], shift, strict=True)
    )
    return valid[np.ix_(*sides)]


def _number(drawn: Course, event: Record) -> int:
    assert event.confirmed is not None
    return (event.confirmed - drawn.season.start).days // drawn.season.every


Count = Callable[[Sequence[Findings]], str]
"""Writes what all seeds have of something."""


def table(columns: Mapping[str, Sequence[Findings]]) -> Iterator[str]:
    """Write what the watches of each column report, all seeds together, as Markdown."""
    yield f"| | {' | '.join(columns)} |"
    yield "| --- |" + " --- |" * len(columns)
    for title, count in ROWS.items():
        cells = (count(seeds) for seeds in columns.values())
        yield f"| {title} | {' | '.join(cells)} |"


def _of(name: str) -> Count:
    def count(seeds: Sequence[Findings]) -> str:
        return str(sum(getattr(seed, name) for seed in seeds))

    return count


def _share_of(name: str) -> Count:
    def count(seeds: Sequence[Findings]) -> str:
        some, of = np.sum([getattr(seed, name) for seed in seeds], axis=0)
        return f"{some} of {of}"

    return count


def _seeds(holds: Callable[[Findings], bool]) -> Count:
    return lambda seeds: f"{sum(map(holds, seeds))} of {len(seeds)}"


ROWS: Mapping[str, Count] = {
    "seasons whose lasting object is confirmed once, in time": _seeds(lambda one: one.in_time),
    "... is confirmed at all": _seeds(lambda one: bool(one.confirmed)),
    "confirmed events at the object of one date": _of("vanishing"),
    "confirmed events elsewhere": _of("elsewhere"),
    "hazy scenes that are not comparable": _share_of("hazy"),
    "scenes with an offset that are not comparable": _share_of("offset"),
    "other scenes that are not comparable": _share_of("plain"),
    "seasons with a warning of drift at the first offset": _seeds(lambda one: one.warned),
    "other scenes before it with such a warning": _of("early"),
    "scenes that failed": _of("failed"),
    "events before the season": _of("known"),
    "alerts": _of("events"),
    "alerts without decisions: scenes with an object": _of("alerts"),
}


@click.command()
@click.option("--seeds", default=20, show_default=True, type=click.IntRange(1))
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), default=["model"])
@record_option
def main(seeds: int, kinds: tuple[str, ...], record: Path | None) -> None:
    """Watch eventful seasons, and count what is confirmed, not comparable, and warned of."""
    import torch

    torch.set_num_threads(1)
    start, found = circumstances(), {kind: list[Findings]() for kind in kinds}
    for seed in range(seeds):
        drawn = course(EventfulSeason(), seed)
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                found[kind].append(findings(drawn, watch(Path(folder) / kind, drawn, kind, seed)))
            click.echo(f"{seed} {kind}: {found[kind][-1]}", err=True)
    text = "\n".join([*_settings(EventfulSeason(), seeds), "", *table(found)])
    command = f"python benchmarks/season_events.py --seeds {seeds}"
    publish(Section("season-events", TITLE, command, f"{start}.\n\n{text}"), record)


def _settings(settings: EventfulSeason, seeds: int) -> Iterator[str]:
    rows, cols = settings.shape
    yield (
        f"{seeds} seasons of {settings.scenes} scenes, {rows} x {cols} pixels, "
        f"{len(settings.sensor.wavelengths)} bands, {settings.every} days apart, on one site each: "
        f"an object of {settings.size[0]} x {settings.size[1]} pixels from scene "
        f"{settings.lasting} on, another on one date alone, {settings.hazy} hazy scenes, "
        f"{settings.shifted} on a shifted grid, {settings.stray} with clouds that masks miss, "
        f"and {settings.offset:g} more in all values from scene {settings.offset_from} on. "
        f"`model` is the default, trained on {settings.archive} scenes before; `timeseries` "
        f"compares {DATES} dates. All rules are the defaults."
    )


if __name__ == "__main__":
    main()
