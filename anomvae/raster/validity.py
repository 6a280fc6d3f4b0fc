"""Which pixels a file's masks say are valid.

One rule holds from file to metric.  A value is data unless it is NaN or infinite, equals its band's
nodata value, or is masked by its band's mask, the dataset's mask or an alpha band.  The first two
are seen in the values (`anomvae.raster.values`); the masks are read here.  What concerns one band
makes that band NaN; what concerns the pixel makes all its bands NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader

from ..pixels.bands import Bands
from ..pixels.tiling import Window
from .description import alpha_indexes


@dataclass(frozen=True)
class Validity:
    """The masks of a file that say something; what is all valid is never read."""

    alphas: tuple[int, ...]
    """Numbers of the alpha bands."""
    shared: int | None
    """Number of a band whose mask holds for all bands; None without such a mask."""
    own: frozenset[int]
    """Numbers of the bands with a mask of their own."""


def validity_of(dataset: DatasetReader, bands: Bands) -> Validity:
    """Find the masks of a raster."""
    flags = dict(zip(dataset.indexes, map(set, dataset.mask_flag_enums), strict=True))
    # GDAL takes alpha for a mask only in files of two or four bands: we read it ourselves.
    shared = [
        band.index
        for band in bands
        if MaskFlags.per_dataset in flags[band.index] and MaskFlags.alpha not in flags[band.index]
    ]
    return Validity(
        alphas=tuple(alpha_indexes(dataset)),
        shared=min(shared, default=None),
        own=frozenset(band.index for band in bands if not flags[band.index]),
    )


def hide_masked(
    block: NDArray[np.float32],
    dataset: DatasetReader,
    *,
    validity: Validity,
    bands: Bands,
    window: Window,
) -> None:
    """Put NaN where a mask says that a block, axes (row, col, band), holds no data."""
    for place, band in enumerate(bands):
        if band.index in validity.own:
            block[dataset.read_masks(band.index, window=window) == 0, place] = np.nan
    if validity.shared is not None:
        block[dataset.read_masks(validity.shared, window=window) == 0] = np.nan
    for index in validity.alphas:
        block[dataset.read(index, window=window) == 0] = np.nan
