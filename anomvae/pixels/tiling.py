"""Tiles of a grid, which are read with a halo and kept without it.

Axes are (row, col), pixels; slices are half-open.  The kept parts of all tiles partition the grid,
so a result whose receptive radius is at most the halo does not depend on the tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]
"""Rows and columns of a grid, half-open, pixels."""
Positions = NDArray[np.int_]

TILE_BYTES = 16 * 2**20
HUGE = 4
"""How many times larger than a tile a file block is that is read in parts, if it stays in memory
decompressed.  Otherwise each part decompresses it, so only `HUGE` ** 2 times larger ones are."""


@dataclass(frozen=True)
class Tile:
    """The pixels to read, and those of them to keep."""

    keep: Window
    """The pixels that the tile scores."""
    read: Window
    """``keep`` and its halo, cut at the edge of the grid."""

    @property
    def inner(self) -> Window:
        """``keep`` as a window of the array that is read."""
        return within(self.keep, self.read)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns to keep."""
        return shape_of(self.keep)


def shape_of(window: Window) -> tuple[int, int]:
    """Return rows and columns of a window."""
    rows, cols = (part.stop - part.start for part in window)
    return rows, cols


def common(one: Window, other: Window) -> Window:
    """Return what is in both windows; a part that ends before it begins: nothing."""
    rows, cols = (
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return rows, cols


def within(part: Window, outer: Window) -> Window:
    """Return a part of a window as a window of the array of ``outer``."""
    rows, cols = (
        slice(inner.start - around.start, inner.stop - around.start)
        for inner, around in zip(part, outer, strict=True)
    )
    return rows, cols


def whole(shape: tuple[int, int]) -> Window:
    """Return the window of a whole grid."""
    return slice(0, shape[0]), slice(0, shape[1])


def tile_at(keep: Window, shape: tuple[int, int], halo: int = 0) -> Tile:
    """Return the tile that keeps ``keep``, with a halo that is cut at the edge of the grid."""
    rows, cols = (
        slice(max(0, part.start - halo), min(side, part.stop + halo))
        for part, side in zip(keep, shape, strict=True)
    )
    return Tile(keep, (rows, cols))


def tiles(shape: tuple[int, int], size: tuple[int, int], halo: int = 0) -> Iterator[Tile]:
    """Cut a grid row by row into tiles that keep ``size``, pixels; at the far edges they keep less.

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


def tile_rows(shape: tuple[int, int], size: tuple[int, int]) -> Iterator[tuple[slice, list[Tile]]]:
    """Cut a grid as `tiles`; yield the rows of tiles that lie side by side, and these.

    Examples
    --------
    >>> [(rows, len(beside)) for rows, beside in tile_rows((3, 5), (2, 3))]
    [(slice(0, 2, None), 2), (slice(2, 3, None), 2)]
    """
    for _, beside in groupby(tiles(shape, size), key=lambda tile: tile.keep[0].start):
        row = list(beside)
        yield row[0].keep[0], row


def spread_windows(shape: tuple[int, int], side: int, most: int = 4) -> list[Window]:
    """Place windows evenly in a grid, at most ``most`` along an axis; they do not overlap.

    ``side`` is that of a window, pixels.  An axis of at most ``most * side`` pixels is covered
    whole.

    Examples
    --------
    >>> [cols for _, cols in spread_windows((1, 100), 10, most=2)]
    [slice(0, 10, None), slice(90, 100, None)]
    """
    rows, cols = (
        [slice(start, min(start + side, length)) for start in _spread(length, side, most)]
        for length in shape
    )
    return [(row, col) for row in rows for col in cols]


def _spread(length: int, side: int, most: int) -> list[int]:
    if length <= most * side:
        return list(range(0, length, side))
    return [step * (length - side) // (most - 1) for step in range(most)]


@dataclass(frozen=True)
class SamplingGrid:
    """A grid of fewer pixels, each of which shows the middle one of the pixels that it covers.

    Examples
    --------
    >>> SamplingGrid((9, 9), (3, 3)).part((slice(2, 9), slice(0, 4)))
    ((slice(1, 3, None), slice(0, 1, None)), (array([2, 5]), array([1])))
    """

    grid: tuple[int, int]
    """Rows and columns of the full grid."""
    shape: tuple[int, int]
    """Rows and columns of the sampling grid."""

    @classmethod
    def fitting(cls, grid: tuple[int, int], side: int) -> SamplingGrid:
        """Sample a grid with at most ``side`` pixels on its longer side."""
        step = max(1.0, max(grid) / side)
        rows, cols = (max(1, int(pixels / step)) for pixels in grid)
        return cls(grid, (rows, cols))

    @classmethod
    def of_pixels(cls, grid: tuple[int, int], pixels: int) -> SamplingGrid:
        """Sample a grid with about so many pixels."""
        # A longer grid may have fewer columns than the square root, so a long scene still has many.
        return cls.fitting(grid, math.isqrt(max(1, pixels * max(grid) // min(grid))))

    def part(self, window: Window) -> tuple[Window, tuple[Positions, Positions]]:
        """Return the samples in a window of the grid, and their rows and columns in the window."""
        rows, cols = map(_samples, self.grid, self.shape, window)
        return (rows[0], cols[0]), (rows[1], cols[1])

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window are samples, axes (row, col)."""
        sampled = np.zeros(shape_of(window), np.bool_)
        sampled[np.ix_(*self.part(window)[1])] = True
        return sampled

    def cells(self, window: Window) -> tuple[Window, tuple[Positions, Positions]]:
        """Return the cells that a window shares, and where each begins in the window.

        A cell is the block of pixels of the grid that one sample represents.

        Examples
        --------
        >>> SamplingGrid((9, 9), (3, 3)).cells((slice(2, 9), slice(0, 4)))
        ((slice(0, 3, None), slice(0, 2, None)), (array([0, 1, 4]), array([0, 3])))
        """
        rows, cols = map(_cells, self.grid, self.shape, window)
        return (rows[0], cols[0]), (rows[1], cols[1])

    def pool(
        self, whole: NDArray[Any], window: Window, values: NDArray[Any], ufunc: np.ufunc
    ) -> None:
        """Combine the pixels of a window into the cells of ``whole``, in place.

        Examples
        --------
        >>> whole = np.zeros((1, 2))
        >>> SamplingGrid((2, 4), (1, 2)).pool(
        ...     whole, (slice(0, 1), slice(0, 4)), np.array([[1, 5, 2, 3]]), np.maximum
        ... )
        >>> whole.tolist()
        [[5.0, 3.0]]
        """
        cells, starts = self.cells(window)
        whole[cells] = ufunc(whole[cells], pooled(values, starts, ufunc))


def pooled(
    values: NDArray[Any], starts: tuple[Positions, Positions], ufunc: np.ufunc
) -> NDArray[Any]:
    """Combine pixels into cells that begin at the given rows and columns."""
    rows, cols = starts
    return np.asarray(ufunc.reduceat(ufunc.reduceat(values, rows, axis=0), cols, axis=1))


def _cells(side: int, count: int, part: slice) -> tuple[slice, Positions]:
    cell = np.arange(part.start, part.stop) * count // side
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    return slice(int(cell[0]), int(cell[-1]) + 1), starts


def _samples(side: int, count: int, part: slice) -> tuple[slice, Positions]:
    middles = ((np.arange(count) + 0.5) * side / count).astype(int)
    first, last = np.searchsorted(middles, [part.start, part.stop])
    return slice(int(first), int(last)), middles[first:last] - part.start


def fitting_size(
    shape: tuple[int, int], block: tuple[int, int], bands: int, budget: int = TILE_BYTES
) -> tuple[int, int]:
    """Return rows and columns of a tile of whole file blocks.

    It takes at most ``budget`` bytes of float32, but holds at least one file block.  ``block`` is
    the shape of a file block, pixels; a strip is as wide as the grid.
    """
    pixels = max(1, budget // (4 * bands))
    lowest = min(block[0], shape[0])
    cols = _whole_blocks(min(math.isqrt(pixels), pixels // lowest), block[1], shape[1])
    rows = _whole_blocks(pixels // cols, block[0], shape[0])
    return rows, cols


def part_of_block(
    shape: tuple[int, int], block: tuple[int, int], bands: int, *, kept: bool
) -> tuple[int, int]:
    """Return rows and columns of a file block that are read together: all but of a huge one.

    ``kept``: whether a row of blocks stays in memory, decompressed.

    Examples
    --------
    >>> part_of_block((8000, 8000), (8000, 8000), 4, kept=True)
    (131, 8000)
    """
    rows, cols = (min(side, length) for side, length in zip(block, shape, strict=True))
    row_bytes, most = 4 * bands * cols, TILE_BYTES * (HUGE if kept else HUGE**2)
    if rows * row_bytes <= most:
        return block
    part = TILE_BYTES if kept else most // 2
    return max(1, part // row_bytes), block[1]


def _whole_blocks(length: int, block: int, side: int) -> int:
    return min(side, max(1, length // block) * block)
