"""A real series of one place under watch: what is confirmed that is there, and that is not.

The dates arrive one by one, and the monitor makes a pass after each.  The site compares dates, and
all rules are the defaults.  First the series as it is: every confirmed event is listed, with the
scenes that are not comparable.  Then copies, in each of which a block of pixels has the series of
the most different class from a date on (`benchmarks.planted_changes`), and with ``--random`` that
of any other class: how many valid passes confirm it::

    python benchmarks/change_watch.py DIR --seeds 5
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError
from anomvae.monitoring.config import MonitorConfig
from anomvae.monitoring.database import opened_to_read
from anomvae.pixels.dates import date_of
from anomvae.pixels.views import Block
from benchmarks.nights import silent_pass
from benchmarks.planted_changes import (
    Change,
    any_other,
    classes_of,
    dated,
    draw_changes,
    planted,
    read,
)
from benchmarks.record import Section, circumstances, publish, record_option

SIDE = 6
"""Side of a planted change, pixels."""
DATES = 9
"""Dates per scene: the scene and those before it."""
PASSES = 3
"""Valid passes within which a change is to be confirmed; it has at least so many."""
INCOMPARABLE = "not comparable"
CHANGES = {"the most different class": True, "any other class": False}
"""What a change is, and whether that is the most different class."""


@dataclass(frozen=True)
class Confirmed:
    """A confirmed event."""

    day: date
    """Day of the pass that confirmed it."""
    box: tuple[int, int, int, int]
    """First and last row, first and last column, inclusive."""
    pixels: int
    """As it was last."""

    def meets(self, mask: NDArray[np.bool_]) -> bool:
        """Return whether its box holds pixels of a mask."""
        top, bottom, left, right = self.box
        return bool(mask[top : bottom + 1, left : right + 1].any())


@dataclass(frozen=True)
class Watched:
    """What a watch made of a series."""

    outcomes: Mapping[date, str]
    """The outcome of each scored date."""
    confirmed: Sequence[Confirmed]

    def passes_until(self, first: date, mask: NDArray[np.bool_]) -> int | None:
        """Return the valid passes from ``first`` on that confirm what meets a mask; None: none."""
        days = [event.day for event in self.confirmed if event.meets(mask) and event.day >= first]
        if not days:
            return None
        until = min(days)
        return sum(
            first <= day <= until and outcome != INCOMPARABLE
            for day, outcome in self.outcomes.items()
        )

    def elsewhere(self, mask: NDArray[np.bool_]) -> int:
        """Return the number of confirmed events that do not meet a mask."""
        return sum(not event.meets(mask) for event in self.confirmed)


def watch(dates: Sequence[Path], root: Path) -> Watched:
    """Let the dates arrive in a folder of ``root``, and make a pass after each."""
    (root / "in").mkdir()
    config = monitor_config(root)
    outcomes: dict[date, str] = {}
    for path in dates:
        shutil.copy(path, root / "in")
        day = _day(path)
        run(config, day)
    with opened_to_read(root / "state") as database:
        scenes = database.execute("SELECT taken, outcome FROM scenes WHERE status = 'done'")
        outcomes = {date.fromisoformat(row["taken"]): row["outcome"] for row in scenes}
        events = database.execute(
            "SELECT confirmed, box, area_px FROM events WHERE confirmed IS NOT NULL ORDER BY number"
        ).fetchall()
        failed = database.execute("SELECT error FROM scenes WHERE status = 'failed'").fetchall()
    if failed:
        raise AnomvaeError(f"{len(failed)} scenes failed: {failed[0]['error']}")
    confirmed = [
        Confirmed(date.fromisoformat(when), tuple(json.loads(box)), pixels)
        for when, box, pixels in map(tuple, events)
    ]
    return Watched(outcomes, confirmed)


def monitor_config(root: Path) -> MonitorConfig:
    """Return the configuration of a watch: rules and thresholds are the defaults."""
    folder = {"path": "in", "stable_seconds": 0}
    site = {"name": "site", "out": "maps", "dates": DATES, "folder": folder}
    tables = {"site": [site], "alerts": {"stdout": False}, "state": "state"}
    return MonitorConfig.read(tables, folder=root)


def run(config: MonitorConfig, day: date) -> None:
    """Make the pass of a day, silently."""
    silent_pass(config, datetime(day.year, day.month, day.day, 18, tzinfo=UTC))


def most_different(block: Block, classes: NDArray[np.intp], majority: int) -> int:
    """Return the class whose mean series is furthest, in standard deviations within classes."""
    series = np.moveaxis(block, 0, 2).reshape(classes.size, -1)
    groups = [series[classes.ravel() == number] for number in np.unique(classes)]
    means = np.stack([group.mean(axis=0) for group in groups])
    within = np.sqrt(np.mean([group.var(axis=0) for group in groups], axis=0)) + 1e-9
    return int((((means - means[majority]) / within) ** 2).sum(axis=1).argmax())


@dataclass(frozen=True)
class Planted:
    """A change in a copy of a series, and what a watch made of it."""

    first: date
    passes: int | None
    """Valid passes that confirmed it; None: none did."""
    elsewhere: int
    """Confirmed events that do not meet it."""


def plant_and_watch(dates: Sequence[Path], seed: int, *, furthest: bool) -> Planted:
    """Plant a change of the most different class, or any other one, at a date that is drawn."""
    block = read(dates)
    classes, rng = classes_of(block), np.random.default_rng((seed, 2))
    first = int(rng.integers(DATES - 1, len(dates) - PASSES))

    def choose(classes: NDArray[np.intp], majority: int, rng: np.random.Generator) -> int:
        if furthest:
            return most_different(block[first:], classes, majority)
        return any_other(classes, majority, rng)

    changes, origin = draw_changes(classes, [first], rng, SIDE, choose)
    with TemporaryDirectory() as folder:
        copies, root = Path(folder, "copies"), Path(folder, "watch")
        copies.mkdir()
        root.mkdir()
        watched = watch(planted(dates, changes, origin, copies), root)
    return _result(watched, changes[0], _day(dates[first]))


def _result(watched: Watched, change: Change, first: date) -> Planted:
    return Planted(first, watched.passes_until(first, change.mask), watched.elsewhere(change.mask))


def _day(path: Path) -> date:
    day = date_of(path.name)
    assert day is not None  # `dated` refuses others
    return day


def report(
    dates: Sequence[Path], whole: Watched, results: Mapping[str, Sequence[Planted]]
) -> Iterator[str]:
    """Write what the watches found, as Markdown."""
    incomparable = [str(day) for day, one in whole.outcomes.items() if one == INCOMPARABLE]
    yield (
        f"{len(dates)} dates, `dates = {DATES}`, default rules (2 of 3 valid passes, 9 pixels). "
        f"As it is: {len(whole.confirmed)} confirmed events"
        f"{''.join(f', {one.day}: {one.pixels} pixels at {one.box}' for one in whole.confirmed)}; "
        f"not comparable: {', '.join(incomparable) or 'none'}."
    )
    yield ""
    yield (
        f"| a change of {SIDE * SIDE} pixels to | confirmed within {PASSES} valid passes "
        f"| valid passes | confirmed elsewhere |"
    )
    yield "| --- | --- | --- | --- |"
    for title, seeds in results.items():
        within = sum(one.passes is not None and one.passes <= PASSES for one in seeds)
        passes = ", ".join("-" if one.passes is None else str(one.passes) for one in seeds)
        elsewhere = sum(one.elsewhere for one in seeds)
        yield f"| {title} | {within} of {len(seeds)} | {passes} | {elsewhere} |"


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option("--random", is_flag=True, help="Plant changes of classes that are drawn, too.")
@record_option
def main(folder: Path, seeds: int, random: bool, record: Path | None) -> None:
    """Watch the dates in FOLDER, as they are and with planted changes."""
    import torch

    torch.set_num_threads(1)
    start = circumstances()
    try:
        dates = dated(folder)
        with TemporaryDirectory() as root:
            whole = watch(dates, Path(root))
        click.echo(str(whole), err=True)
        results: dict[str, list[Planted]] = {}
        for title, furthest in list(CHANGES.items())[: 1 + random]:
            trial = partial(plant_and_watch, dates, furthest=furthest)
            results[title] = []
            for seed in range(seeds):
                results[title].append(trial(seed))
                click.echo(f"{title} {seed}: {results[title][-1]}", err=True)
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    text = "\n".join([f"{start}.", "", *report(dates, whole, results)])
    command = f"python benchmarks/change_watch.py {folder.name} --seeds {seeds}"
    publish(Section("change-watch", "A real series under watch", command, text), record)


if __name__ == "__main__":
    main()
