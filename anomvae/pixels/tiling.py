"""Cut a grid into tiles that are read with a halo and kept without it.

Axes are (row, col), pixels; slices are half-open.  The kept parts of all tiles partition the grid,
so a result that looks no further than the halo never shows where the tiles were.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]
"""Rows and columns of a grid, half-open, pixels."""
Places = NDArray[np.int_]

TILE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Tile:
    """Which pixels to read, and which of them to keep."""

    keep: Window
    """The pixels this tile answers for."""
    read: Window
    """``keep`` and its halo, cut at the grid's edge."""

    @property
    def inner(self) -> Window:
        """Where ``keep`` lies inside an array read from ``read``."""
        rows, cols = (
            slice(keep.start - read.start, keep.stop - read.start)
            for keep, read in zip(self.keep, self.read, strict=True)
        )
        return rows, cols

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that are kept."""
        return shape_of(self.keep)


def shape_of(window: Window) -> tuple[int, int]:
    """Return rows and columns of a window."""
    rows, cols = (part.stop - part.start for part in window)
    return rows, cols


def whole(shape: tuple[int, int]) -> Window:
    """Return the window of a whole grid."""
    return slice(0, shape[0]), slice(0, shape[1])


def tile_at(keep: Window, shape: tuple[int, int], halo: int = 0) -> Tile:
    """Put a halo of ``halo`` pixels around ``keep``, cut at the edge of a grid of ``shape``."""
    rows, cols = (
        slice(max(0, part.start - halo), min(side, part.stop + halo))
        for part, side in zip(keep, shape, strict=True)
    )
    return Tile(keep, (rows, cols))


def tiles(shape: tuple[int, int], size: tuple[int, int], halo: int = 0) -> Iterator[Tile]:
    """Cut a grid row by row into tiles of ``size``; those at the far edges are smaller.

    Parameters
    ----------
    shape : (rows, cols)
        The grid, pixels.
    size : (rows, cols)
        Kept part of a tile, pixels, at least 1.
    halo : int, default 0
        Pixels read on every side beyond the kept part.

    Yields
    ------
    Tile

    Examples
    --------
    >>> [tile.keep[1] for tile in tiles((1, 5), (1, 3))]
    [slice(0, 3, None), slice(3, 5, None)]
    """
    for row in range(0, shape[0], size[0]):
        rows = slice(row, min(row + size[0], shape[0]))
        for col in range(0, shape[1], size[1]):
            cols = slice(col, min(col + size[1], shape[1]))
            yield tile_at((rows, cols), shape, halo)


@dataclass(frozen=True)
class SamplingGrid:
    """The pixels of a grid that a smaller picture of it shows: the middle one of each of its own.

    Examples
    --------
    >>> SamplingGrid((9, 9), (3, 3)).part((slice(2, 9), slice(0, 4)))
    ((slice(1, 3, None), slice(0, 1, None)), (array([2, 5]), array([1])))
    """

    grid: tuple[int, int]
    """Rows and columns of the grid."""
    shape: tuple[int, int]
    """Rows and columns of the picture."""

    @classmethod
    def fitting(cls, grid: tuple[int, int], side: int) -> SamplingGrid:
        """Make a picture of a grid with at most ``side`` pixels on its longer side."""
        step = max(1.0, max(grid) / side)
        rows, cols = (max(1, int(pixels / step)) for pixels in grid)
        return cls(grid, (rows, cols))

    def part(self, window: Window) -> tuple[Window, tuple[Places, Places]]:
        """Tell which pixels of the picture lie in a window, and where in the window they are."""
        rows, cols = (
            _seen(side, wanted, part)
            for side, wanted, part in zip(self.grid, self.shape, window, strict=True)
        )
        return (rows[0], cols[0]), (rows[1], cols[1])

    def cells(self, window: Window) -> tuple[Window, tuple[Places, Places]]:
        """Return the cells that a window shares, and where each begins in the window.

        A cell is the block of pixels of the grid that one pixel of the picture stands for.

        Examples
        --------
        >>> SamplingGrid((9, 9), (3, 3)).cells((slice(2, 9), slice(0, 4)))
        ((slice(0, 3, None), slice(0, 2, None)), (array([0, 1, 4]), array([0, 3])))
        """
        rows, cols = (
            _cells(side, wanted, part)
            for side, wanted, part in zip(self.grid, self.shape, window, strict=True)
        )
        return (rows[0], cols[0]), (rows[1], cols[1])


def _cells(side: int, wanted: int, part: slice) -> tuple[slice, Places]:
    cell = np.arange(part.start, part.stop) * wanted // side
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    return slice(int(cell[0]), int(cell[-1]) + 1), starts


def _seen(side: int, wanted: int, part: slice) -> tuple[slice, Places]:
    middles = ((np.arange(wanted) + 0.5) * side / wanted).astype(int)
    first, last = np.searchsorted(middles, [part.start, part.stop])
    return slice(int(first), int(last)), middles[first:last] - part.start


def fitting_size(
    shape: tuple[int, int], block: tuple[int, int], bands: int, budget: int = TILE_BYTES
) -> tuple[int, int]:
    """Choose a tile size of whole file blocks.

    Parameters
    ----------
    shape : (rows, cols)
        The grid, pixels.
    block : (rows, cols)
        The file's blocks, pixels; a strip is as wide as the grid.
    bands : int
        Bands read.
    budget : int, default 16 MiB
        Bytes of float32 that a tile should hold at the most; one file block is the least.

    Returns
    -------
    (rows, cols)
    """
    pixels = max(1, budget // (4 * bands))
    tall = min(block[0], shape[0])  # no tile is lower
    cols = _whole_blocks(min(math.isqrt(pixels), pixels // tall), block[1], shape[1])
    rows = _whole_blocks(pixels // cols, block[0], shape[0])
    return rows, cols


def _whole_blocks(wanted: int, block: int, side: int) -> int:
    return min(side, max(1, wanted // block) * block)
