"""Planted changes in a series of dates, and who finds them.

The pixels of a place are put into classes by their whole series (k-means).  Then blocks of pixels
are given, from a known date on, the series of pixels of another class: forest that is water from
June on.  What is planted is real all the same, with its noise, clouds and seasons.

A detector is measured at the date of each change: the area under the ROC of the block's pixels
against all pixels that never change.  In protocol ``together`` it is fitted on the very series that
holds all changes, each at a date of its own; in ``before`` on the dates before the change alone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from anomvae.config import resolve_config
from anomvae.errors import ConfigError
from anomvae.fitting import train
from anomvae.pixels.dates import date_of
from anomvae.pixels.tiling import whole
from anomvae.pixels.views import Block
from anomvae.raster import Scene
from anomvae.stats.metrics import measure
from anomvae.stats.rx import fit_rx
from benchmarks.tables import as_table, spread

CLASSES = 5
BLOCKS = 8  # changes in a series
SIDE = 4  # of a block, pixels
APART = 2  # pixels between two blocks
FIRST = 8  # place of the first date that may change: all must have a past
STEPS = 2  # dates of changes in protocol ``before``: the first that may be one, and the newest

Map = NDArray[np.floating]
"""Scores or labels of a date, axes (row, col)."""


@dataclass(frozen=True)
class Change:
    """A block of pixels that are of another class from a date on."""

    date: int
    """Place of the first date at which they are, from 0."""
    where: NDArray[np.bool_]
    """The block, axes (row, col)."""


@dataclass(frozen=True)
class Trial:
    """What a detector is fitted on, and which changes it is to find where."""

    fitted: Sequence[Path]
    """Dates to fit on, oldest first."""
    scored: Sequence[Path]
    """Dates with the changes."""
    changes: Sequence[Change]
    """What was planted."""

    def labels(self, change: Change) -> Map:
        """Give 1 for the pixels of a change, 0 for those that never change, NaN for others."""
        planted = np.any([one.where for one in self.changes], axis=0)
        return np.where(change.where, 1.0, np.where(planted, np.nan, 0.0))


@dataclass(frozen=True)
class Found:
    """How well a detector did in a trial."""

    aucs: tuple[float, ...]
    """Area under the ROC for each change."""
    seconds: float
    """Time to fit and score."""


def dated(folder: Path) -> list[Path]:
    """List the rasters of a folder, oldest first.

    Raises
    ------
    ConfigError
        If a name tells no date, or there are too few.
    """
    days = {path: date_of(path.name) for path in folder.glob("*.tif")}
    lost = sorted(path.name for path, day in days.items() if day is None)
    if lost:
        raise ConfigError(f"{lost[0]} has no date in its name. Write it as place_2024-06-01.tif.")
    if len(days) <= FIRST + 1:
        raise ConfigError(
            f"{folder} holds {len(days)} dates; changes are planted from date {FIRST + 1} on. "
            f"Give more."
        )
    return sorted(days, key=lambda path: str(days[path]))


def read(dates: Sequence[Path]) -> Block:
    """Read whole rasters, axes (time, row, col, band)."""
    with Scene.of(dates).open() as opened:
        return opened.read(whole(opened.grid.shape))


def classes_of(block: Block) -> NDArray[np.intp]:
    """Put the pixels of a place into classes by their whole series, axes (row, col).

    Raises
    ------
    ConfigError
        If data lack anywhere: a class would then tell where.
    """
    from sklearn.cluster import KMeans

    if not np.isfinite(block).all():
        raise ConfigError("The series has pixels without data. Give one that is whole.")
    series = np.moveaxis(block, 0, 2).reshape(block.shape[1] * block.shape[2], -1)
    scaled = (series - series.mean(axis=0)) / (series.std(axis=0) + 1e-9)
    found = KMeans(CLASSES, n_init=5, random_state=0).fit_predict(scaled)
    return np.asarray(found, np.intp).reshape(block.shape[1:3])


def draw_changes(
    classes: NDArray[np.intp], dates: Sequence[int], rng: np.random.Generator
) -> tuple[list[Change], NDArray[np.intp]]:
    """Draw a change for each of ``dates``, and where each pixel's values come from since then.

    Returns
    -------
    list of Change
    array, axes (row, col)
        Place of the pixel, counted row by row, whose series it is given.
    """
    taken = np.zeros(classes.shape, bool)
    origin = np.arange(classes.size).reshape(classes.shape)
    changes: list[Change] = []
    while len(changes) < len(dates):
        row, col = (int(rng.integers(0, side - SIDE + 1)) for side in classes.shape)
        near = tuple(slice(max(0, at - APART), at + SIDE + APART) for at in (row, col))
        if taken[near].any():
            continue
        where = np.zeros(classes.shape, bool)
        where[row : row + SIDE, col : col + SIDE] = True
        usual = np.bincount(classes[where]).argmax()
        other = rng.choice(classes[classes != usual])
        origin[where] = rng.choice(np.flatnonzero(classes == other), size=SIDE * SIDE)
        taken |= where
        changes.append(Change(dates[len(changes)], where))
    return changes, origin


def planted(
    dates: Sequence[Path], changes: Sequence[Change], origin: NDArray[np.intp], folder: Path
) -> list[Path]:
    """Write copies of all dates with the changes; all that the files say stays."""
    import rasterio

    copies = []
    for number, path in enumerate(dates):
        copy = Path(shutil.copy(path, folder / path.name))
        with rasterio.open(copy, "r+") as raster:
            before = raster.read()
            values, flat = before.copy(), before.reshape(len(before), -1)
            for change in changes:
                if change.date <= number:
                    values[:, change.where] = flat[:, origin[change.where]]
            raster.write(values)
        copies.append(copy)
    return copies


def together(dates: Sequence[Path], seed: int, folder: Path) -> Iterator[Trial]:
    """Fit and score the same series, with changes at dates of their own."""
    rng = np.random.default_rng(seed)
    days = rng.integers(FIRST, len(dates), size=BLOCKS).tolist()
    changes, origin = draw_changes(classes_of(read(dates)), days, rng)
    copies = planted(dates, changes, origin, folder)
    yield Trial(copies, copies, changes)


def before(dates: Sequence[Path], seed: int, folder: Path) -> Iterator[Trial]:
    """Fit the dates before the changes, which all come at one date, and score that date."""
    classes, rng = classes_of(read(dates)), np.random.default_rng((seed, 1))
    for day in np.linspace(FIRST, len(dates) - 1, STEPS).round().astype(int).tolist():
        changes, origin = draw_changes(classes, [day] * BLOCKS, rng)
        copies = planted(dates[: day + 1], changes, origin, folder)
        yield Trial(copies[:day], copies, changes)


def learnt(config: str, trial: Trial, seed: int) -> list[Map]:
    """Train a configuration as a user would, and give the score at the date of each change."""
    detector = train(trial.fitted, resolve_config(config).config, seed)
    with Scene.of(trial.scored).open(detector.bands) as opened:
        scores = detector.score(opened.read(whole(opened.grid.shape))).total
    return [scores[change.date] for change in trial.changes]


def plain(score: Callable[[Block, int], Map], trial: Trial, seed: int) -> list[Map]:
    """Score the date of each change without training."""
    block = read(trial.scored)
    return [score(block, change.date) for change in trial.changes]


def deviation(block: Block, date: int, *, since: int | None = None) -> Map:
    """Square and sum the z-scores of the bands: spreads from each pixel's mean over dates."""
    known = block[:since] if since else block
    return _squares((block[date] - known.mean(axis=0)) / (known.std(axis=0) + 1e-6))


def deviation_from_past(block: Block, date: int) -> Map:
    """Take mean and spread from the dates before alone."""
    return deviation(block, date, since=date)


def difference(block: Block, date: int) -> Map:
    """Give global RX of the differences to the date before."""
    steps = (block[date] - block[date - 1]).reshape(-1, block.shape[-1])
    return np.asarray(fit_rx([steps]).score(steps)).reshape(block.shape[1:3])


def _squares(z: Block) -> Map:
    return np.asarray((z**2).sum(axis=-1))


DETECTORS: dict[str, Callable[[Trial, int], list[Map]]] = {
    "sequential, configuration timeseries": partial(learnt, "timeseries"),
    "vae, configuration default": partial(learnt, "default"),
    "z-score over all dates": partial(plain, deviation),
    "z-score over the dates before": partial(plain, deviation_from_past),
    "rx of the difference to the date before": partial(plain, difference),
}
PROTOCOLS = {"together": together, "before": before}


def measure_series(dates: Sequence[Path], protocol: str, seed: int) -> Iterator[tuple[str, Found]]:
    """Let every detector find the changes of a seed.

    Yields
    ------
    str, Found
        The detector, and how well it did in one of the trials.
    """
    with TemporaryDirectory() as folder:
        for trial in PROTOCOLS[protocol](dates, seed, Path(folder)):
            labels = [trial.labels(change) for change in trial.changes]
            for name, score in DETECTORS.items():
                start = time.perf_counter()
                maps = score(trial, seed)
                seconds = time.perf_counter() - start
                pairs = zip(labels, maps, strict=True)
                aucs = tuple(measure(truth, found).roc_auc for truth, found in pairs)
                yield name, Found(aucs, seconds)


def table(found: Mapping[str, Sequence[Sequence[Found]]]) -> str:
    """Write the mean AUC of each detector, given the trials of each seed, and its seconds."""
    import pandas as pd

    rows = []
    for name, seeds in found.items():
        means = [float(np.mean([one.aucs for one in trials])) for trials in seeds]
        seconds = np.median([one.seconds for trials in seeds for one in trials])
        rows.append([name, spread(pd.Series(means)), f"{seconds:.1f}"])
    return as_table(["detector", "AUC", "seconds, median"], rows)
