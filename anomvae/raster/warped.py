"""A raster warped to the grid of a scene; arrays have axes (row, col, band).

GDAL warps with exact coordinates.  Its rounding depends on which pixels it warps together, so
pixels are always warped in the same blocks of the grid: no value depends on the tiling.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

from ..errors import RasterError
from ..pixels.bands import Bands
from ..pixels.grid import Grid
from ..pixels.tiling import Tile, Window
from .alpha import AlphaBands, declared_alphas
from .crs import crs_of, transformed
from .gdal import GDAL_ERRORS, reporting
from .georeference import matrix_of
from .raster_dataset import RasterDataset
from .validity import validity_of

SIDE = 256
"""Side of the blocks, pixels: that of GDAL's blocks in most files."""
PER_SIDE = 21
"""Points on each side of a raster whose place on another grid is computed."""
TOLERANCE = 1e-6
"""Error of a coordinate, pixels; with 0 rasterio does not transform at all."""


@dataclass(frozen=True)
class Warped:
    """A raster that is read on the pixels of another grid."""

    source: RasterDataset
    """The raster as a virtual raster of GDAL on that grid."""
    side: int = SIDE
    """Side of the blocks that are warped together, pixels."""

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of a window of the grid; NaN = no data, or outside the raster."""
        rows, cols = map(self._blocks, window, self.source.grid.shape)
        strips = [
            np.concatenate([self.source.read(bands, (row, col)) for col in cols], axis=1)
            for row in rows
        ]
        read = slice(rows[0].start, rows[-1].stop), slice(cols[0].start, cols[-1].stop)
        return np.concatenate(strips)[Tile(keep=window, read=read).inner]

    def _blocks(self, part: slice, length: int) -> list[slice]:
        """Return the blocks along an axis that overlap a part of it."""
        starts = range(part.start // self.side * self.side, part.stop, self.side)
        return [slice(start, min(start + self.side, length)) for start in starts]


@contextmanager
def warped(source: RasterDataset, grid: Grid, scene: str, *, nearest: bool) -> Iterator[Warped]:
    """Warp a raster to the grid of a scene; both have a coordinate reference system.

    The result is the nearest pixel, as classes need, or else the weighted mean of the four pixels
    around; where the raster is finer than the scene, of all that a pixel of the scene covers.

    Raises
    ------
    RasterError
        When GDAL cannot transform one coordinate reference system into the other, or takes a band
        of data as alpha.
    """
    dataset = source.handle
    for index in source.validity.alpha_data:  # GDAL would mask pixels by it
        raise RasterError(
            f"{source.name} declares band {index} as alpha, but it has many values: it cannot be "
            f"warped to the grid of {scene} as data. Declare it as data "
            f"(gdal_edit.py -colorinterp_{index} undefined)."
        )
    alpha = next(iter(source.validity.alphas), None)
    validity = {"src_alpha": alpha} if alpha else {"add_alpha": dataset.nodata is None}
    with reporting(
        f"{source.name} cannot be brought onto the grid of {scene}",
        "Warp it there first (gdalwarp -t_srs -te -ts).",
    ):
        across, down = _pixels_per_pixel(source.grid, grid)
        vrt = WarpedVRT(
            dataset,
            crs=crs_of(grid.crs),
            transform=Affine(*grid.transform),
            height=grid.shape[0],
            width=grid.shape[1],
            resampling=Resampling.nearest if nearest else Resampling.bilinear,
            tolerance=TOLERANCE,
            dtype="float64",  # integers would round to steps
            # GDAL would estimate them for each block.
            XSCALE=min(1.0, 1 / across),
            YSCALE=min(1.0, 1 / down),
            **validity,
        )
    with vrt:
        yield Warped(
            replace(
                source,
                handle=vrt,
                grid=grid,
                validity=validity_of(vrt, source.bands, AlphaBands(declared_alphas(vrt), ())),
                reopen=partial(_reopened, source, grid, scene, nearest=nearest),
            )
        )


@contextmanager
def _reopened(
    source: RasterDataset, grid: Grid, scene: str, *, nearest: bool
) -> Iterator[RasterDataset]:
    with source.reopen() as again, warped(again, grid, scene, nearest=nearest) as result:
        yield result.source


def edge_of(grid: Grid) -> NDArray[np.float64]:
    """Return points on the edge of a grid, axes (coordinate, point): x, y."""
    along, (rows, cols) = np.linspace(0, 1, PER_SIDE), grid.shape
    sides = [(along, 0 * along), (along, 0 * along + 1), (0 * along, along), (0 * along + 1, along)]
    edge = np.hstack([[col * cols, row * rows, np.ones(PER_SIDE)] for col, row in sides])
    return np.asarray((matrix_of(grid) @ edge)[:2])


def overlaps(source: Grid, target: Grid) -> bool:
    """Return whether the box around a raster meets a grid; both have a reference system."""
    try:
        systems = crs_of(source.crs), crs_of(target.crs)
        there = transformed(*systems, edge_of(source).T)
    except GDAL_ERRORS:  # there is no transformation between them
        return False
    there = there[np.isfinite(there).all(axis=1)]
    place = (np.linalg.inv(matrix_of(target)) @ [*there.T, np.ones(len(there))])[:2]
    if not place.size:
        return False
    low, high, sides = place.min(axis=1), place.max(axis=1), np.array(target.shape[::-1])
    return bool((low < sides).all() and (high > 0).all())


def _pixels_per_pixel(source: Grid, target: Grid) -> tuple[float, float]:
    """Count source pixels along a row and a column of the middle pixel of the target."""
    rows, cols = target.shape
    middle = np.array([[cols / 2, cols / 2 + 1, cols / 2], [rows / 2, rows / 2, rows / 2 + 1]])
    systems = crs_of(target.crs), crs_of(source.crs)
    located = transform(*systems, *(matrix_of(target) @ [*middle, np.ones(3)])[:2])
    centre, right, below = (np.linalg.inv(matrix_of(source)) @ [*located, np.ones(3)])[:2].T
    steps = np.hypot(*np.transpose([right - centre, below - centre]))
    # The middle may lie outside the reference system of the source.
    usable = np.where(np.isfinite(steps) & (steps > 0), steps, 1.0)
    return float(usable[0]), float(usable[1])
