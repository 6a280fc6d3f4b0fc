"""A map reduced to cells, window by window: cells of the same number of rows and columns of pixels.

The last cells may reach beyond the scene.  Axes are (row, col).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Positions, Window, pooled

SIDE = 1000
"""Cells of the longer side of a scene, at most."""


@dataclass(frozen=True)
class CellGrid:
    """The cells of a scene.

    Examples
    --------
    >>> grid = CellGrid.fitting((900, 2500), 1000)
    >>> grid.side, grid.cells
    (3, (300, 834))
    """

    shape: tuple[int, int]
    """Rows and columns of the scene."""
    side: int
    """Rows, and columns, of pixels in a cell."""

    @classmethod
    def fitting(cls, shape: tuple[int, int], most: int = SIDE) -> CellGrid:
        """Choose the smallest cells of which at most ``most`` lie along a side."""
        return cls(shape, max(1, -(-max(shape) // most)))

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, cols = (-(-length // self.side) for length in self.shape)
        return rows, cols

    def part(self, window: Window) -> tuple[Window, tuple[Positions, Positions]]:
        """Return the cells that a window shares, and where each begins in the window."""
        rows, cols = (self._part(pixels) for pixels in window)
        return (rows[0], cols[0]), (rows[1], cols[1])

    def _part(self, pixels: slice) -> tuple[slice, Positions]:
        first, last = pixels.start // self.side, (pixels.stop - 1) // self.side
        starts = np.arange(first, last + 1) * self.side - pixels.start
        return slice(first, last + 1), np.maximum(starts, 0)

    def pool(
        self, whole: NDArray[Any], window: Window, values: NDArray[Any], ufunc: np.ufunc
    ) -> None:
        """Combine the pixels of a window into the cells of ``whole``, in place."""
        cells, starts = self.part(window)
        part = pooled(values, starts, ufunc) if self.side > 1 else values
        whole[cells] = ufunc(whole[cells], part)

    def middles(self) -> tuple[Positions, Positions]:
        """Return the middle row of each row of cells, and the middle column of each column."""
        rows, cols = (
            np.minimum(np.arange(count) * self.side + self.side // 2, length - 1)
            for count, length in zip(self.cells, self.shape, strict=True)
        )
        return rows, cols
