"""Whole blocks of a map, assembled of the windows that it is written in; axes (band, row, col)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetWriter

from ..pixels.tiling import Window, common, shape_of, within
from .block_file import PLACED, STORED
from .layout import Layout
from .pyramid import Block, blocks_of, window_of

Values = NDArray[Any]

STRIP = 64
"""Rows of the blocks of the temporary file: windows of few rows fill these at once, so that GDAL's
cache need not read them again."""


class WholeBlock(NamedTuple):
    """A block all of whose pixels are known."""

    block: Block
    """Which one."""
    window: Window
    """Its pixels."""
    bands: Callable[[slice], Values]
    """Returns some of its bands."""


class Assembly:
    """Windows, each pixel once, that become whole blocks.

    A window that holds a block hands it on at once.  Parts of blocks wait, uncompressed, in a
    temporary file behind GDAL's cache, so that memory does not grow with the raster.
    """

    def __init__(self, path: Path, shape: tuple[int, int], layout: Layout, side: int) -> None:
        """Begin a raster of ``shape``; ``path`` is that of the temporary file, made when needed."""
        self._path, self._shape, self._layout, self._side = path, shape, layout, side
        self._left: dict[Block, int] = {}
        self._whole = np.zeros([-(-length // side) for length in shape], np.bool_)
        self._dataset: DatasetWriter | None = None

    def add(self, window: Window, values: Values) -> Iterator[WholeBlock]:
        """Yield the blocks that a window completes."""
        for block in self._touched(window):
            place = window_of(block, self._shape, self._side)
            part = common(window, place)
            given = values[(slice(None), *within(part, window))]
            if part == place:
                yield self._done(block, place, given.__getitem__)
            elif self._completed_by(block, part, given):
                yield self._done(block, place, self._reader(place))

    def rest(self) -> Iterator[WholeBlock]:
        """Yield the blocks that are not whole; pixels that were never written have no data."""
        for block, place in blocks_of(self._shape, self._side):
            if not self._whole[block]:
                yield self._done(block, place, self._reader(place))

    def close(self) -> None:
        """Close and remove the temporary file."""
        try:
            if self._dataset is not None:
                self._dataset.close()
        finally:
            self._path.unlink(missing_ok=True)

    def _touched(self, window: Window) -> Iterator[Block]:
        rows, cols = (
            range(part.start // self._side, -(-part.stop // self._side)) for part in window
        )
        return product(rows, cols)

    def _completed_by(self, block: Block, part: Window, values: Values) -> bool:
        """Store a part of a block; return whether it was the last one."""
        self._parts().write(values, window=part)
        place = window_of(block, self._shape, self._side)
        self._left[block] = self._left.get(block, _pixels(place)) - _pixels(part)
        return not self._left[block] and not self._left.pop(block)

    def _done(self, block: Block, place: Window, bands: Callable[[slice], Values]) -> WholeBlock:
        self._whole[block] = True
        return WholeBlock(block, place, bands)

    def _reader(self, place: Window) -> Callable[[slice], Values]:
        def read(bands: slice) -> Values:
            numbers = list(range(bands.start + 1, bands.stop + 1))
            return np.asarray(self._parts().read(numbers, window=place))

        return read

    def _parts(self) -> DatasetWriter:
        if self._dataset is None:
            self._dataset = rasterio.open(
                self._path,
                "w+",
                dtype=self._layout.dtype,
                count=len(self._layout.descriptions),
                nodata=self._layout.nodata,
                height=self._shape[0],
                width=self._shape[1],
                blockxsize=self._side,
                blockysize=STRIP,
                BIGTIFF="IF_SAFER",
                SPARSE_OK="TRUE",
                **STORED,
                **PLACED,
            )
        return self._dataset


def _pixels(window: Window) -> int:
    rows, cols = shape_of(window)
    return rows * cols
