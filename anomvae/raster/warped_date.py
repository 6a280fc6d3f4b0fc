"""An earlier date of a scene on the grid of the newest one; arrays have axes (row, col, band).

Masks apply on the date's own grid, so that no hidden pixel becomes part of a value.  A pixel of the
grid has data where the pixel of the date around its middle has some.  Its value is then the mean of
the pixels i with data, at distances (d, e)_i from its middle along rows and columns, weighted by

    max(0, 1 - |d_i| / s) max(0, 1 - |e_i| / t),

where s and t are the pixels of the date along a side of a pixel of the grid, or 1 where the date is
no finer: bilinear, and where it is finer, of all that a pixel covers.  It is computed here because
the values of a date come from masks, several files or arrays that GDAL does not warp together.  A
value depends on its place alone, not on the window that is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..errors import GridMismatch
from ..pixels.grid import Grid
from ..pixels.tiling import Window, shape_of
from ..pixels.views import Block, Mask
from .crs import crs_of, transformed
from .gdal import reporting
from .georeference import matrix_of
from .mask_grids import same_crs
from .masks import Flags
from .open_scene import MaskedBlock, OpenDate
from .warped import overlaps

DECIMALS = 6
"""Decimals of a position, pixels: the middle of a pixel may lie on the edge of another."""
FINER = 1.05
"""Pixels along a side of a pixel from which on a date is finer, as in GDAL: systems differ in scale
by some parts in a thousand, and means of more pixels than four would only blur."""

Values = NDArray[np.float32]
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a grid lie on another one."""

    source: Grid
    """The grid that is read."""
    target: Grid
    """The grid of the result; both have a coordinate reference system."""

    def positions(self, window: Window) -> Positions:
        """Return where the middles of pixels lie in the source, axes (row or col, row, col).

        Pixels; NaN where the coordinate reference systems define no place.
        """
        rows, cols = np.mgrid[window].astype(np.float64) + 0.5
        points = np.stack([cols.ravel(), rows.ravel(), np.ones(rows.size)])
        there = (matrix_of(self.target) @ points)[:2]
        if not same_crs(self.source, self.target):
            there = transformed(crs_of(self.target.crs), crs_of(self.source.crs), there.T).T
        placed = np.linalg.inv(matrix_of(self.source)) @ [*there, np.ones(rows.size)]
        return np.asarray(np.round(placed[1::-1], DECIMALS).reshape(2, *rows.shape))

    def spread(self) -> Positions:
        """Return the rows and columns of the source along a side of a pixel; 1 up to `FINER`."""
        row, col = (side // 2 for side in self.target.shape)
        places = self.positions((slice(row, row + 2), slice(col, col + 2)))
        sides = np.hypot(places[:, 0, 1] - places[:, 0, 0], places[:, 1, 0] - places[:, 0, 0])
        return np.where(sides > FINER, np.round(sides, DECIMALS), 1.0)  # 1 where it is NaN

    def inside(self, places: Positions) -> Mask:
        """Return which positions lie in the source, axes (row, col)."""
        limits = np.reshape(self.source.shape, (2, 1, 1))
        return np.asarray(((places >= 0) & (places < limits)).all(axis=0))

    def nearest(self, read: Callable[[Window], Mask], window: Window) -> Mask:
        """Return which pixels of a window are marked by the pixel around their middle."""
        places = self.positions(window)
        inside = self.inside(places)
        marked = np.zeros(inside.shape, np.bool_)
        if inside.any():
            rows, cols = np.floor(places[:, inside]).astype(np.int_)
            marks = read((_around(rows), _around(cols)))
            marked[inside] = marks[rows - rows.min(), cols - cols.min()]
        return marked

    def weighted(self, read: Callable[[Window], Values], window: Window, bands: int) -> Values:
        """Return the weighted means of a window, axes (row, col, band); NaN = no data."""
        places = self.positions(window)
        inside = self.inside(places)
        result = np.full((*shape_of(window), bands), np.nan, np.float32)
        if inside.any():
            result[inside] = self._means(read, places[:, inside])
        return result

    def _means(self, read: Callable[[Window], Values], places: Positions) -> Values:
        """Return the weighted means at positions inside, axes (pixel, band)."""
        sides, last = self.spread()[:, np.newaxis], np.reshape(self.source.shape, (2, 1)) - 1
        first = np.floor(places - 0.5 - sides).astype(np.int_) + 1
        counts = np.ceil(2 * sides).astype(np.int_)
        low, high = np.clip(first, 0, last), np.clip(first + counts - 1, 0, last)
        start = low.min(axis=1, keepdims=True)
        values = read(
            (slice(start[0, 0], high[0].max() + 1), slice(start[1, 0], high[1].max() + 1))
        )
        total = np.zeros((places.shape[1], values.shape[-1]))
        weight = np.zeros_like(total)
        for steps in product(*map(range, counts[:, 0])):  # in one order, whatever the window
            at = first + np.reshape(steps, (2, 1))
            shares = np.maximum(0, 1 - np.abs(at + 0.5 - places) / sides).prod(axis=0)
            shares[((at < 0) | (at > last)).any(axis=0)] = 0
            taken = values[tuple(np.clip(at, 0, last) - start)].astype(np.float64)
            shared = np.where(np.isfinite(taken), shares[:, np.newaxis], 0)
            total += np.where(shared > 0, taken, 0) * shared
            weight += shared
        around = values[tuple(np.floor(places).astype(np.int_) - start)]
        known = np.isfinite(around)
        means = total / np.where(known, weight, 1)
        return np.where(known, means, np.nan).astype(np.float32)


@dataclass(frozen=True)
class WarpedFlags(Flags):
    """Flags of a date on another grid."""

    placement: Placement
    """Where the pixels lie in the date."""

    def read(self, window: Window) -> Mask:
        """Return which pixels of a window are flagged, axes (row, col)."""
        return self.placement.nearest(super().read, window)


@dataclass(frozen=True)
class WarpedDate(OpenDate):
    """One open date on another grid than its own; its covariates lie on that grid already."""

    placement: Placement = field(kw_only=True)
    """Where the pixels lie in the date."""

    @classmethod
    def of(cls, date: OpenDate, placement: Placement) -> WarpedDate:
        """Return an open date on another grid."""
        flags = date.hidden
        hidden = None if flags is None else WarpedFlags(flags.dataset, placement)
        fixed = (date.dataset, date.bands, date.georeference, date.masks, date.layers)
        return cls(*fixed, hidden, placement=placement)

    @property
    def grid(self) -> Grid:
        """Shape and location of the pixels that are read."""
        return self.placement.target

    def read_bands(self, window: Window) -> MaskedBlock:
        """Read the bands of a window, axes (row, col, band), without what masks hide there."""
        block = self.placement.weighted(self._own_bands, window, len(self.bands))
        return MaskedBlock(block, None)

    def _own_bands(self, window: Window) -> Block:
        return super().read_bands(window).block


def placement_on(target: Grid, name: str, source: Grid, source_name: str) -> Placement | None:
    """Return where the pixels of the scene called ``name`` lie in a date; None: on its own pixels.

    Raises
    ------
    GridMismatch
        When the date is on another grid, and lies elsewhere or one of both has no coordinate
        reference system.
    RasterError
        When GDAL cannot transform one coordinate reference system into the other.
    """
    try:
        target.require_same(source, name, source_name)
    except GridMismatch:
        if not (target.crs and source.crs):
            raise
    else:
        return None
    if not overlaps(source, target):
        raise GridMismatch(
            f"{source_name} shows no ground of {name}: it lies elsewhere. Give dates of one site."
        )
    placement = Placement(source, target)
    with reporting(
        f"{source_name} cannot be brought onto the grid of {name}",
        "Warp it there first (gdalwarp -t_srs -te -ts).",
    ):
        placement.spread()
    return placement


def _around(positions: NDArray[np.int_]) -> slice:
    return slice(int(positions.min()), int(positions.max()) + 1)
