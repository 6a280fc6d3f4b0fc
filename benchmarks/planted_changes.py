"""Changes planted in a series of dates, and the dates to fit and score detectors of them on.

K-means classifies the pixels of a place by their whole series.  From a known date on, blocks of
pixels get the series of pixels of another class: forest turns into water in June.  The planted
values are measured ones, with their noise, clouds and seasons.

In protocol ``together`` a detector is fitted on the same series with all changes, at several dates;
in ``before`` only on the dates before the change.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomvae.errors import ConfigError
from anomvae.pixels.dates import date_of
from anomvae.pixels.tiling import whole
from anomvae.pixels.views import Block
from anomvae.raster import Scene

CLASSES = 5
BLOCKS = 8  # changes in a series
SIDE = 4  # of a block, pixels
APART = 2  # pixels between two blocks
FIRST = 8  # index of the first date of a change, after enough dates without
STEPS = 2  # dates of changes in protocol ``before``: the first possible one, and the newest

Map = NDArray[np.floating]
"""Scores or labels of a date, axes (row, col)."""


@dataclass(frozen=True)
class Change:
    """A block of pixels that belong to another class from a date on."""

    date: int
    """Index of this date, from 0."""
    mask: NDArray[np.bool_]
    """The block, axes (row, col)."""


@dataclass(frozen=True)
class Trial:
    """The dates to fit on, and the dates and changes to measure on."""

    fitted: Sequence[Path]
    """Dates to fit on, oldest first."""
    scored: Sequence[Path]
    """Dates with the changes."""
    changes: Sequence[Change]

    def labels(self, change: Change) -> Map:
        """Return 1 at the pixels of a change, 0 where no change is, NaN at other changes."""
        return self._labels([change])

    def labels_of(self, date: int) -> Map:
        """Return 1 at the pixels that change at a date, 0 where no change is, NaN at others."""
        return self._labels([one for one in self.changes if one.date == date])

    def _labels(self, changes: Sequence[Change]) -> Map:
        planted, chosen = (
            np.any([one.mask for one in some], axis=0) for some in (self.changes, changes)
        )
        return np.where(chosen, 1.0, np.where(planted, np.nan, 0.0))


def dated(folder: Path) -> list[Path]:
    """Return the rasters of a folder, oldest first.

    Raises
    ------
    ConfigError
        If a name has no date, or there are too few dates.
    """
    days = {path: date_of(path.name) for path in folder.glob("*.tif")}
    undated = sorted(path.name for path, day in days.items() if day is None)
    if undated:
        raise ConfigError(
            f"{undated[0]} has no date in its name. Write it as place_2024-06-01.tif."
        )
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
    """Classify the pixels of a place by their whole series, axes (row, col).

    Raises
    ------
    ConfigError
        If any value is missing: the classes would depend on the gaps.
    """
    from sklearn.cluster import KMeans

    if not np.isfinite(block).all():
        raise ConfigError("The series has pixels without data. Give one that is whole.")
    series = np.moveaxis(block, 0, 2).reshape(block.shape[1] * block.shape[2], -1)
    scaled = (series - series.mean(axis=0)) / (series.std(axis=0) + 1e-9)
    classes = KMeans(CLASSES, n_init=5, random_state=0).fit_predict(scaled)
    return np.asarray(classes, np.intp).reshape(block.shape[1:3])


Choice = Callable[[NDArray[np.intp], int, np.random.Generator], int]
"""Returns the class that replaces a class, given the classes of all pixels."""


def any_other(classes: NDArray[np.intp], majority: int, rng: np.random.Generator) -> int:
    """Draw another class, by the number of its pixels."""
    return int(rng.choice(classes[classes != majority]))


def draw_changes(
    classes: NDArray[np.intp],
    dates: Sequence[int],
    rng: np.random.Generator,
    side: int = SIDE,
    choose: Choice = any_other,
) -> tuple[list[Change], NDArray[np.intp]]:
    """Draw a change at each of ``dates``, and the pixels whose series replace the others.

    A change is a block of ``side`` by ``side`` pixels, of the class that ``choose`` returns.

    Returns
    -------
    list of Change
    array, axes (row, col)
        Flat index of the pixel whose series replaces that of each pixel.
    """
    taken = np.zeros(classes.shape, bool)
    origin = np.arange(classes.size).reshape(classes.shape)
    changes: list[Change] = []
    while len(changes) < len(dates):
        row, col = (int(rng.integers(0, length - side + 1)) for length in classes.shape)
        near = tuple(slice(max(0, at - APART), at + side + APART) for at in (row, col))
        if taken[near].any():
            continue
        mask = np.zeros(classes.shape, bool)
        mask[row : row + side, col : col + side] = True
        other = choose(classes, int(np.bincount(classes[mask]).argmax()), rng)
        origin[mask] = rng.choice(np.flatnonzero(classes == other), size=side * side)
        taken |= mask
        changes.append(Change(dates[len(changes)], mask))
    return changes, origin


def planted(
    dates: Sequence[Path], changes: Sequence[Change], origin: NDArray[np.intp], folder: Path
) -> list[Path]:
    """Write copies of all dates with the changes; return their paths."""
    import rasterio

    copies = []
    for number, path in enumerate(dates):
        copy = Path(shutil.copy(path, folder / path.name))
        with rasterio.open(copy, "r+") as raster:
            before = raster.read()
            values, flat = before.copy(), before.reshape(len(before), -1)
            for change in changes:
                if change.date <= number:
                    values[:, change.mask] = flat[:, origin[change.mask]]
            raster.write(values)
        copies.append(copy)
    return copies


def together(dates: Sequence[Path], seed: int, folder: Path) -> Iterator[Trial]:
    """Yield one trial: fit and score the same series, with changes at several dates."""
    rng = np.random.default_rng(seed)
    days = rng.integers(FIRST, len(dates), size=BLOCKS).tolist()
    changes, origin = draw_changes(classes_of(read(dates)), days, rng)
    copies = planted(dates, changes, origin, folder)
    yield Trial(copies, copies, changes)


def before(dates: Sequence[Path], seed: int, folder: Path) -> Iterator[Trial]:
    """Yield trials whose changes share one date: fit the dates before it, score that date."""
    classes, rng = classes_of(read(dates)), np.random.default_rng((seed, 1))
    for day in np.linspace(FIRST, len(dates) - 1, STEPS).round().astype(int).tolist():
        changes, origin = draw_changes(classes, [day] * BLOCKS, rng)
        copies = planted(dates[: day + 1], changes, origin, folder)
        yield Trial(copies[:day], copies, changes)


PROTOCOLS = {"together": together, "before": before}
