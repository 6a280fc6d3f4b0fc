"""Masks on the grid of a scene: the nearest pixel, also of coarser or finer ones.

Arrays have axes (row, col, band).  A mask that does not cover the scene is refused: it may be that
of another tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform

from ..errors import GridMismatch
from ..pixels.bands import Bands
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from .crs import crs_of
from .dataset import Dataset
from .gdal import reporting
from .georeference import matrix_of
from .raster_dataset import RasterDataset
from .warped import Warped, edge_of, warped

FINEST = 4
"""Pixels of a mask per pixel of the scene, along a side, that are read to choose one of them."""
ROUNDED = 6
"""Decimals of a position, pixels: the middle of a pixel may lie on the edge of another."""

Positions = NDArray[np.int_]


@dataclass(frozen=True)
class Nearest:
    """A dataset that is read on the pixels of a grid with the same axes."""

    source: Dataset
    """The dataset."""
    scale: tuple[float, float]
    """Its pixels per pixel of the grid, along rows and columns."""
    start: tuple[float, float]
    """Where the grid begins in it, pixels."""

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of a window of the grid; NaN = no data."""
        rows, cols = (self.positions(axis, part) for axis, part in enumerate(window))
        read = _around(rows), _around(cols)
        values = self.source.read(bands, read)
        return values[np.ix_(rows - read[0].start, cols - read[1].start)]

    def positions(self, axis: int, part: slice) -> Positions:
        """Return the rows (axis 0) or columns of the dataset for those of the grid."""
        last = self.source.grid.shape[axis] - 1
        return np.clip(np.floor(self.middles(axis, part)).astype(np.int_), 0, last)

    def middles(self, axis: int, part: slice) -> NDArray[np.float64]:
        """Return where the middles of pixels of the grid lie in the dataset, pixels."""
        middles = np.arange(part.start, part.stop) + 0.5
        return np.round(middles * self.scale[axis] + self.start[axis], ROUNDED)


MaskSource = Dataset | Nearest | Warped
"""What is read on the grid of a scene."""


@contextmanager
def on_grid(dataset: Dataset, scene: Dataset) -> Iterator[MaskSource]:
    """Bring a mask onto the grid of a scene.

    Raises
    ------
    GridMismatch
        When it does not cover the scene, or cannot be located on it.
    """
    try:
        scene.grid.require_same(dataset.grid, scene.name, dataset.name)
    except GridMismatch:
        nearest = _nearest(dataset, scene.grid)
        if nearest is not None:
            _require_covered(nearest, scene)
            yield nearest
            return
        located = bool(scene.grid.crs and dataset.grid.crs)
        if not (located and isinstance(dataset, RasterDataset)):
            raise
        _require_around(dataset, scene)
        with warped(dataset, scene.grid, scene.name, nearest=True) as source:
            yield source
    else:
        yield dataset


def _nearest(dataset: Dataset, grid: Grid) -> Nearest | None:
    """Return the nearest pixels, None where the axes differ or there would be too many to read."""
    mask = dataset.grid
    if not (mask.located and grid.located and same_crs(mask, grid)):
        return None
    matrix = np.linalg.inv(matrix_of(mask)) @ matrix_of(grid)
    (col_per_col, col_per_row, col), (row_per_col, row_per_row, row) = matrix[:2]
    turned = max(abs(col_per_row) * grid.shape[0], abs(row_per_col) * grid.shape[1])
    too_fine = max(abs(col_per_col), abs(row_per_row)) > FINEST and bool(mask.crs and grid.crs)
    if turned > 0.1 or too_fine:
        return None
    return Nearest(dataset, (float(row_per_row), float(col_per_col)), (float(row), float(col)))


def same_crs(mask: Grid, grid: Grid) -> bool:
    """Return whether two grids are in one coordinate reference system, or one is in an unknown."""
    known = mask.crs and grid.crs
    return not known or mask.crs == grid.crs or (mask.epsg == grid.epsg and bool(grid.epsg))


def _require_covered(nearest: Nearest, scene: Dataset) -> None:
    for axis in (0, 1):
        ends = nearest.middles(axis, slice(0, scene.grid.shape[axis]))[[0, -1]]
        if ends.min() < -0.5 or ends.max() > nearest.source.grid.shape[axis] + 0.5:
            raise _not_covered(nearest.source, scene)


def _require_around(dataset: Dataset, scene: Dataset) -> None:
    """Require that the edge of a scene lies on a mask of another projection."""
    edge = edge_of(scene.grid)
    with reporting(
        f"{dataset.name} cannot be located on {scene.name}", "Warp it there first (gdalwarp)."
    ):
        there = transform(crs_of(scene.grid.crs), crs_of(dataset.grid.crs), *edge)
    place = np.linalg.inv(matrix_of(dataset.grid)) @ [*there, np.ones(edge.shape[1])]
    limit = np.array(dataset.grid.shape[::-1], np.float64)[:, np.newaxis]
    inside = (place[:2] >= -1) & (place[:2] <= limit + 1)  # NaN and infinity are not
    if not inside.all():
        raise _not_covered(dataset, scene)


def _not_covered(mask: Dataset, scene: Dataset) -> GridMismatch:
    return GridMismatch(
        f"{_described(mask)} does not cover {_described(scene)}: it lies elsewhere, or shows "
        f"a part of it. Give the mask of this scene, on the whole of it."
    )


def _described(dataset: Dataset) -> str:
    rows, cols = dataset.grid.shape
    epsg = f", EPSG:{dataset.grid.epsg}" if dataset.grid.epsg else ""
    return f"{dataset.name} ({rows} x {cols} pixels{epsg})"


def _around(positions: Positions) -> slice:
    return slice(int(positions.min()), int(positions.max()) + 1)
