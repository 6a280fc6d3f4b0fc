"""A raster on the grid of another one; arrays have axes (row, col, band).

GDAL warps with exact coordinates.  How it rounds depends on which pixels it warps together, so they
are always warped in the same blocks of the scene's grid: tiles do not show in a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

from ..pixels.bands import Bands
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from .dataset import Dataset
from .description import alpha_indexes
from .gdal import reporting
from .validity import validity_of

SIDE = 256
"""Side of the blocks, pixels: that of GDAL's own in most files."""
EXACT = 1e-6
"""Pixels by which a coordinate may be off; rasterio takes 0 for no transformation at all."""


@dataclass(frozen=True)
class Warped:
    """A raster that is read in the pixels of another grid."""

    source: Dataset
    """The raster as GDAL shows it on that grid."""

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read some bands of a window of the grid; NaN = no data, or outside the raster.

        Raises
        ------
        RasterError
            If the file is damaged there.
        """
        rows, cols = window
        found = np.empty((rows.stop - rows.start, cols.stop - cols.start, len(bands)), np.float32)
        for block in product(*map(_blocks, window, self.source.grid.shape)):
            values = self.source.read(bands, (block[0], block[1]))
            shared = [_shared(part, own) for part, own in zip(block, window, strict=True)]
            here = tuple(_from(part, own.start) for part, own in zip(shared, window, strict=True))
            there = tuple(_from(part, own.start) for part, own in zip(shared, block, strict=True))
            found[here] = values[there]
        return found


@contextmanager
def warped(source: Dataset, grid: Grid, scene: str, *, nearest: bool) -> Iterator[Warped]:
    """Show a raster on the grid of a scene; both have a coordinate reference system.

    Parameters
    ----------
    source : Source
        The open raster.
    grid : Grid
        The scene's.
    scene : str
        The scene's name, for messages.
    nearest : bool
        Take the nearest pixel, as classes need; otherwise the four around are weighted, or, where
        the raster is finer than the scene, all that a pixel of the scene covers.

    Raises
    ------
    RasterError
        If GDAL knows no way from one coordinate reference system to the other.
    """
    dataset = source.handle
    alpha = next(iter(alpha_indexes(dataset)), None)
    found = {"src_alpha": alpha} if alpha else {"add_alpha": dataset.nodata is None}
    with reporting(
        f"{source.name} cannot be brought onto the grid of {scene}",
        "Warp it there first (gdalwarp -t_srs -te -ts).",
    ):
        across, down = _pixels_per_pixel(source.grid, grid)
        vrt = WarpedVRT(
            dataset,
            crs=CRS.from_wkt(grid.crs),
            transform=Affine(*grid.transform),
            height=grid.shape[0],
            width=grid.shape[1],
            resampling=Resampling.nearest if nearest else Resampling.bilinear,
            tolerance=EXACT,
            dtype="float64",  # whole metres would become steps
            # GDAL would guess them anew in every block.
            XSCALE=min(1.0, 1 / across),
            YSCALE=min(1.0, 1 / down),
            **found,
        )
    with vrt:
        shown = replace(source, handle=vrt, grid=grid, validity=validity_of(vrt, source.bands))
        yield Warped(shown)


def _pixels_per_pixel(ours: Grid, theirs: Grid) -> tuple[float, float]:
    """Count our pixels along a row and a column of one of theirs, in the middle of their grid."""
    rows, cols = theirs.shape
    middle = np.array([[cols / 2, cols / 2 + 1, cols / 2], [rows / 2, rows / 2, rows / 2 + 1]])
    systems = CRS.from_wkt(theirs.crs), CRS.from_wkt(ours.crs)
    there = transform(*systems, *(_affine(theirs) @ [*middle, np.ones(3)])[:2])
    here, right, below = (np.linalg.inv(_affine(ours)) @ [*there, np.ones(3)])[:2].T
    steps = np.hypot(*np.transpose([right - here, below - here]))
    usable = np.where(np.isfinite(steps) & (steps > 0), steps, 1.0)  # the middle may lie nowhere
    return float(usable[0]), float(usable[1])


def _affine(grid: Grid) -> NDArray[np.float64]:
    """Give the matrix that brings (col, row, 1) to (x, y, 1)."""
    return np.reshape([*grid.transform, 0.0, 0.0, 1.0], (3, 3))


def _blocks(part: slice, length: int) -> list[slice]:
    """List the blocks along an axis that hold a part of it."""
    starts = range(part.start // SIDE * SIDE, part.stop, SIDE)
    return [slice(start, min(start + SIDE, length)) for start in starts]


def _shared(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _from(part: slice, origin: int) -> slice:
    return slice(part.start - origin, part.stop - origin)
