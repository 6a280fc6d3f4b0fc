"""The overviews of a raster, made of its blocks while they pass; axes (band, row, col).

Level ``l`` shows cells of ``2^l x 2^l`` pixels, counted from the top left of the raster, whatever
its blocks.  What a cell shows is one of `anomvae.raster.pools`.  The cells of a block wait in a
temporary file, a third of the size of the raster, until all blocks have passed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window
from .layout import Layout
from .pools import POOLS

Block = tuple[int, int]
"""Row and column of a block among those of its level."""

MEMORY_BYTES = 16 * 2**20
"""Cells of more bytes wait on disk."""


def shape_of_level(shape: tuple[int, int], level: int) -> tuple[int, int]:
    """Return rows and columns of a level of a raster; its last cells may reach beyond it."""
    rows, cols = (-(-length >> level) for length in shape)
    return rows, cols


def levels_of(shape: tuple[int, int], side: int) -> int:
    """Return how many overviews it takes until one block of ``side`` pixels holds a raster.

    A cell is at most a block: with 512 pixels a side, that of a raster of 262,144.
    """
    most = side.bit_length() - 1
    return next((n for n in range(most) if max(shape_of_level(shape, n)) <= side), most)


def blocks_of(shape: tuple[int, int], side: int) -> Iterator[tuple[Block, Window]]:
    """Yield the blocks of a level, row by row, and the pixels of each."""
    for row, col in product(*(range(-(-length // side)) for length in shape)):
        yield (row, col), window_of((row, col), shape, side)


def window_of(block: Block, shape: tuple[int, int], side: int) -> Window:
    """Return the pixels of a block, which ends with its level."""
    rows, cols = (
        slice(at * side, min((at + 1) * side, length))
        for at, length in zip(block, shape, strict=True)
    )
    return rows, cols


class Pyramid:
    """The overviews of a raster, collected block by block; its temporary file has no name."""

    def __init__(self, shape: tuple[int, int], side: int, layout: Layout, folder: Path) -> None:
        """Begin a raster of ``shape`` in blocks of ``side`` pixels; if many, a power of 2."""
        self.levels = levels_of(shape, side)
        self._shape, self._side, self._layout = shape, side, layout
        cells = [(side >> level) ** 2 for level in range(1, self.levels + 1)]
        self._starts: list[int] = np.cumsum([0, *cells]).tolist()
        self._dtype = np.dtype(layout.dtype)
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES, dir=str(folder))  # noqa: SIM115

    def add(self, block: Block, first: int, values: NDArray[np.generic]) -> None:
        """Add some bands of a block, counted from ``first``; at far edges it has fewer pixels."""
        if not self.levels:
            return
        whole = values
        if values.shape[1:] != (self._side, self._side):
            whole = np.full((len(values), self._side, self._side), self._layout.nodata, self._dtype)
            whole[:, : values.shape[1], : values.shape[2]] = values
        pool = POOLS[self._layout.overviews]
        cells = [
            level.reshape(len(values), -1)
            for level in pool(whole, self.levels, self._layout.nodata)
        ]
        self._file.seek(self._place(block, first, 0))
        self._file.write(np.concatenate(cells, axis=1).tobytes())

    def read(self, level: int, block: Block, band: int) -> NDArray[np.generic]:
        """Return a band of a block of a level, all of which has been added, axes (row, col)."""
        shape = shape_of_level(self._shape, level)
        rows, cols = window_of(block, shape, self._side)
        result = np.empty((rows.stop - rows.start, cols.stop - cols.start), self._dtype)
        side = self._side >> level
        for (row, col), _ in blocks_of(result.shape, side):
            part = result[row * side :, col * side :][:side, :side]
            base = (block[0] << level) + row, (block[1] << level) + col
            self._file.seek(self._place(base, band, level - 1))
            cells = np.frombuffer(self._file.read(side**2 * self._dtype.itemsize), self._dtype)
            part[:] = cells.reshape(side, side)[: part.shape[0], : part.shape[1]]
        return result

    def close(self) -> None:
        """Close and thereby remove the temporary file."""
        self._file.close()

    def _place(self, block: Block, band: int, level: int) -> int:
        """Return where in the file the cells of a band of a block begin; ``level`` is from 0."""
        number = block[0] * -(-self._shape[1] // self._side) + block[1]
        record = number * len(self._layout.descriptions) + band
        return (record * self._starts[-1] + self._starts[level]) * self._dtype.itemsize
