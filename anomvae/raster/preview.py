"""A small picture of a whole raster, drawn by nearest neighbour from its blocks or overviews.

GDAL draws one band after the other, and so decodes a file that stores its bands together once for
each band: minutes for a hyperspectral scene.  Here each block is read once, for all bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ..pixels.bands import Bands
from ..pixels.tiling import SamplingGrid, tiles
from .dataset import Dataset, opened
from .part import part_at


def draw(source: Dataset, bands: Bands, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Draw some bands of a whole raster into ``shape`` pixels, axes (row, col, band)."""
    step = min(side / wanted for side, wanted in zip(source.grid.shape, shape, strict=True))
    with _overview(source, step) as smaller:
        return _sampled(smaller, bands, shape)


def _sampled(source: Dataset, bands: Bands, shape: tuple[int, int]) -> NDArray[np.float32]:
    picture = np.empty((*shape, len(bands)), np.float32)
    lattice = SamplingGrid(source.grid.shape, shape)
    # Block by block, so that nothing is decoded twice, or in vain between the sampled rows.
    for tile in tiles(source.grid.shape, source.block_shape):
        place, (rows, cols) = lattice.part(tile.keep)
        if rows.size and cols.size:
            picture[place] = source.read(bands, part_at(tile.keep))[np.ix_(rows, cols)]
    return picture


@contextmanager
def _overview(source: Dataset, step: float) -> Iterator[Dataset]:
    """Open the smallest overview that still has a pixel for every pixel of the picture."""
    factors = source.dataset.overviews(source.bands.items[0].index)
    levels = [level for level, factor in enumerate(factors) if factor <= step]
    if not levels:
        yield source
        return
    with opened(source.name, OVERVIEW_LEVEL=levels[-1]) as smaller:
        yield smaller
