"""What a pixel of an overview shows of the pixels in its cell; axes (band, row, col).

A cell of level ``l`` is ``2^l x 2^l`` pixels.  Pixels without data do not count; a cell without any
other has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Pool = Callable[[Values, int, float], Iterator[Values]]
"""Returns the levels 1, 2, ... of a block, so many, given the value of no data."""


def pooled(values: Values, pool: np.ufunc, dtype: type[np.generic] | None = None) -> Values:
    """Join each 2 x 2 pixels by a ufunc; rows first, since these lie together in memory."""
    values = pool(values[:, ::2], values[:, 1::2], dtype=dtype)
    return np.asarray(pool(values[..., ::2], values[..., 1::2], dtype=dtype))


def maxima(values: Values, levels: int, nodata: float) -> Iterator[Values]:
    """Yield the largest number of each cell; NaN is no data."""
    for _ in range(levels):
        values = pooled(values, np.fmax)
        yield values


def minima(values: Values, levels: int, nodata: float) -> Iterator[Values]:
    """Yield the least number of each cell; NaN is no data."""
    for _ in range(levels):
        values = pooled(values, np.fmin)
        yield values


def averages(values: Values, levels: int, nodata: float) -> Iterator[Values]:
    """Yield the mean of each cell, summed in float64; NaN is no data."""
    known = np.isfinite(values)
    sums, counts = np.where(known, values, 0).astype(np.float64), known.astype(np.float64)
    for _ in range(levels):
        sums, counts = pooled(sums, np.add), pooled(counts, np.add)
        means = np.full(sums.shape, np.nan, values.dtype)
        yield np.divide(sums, counts, out=means, where=counts > 0, casting="same_kind")


def modes(values: Values, levels: int, nodata: float) -> Iterator[Values]:
    """Yield the most frequent class of each cell; of equally frequent ones the largest."""
    sides = [values.shape[-1] >> level for level in range(1, levels + 1)]
    best = [np.full((len(values), side, side), nodata, values.dtype) for side in sides]
    if (values == values[0, 0, 0]).all():
        yield from (np.full_like(one, values[0, 0, 0]) for one in best)
        return
    most = [np.zeros(one.shape, np.uint32) for one in best]
    present = np.flatnonzero(np.bincount(values.ravel(), minlength=1))
    for value in present[present != nodata]:
        counts: Values = (values == value).view(np.uint8)
        for level in range(levels):
            # A cell of level 3 has 64 pixels, that of level 4 has 256.
            counts = pooled(counts, np.add, np.uint8 if level < 3 else np.uint32)
            wins = (counts >= most[level]) & (counts > 0)
            best[level][wins], most[level][wins] = value, counts[wins]
    yield from best


def nearest(values: Values, levels: int, nodata: float) -> Iterator[Values]:
    """Yield the top left pixel of each cell."""
    for level in range(1, levels + 1):
        yield values[:, :: 1 << level, :: 1 << level]


POOLS: dict[str, Pool] = {
    "average": averages,
    "maximum": maxima,
    "minimum": minima,
    "mode": modes,
    "nearest": nearest,
}
"""What a pixel of an overview shows of its cell."""
