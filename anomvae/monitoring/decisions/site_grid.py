"""The grid of a site: the pixels of its first scene, and of later ones that are aligned with them.

A scene that is aligned, a whole number of pixels away, extends the canvas; any other one is warped
onto the canvas, nearest neighbour, or refused.  Where scenes have no georeference, those of one
shape are on one grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import GridMismatch
from ...files import PathText
from ...pixels.bands import Bands
from ...pixels.grid import Grid
from ...pixels.tiling import Window, shape_of
from ...raster import UNLIMITED, Georeference, open_raster
from ...raster.georeference import matrix_of
from ...raster.warped import overlaps, warped

if TYPE_CHECKING:
    from ...raster.raster_dataset import RasterDataset

CLOSE = 0.1
"""Pixels by which aligned pixels may lie apart."""
MOST_GROWTH = 16
"""Largest canvas, in multiples of the pixels of the first scene."""

Mode = Literal["warp", "refuse"]
Classes = NDArray[np.float32]
"""Values of a map of flags; NaN = no data."""
Offset = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True)
class SiteGrid:
    """The canvas of a site."""

    georeference: Georeference
    """Its shape and location."""
    base: tuple[int, int]
    """Rows and columns of the site's first scene."""
    origin: Offset = (0, 0)
    """Where that scene begins in the canvas."""

    @classmethod
    def of_scene(cls, georeference: Georeference) -> SiteGrid:
        """Return the grid of a site whose first scene is located so."""
        return cls(georeference, georeference.grid.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the canvas."""
        return self.georeference.grid.shape

    @property
    def first(self) -> Grid:
        """The grid of the first scene."""
        return _shifted(self.georeference.grid, self.origin, self.base)

    def offset(self, grid: Grid) -> Offset | None:
        """Return where an aligned grid begins in the canvas; None for any other one."""
        mine = self.georeference.grid
        if not (mine.located and grid.located):
            return self.origin if grid.shape == self.base else None
        if not _same_crs(mine, grid):
            return None
        matrix = np.linalg.inv(matrix_of(mine)) @ matrix_of(grid)
        rows, cols = grid.shape
        corners = np.array([[0, cols, 0, cols], [0, 0, rows, rows], [1, 1, 1, 1]], np.float64)
        moved = (matrix @ corners - corners)[:2]
        whole = np.round(moved[:, :1])
        if np.abs(moved - whole).max() > CLOSE:
            return None
        return int(whole[1, 0]), int(whole[0, 0])

    def including(self, grid: Grid, name: str) -> SiteGrid:
        """Return the canvas that a scene extends, if it is aligned.

        Raises
        ------
        GridMismatch
            If it would become too large.
        """
        at = self.offset(grid)
        if at is None:
            return self
        first = np.minimum(0, at)
        last = np.maximum(self.shape, np.add(at, grid.shape))
        rows, cols = (int(side) for side in last - first)
        if rows * cols > MOST_GROWTH * self.base[0] * self.base[1]:
            raise GridMismatch(
                f"{name} lies at row {at[0]}, column {at[1]} of its site's grid, so that this "
                f"would grow to {rows} x {cols} pixels, more than {MOST_GROWTH} times those of "
                f"the first scene. Watch it as a site of its own."
            )
        start = int(first[0]), int(first[1])
        grown = _shifted(self.georeference.grid, start, (rows, cols))
        origin = self.origin[0] - start[0], self.origin[1] - start[1]
        return replace(self, georeference=replace(self.georeference, grid=grown), origin=origin)

    def require_fitting(self, grid: Grid, name: str, mode: Mode) -> None:
        """Require that a scene is aligned, or may be warped onto the canvas.

        Raises
        ------
        GridMismatch
            If it does not.
        """
        if self.offset(grid) is not None:
            return
        if mode == "refuse":
            raise GridMismatch(
                f"{name} lies on another grid than its site ({_described(grid)}, not "
                f"{_described(self.first)}). Warp it there, or set grid = 'warp'."
            )
        mine = self.georeference.grid
        if not (grid.crs and mine.crs):
            raise GridMismatch(
                f"{name} lies on another grid than its site ({_described(grid)}, not "
                f"{_described(self.first)}), and has no coordinate reference system on both to "
                f"warp it by. Cut it to the pixels of the first scene."
            )
        if not overlaps(grid, mine):
            raise GridMismatch(
                f"{name} lies elsewhere than its site ({_described(grid)}, not "
                f"{_described(self.first)}). Watch it as a site of its own."
            )


@contextmanager
def placed(path: PathText, grid: SiteGrid, mode: Mode) -> Iterator[Callable[[Window], Classes]]:
    """Open a map of flags, and yield what reads a window of the canvas from it, axes (row, col).

    Raises
    ------
    RasterError
        If it cannot be read.
    GridMismatch
        If it does not fit the site.
    """
    with open_raster(path, access=UNLIMITED) as dataset:
        grid.require_fitting(dataset.grid, dataset.name, mode)
        at, first = grid.offset(dataset.grid), dataset.first()
        if at is not None:
            yield lambda window: read_shifted(dataset, first, at, window)[..., 0]
            return
        with warped(dataset, grid.georeference.grid, dataset.name, nearest=True) as source:
            yield lambda window: source.read(first, window)[..., 0]


def read_shifted(
    dataset: RasterDataset, bands: Bands, at: Offset, window: Window
) -> NDArray[np.float32]:
    """Read a window of a canvas from a raster that begins in it at ``at``; NaN beyond it."""
    values = np.full((*shape_of(window), len(bands)), np.nan, np.float32)
    ours, theirs = [], []
    for part, start, side in zip(window, at, dataset.grid.shape, strict=True):
        low, high = max(part.start, start), min(part.stop, start + side)
        if low >= high:
            return values
        ours.append(slice(low - part.start, high - part.start))
        theirs.append(slice(low - start, high - start))
    values[tuple(ours)] = dataset.read(bands, (theirs[0], theirs[1]))
    return values


def _shifted(grid: Grid, start: Offset, shape: tuple[int, int]) -> Grid:
    """Return the grid of ``shape`` that begins at a row and column of another one."""
    if not grid.located:
        return replace(grid, shape=shape)
    a, b, c, d, e, f = grid.transform
    row, col = start
    moved = (a, b, a * col + b * row + c, d, e, d * col + e * row + f)
    return replace(grid, shape=shape, transform=moved)


def _same_crs(one: Grid, other: Grid) -> bool:
    if one.epsg and other.epsg:
        return one.epsg == other.epsg
    return one.crs == other.crs


def _described(grid: Grid) -> str:
    rows, cols = grid.shape
    system = f"EPSG:{grid.epsg}, " if grid.epsg else ""
    numbers = ", ".join(f"{number:g}" for number in grid.transform)
    place = f", {system}transform {numbers}" if grid.located else ""
    return f"{rows} x {cols} pixels{place}"
