"""Which alpha bands mask pixels: those that look like a mask.

GDAL declares the fourth band of a plain TIFF of 8 bits as alpha, even if it holds near infrared.
So the values decide: most pixels that a mask shows are fully opaque, and only the few at its edges
may be in between.  Data have many values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from ..pixels.tiling import spread_windows

OPAQUE = 0.5
"""Least share of the opaque pixels among those above 0 of a mask."""
WINDOWS = 3
"""Windows along each axis of which the values are read."""
SIDE = 128
"""Side of a window, pixels."""


class AlphaBands(NamedTuple):
    """Numbers of the bands that a file declares as alpha, from 1."""

    masks: tuple[int, ...]
    """Bands that mask pixels."""
    data: tuple[int, ...]
    """Bands that hold data."""


def alpha_bands(dataset: DatasetReader) -> AlphaBands:
    """Read a bounded sample of each declared alpha band, always the same, and divide them."""
    declared = declared_alphas(dataset)
    masks = [index for index in declared if is_mask(_sample(dataset, index))]
    return AlphaBands(tuple(masks), tuple(index for index in declared if index not in masks))


def declared_alphas(dataset: DatasetReader) -> tuple[int, ...]:
    """Return the numbers of the bands that a file declares as alpha, from 1."""
    kinds = zip(dataset.indexes, dataset.colorinterp, strict=True)
    return tuple(index for index, kind in kinds if kind is ColorInterp.alpha)


def is_mask(values: NDArray[Any]) -> bool:
    """Return whether values look like those of a mask: 0, opaque, and little in between.

    Examples
    --------
    >>> is_mask(np.array([0, 0, 255, 255, 255, 90])), is_mask(np.array([0, 0, 90, 91, 93, 255]))
    (True, False)
    """
    shown = values[values > 0]
    return not shown.size or bool(np.mean(shown == shown.max()) >= OPAQUE)


def _sample(dataset: DatasetReader, index: int) -> NDArray[Any]:
    windows = spread_windows(dataset.shape, SIDE, WINDOWS)
    return np.concatenate([dataset.read(index, window=window).ravel() for window in windows])
