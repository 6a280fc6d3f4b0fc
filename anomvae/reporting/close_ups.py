"""Windows of a scene at full resolution, around its strongest objects, where its map has cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ..pixels.tiling import Window, shape_of
from .cells import CellGrid
from .objects import ListedObject

OBJECTS = 20
"""Objects that are shown at full resolution, at most."""
SMALLEST, LARGEST = 48, 160
"""Pixels along a side of a window, but for whole cells; a longer object is shown in cells."""
AROUND = 2
"""Side of a window in sides of its object, where it is not the smallest."""
PIXELS = 200_000
"""Pixels of all windows, at most."""


def close_ups(
    grid: CellGrid, listed: Iterable[ListedObject], most: int = OBJECTS
) -> tuple[Window, ...]:
    """Return windows of whole cells around the strongest objects, each once, and not too many.

    There are none where cells are pixels.
    """
    if grid.side == 1:
        return ()
    found: dict[tuple[int, ...], Window] = {}
    left = PIXELS
    for window in _windows(grid, islice(listed, most)):
        rows, cols = shape_of(window)
        left -= rows * cols
        if left < 0:
            break
        found[window[0].start, window[1].start, rows, cols] = window
    return tuple(found.values())


def _windows(grid: CellGrid, listed: Iterable[ListedObject]) -> Iterator[Window]:
    for each in listed:
        places = [place for ring in each.rings for place in ring]
        ends = [(min(axis), max(axis)) for axis in zip(*places, strict=True)]
        longest = max(high - low for low, high in ends)
        if longest <= LARGEST:
            wanted = max(SMALLEST, AROUND * longest)
            rows, cols = (
                _around((low + high) // 2, min(LARGEST, wanted), length, grid.side)
                for (low, high), length in zip(ends, grid.shape, strict=True)
            )
            yield rows, cols


def _around(middle: int, side: int, length: int, cell: int) -> slice:
    """Return pixels of whole cells around a middle, as far as they are in the scene."""
    first = max(0, middle - side // 2) // cell
    last = -(-min(length, middle + side - side // 2) // cell)
    return slice(first * cell, min(length, last * cell))
