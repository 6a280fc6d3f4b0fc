"""Pixels of a swath on a georeferenced grid, by a lookup table (GLT).

The table has, for each pixel of the grid, the row and the column of the swath that lie there: from
1, 0 where none does, and negative where it is the nearest one beside a gap (EMIT L1B ATBD, 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pixels.tiling import Window
from ..array_dataset import StoredArray
from ..values import EXACT
from .variables import StoredCube, Variable

MOST_BYTES = 32_000_000
"""Bytes of the swath that are read at once."""
BLOCK = (128, 128)
"""Pixels of the grid that are read together: the rows of a swath lie across it."""


@dataclass(frozen=True)
class Orthorectified(StoredArray):
    """A swath on the grid of its lookup table; NaN where it has no pixel."""

    swath: StoredCube
    """The pixels as they were taken."""
    lines: Variable
    """Row of the swath for each pixel of the grid, from 1."""
    samples: Variable
    """Column of the swath for each pixel of the grid, from 1."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.lines.shape[0], self.lines.shape[1]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """A type with NaN that holds the stored numbers, for each band."""
        return tuple("float32" if name in EXACT else "float64" for name in self.swath.dtypes)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are read together."""
        return min(BLOCK[0], self.shape[0]), min(BLOCK[1], self.shape[1])

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band)."""
        lines, samples = (_places(table, window) for table in (self.lines, self.samples))
        height, width = self.swath.shape
        there = (lines >= 0) & (samples >= 0) & (lines < height) & (samples < width)
        block = np.full((*lines.shape, len(indexes)), np.nan, self.dtypes[indexes[0] - 1])
        if not there.any():
            return block
        wanted = np.asarray(indexes)
        for group in self._groups(wanted):
            first, stop = int(lines[there].min()), int(lines[there].max()) + 1
            left, right = int(samples[there].min()), int(samples[there].max()) + 1
            row_bytes = (right - left) * len(group) * self.swath.variable.dtype.itemsize
            rows = max(1, MOST_BYTES // row_bytes)
            for start in range(first, stop, rows):
                at = slice(start, min(start + rows, stop))
                row, col = np.nonzero(there & (lines >= at.start) & (lines < at.stop))
                part = self.swath.read(wanted[group].tolist(), (at, slice(left, right)))
                values = part[lines[row, col] - start, samples[row, col] - left]
                block[row[:, None], col[:, None], group] = values
        return block

    def _groups(self, wanted: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield positions in ``wanted`` of bands that share chunks: each is decompressed once."""
        chunks, axis = self.swath.variable.chunks, self.swath.bands
        length = wanted.max() if chunks is None or axis is None else chunks[axis]
        number = (wanted - 1) // length
        for value in np.unique(number):
            yield np.flatnonzero(number == value)


def _places(table: Variable, window: Window) -> NDArray[np.int64]:
    """Return rows or columns of the swath, from 0; -1 where there are none."""
    stored = table.read(window)
    numbers = np.nan_to_num(stored) if stored.dtype.kind == "f" else stored
    return np.abs(numbers.astype(np.int64)) - 1
