"""Which pixels a file says are valid: one rule, from file to metric.

A value is data unless it is NaN or infinite, equals its band's nodata value, or is masked by its
band's mask, the dataset's mask or an alpha band.  What concerns one band makes that band NaN; what
concerns the pixel makes all its bands NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader

from ..bands import Band, Bands
from .description import alpha_indexes
from .part import Part


@dataclass(frozen=True)
class Validity:
    """Where a file says which of its values are data; what is all valid is never read."""

    alphas: tuple[int, ...]
    """Numbers of the alpha bands."""
    shared: int | None
    """Number of a band whose mask holds for all bands; None without such a mask."""
    own: frozenset[int]
    """Numbers of the bands with a mask, or a nodata value, of their own."""
    overruled: frozenset[int]
    """Numbers of the bands whose nodata value GDAL does not heed, as another mask goes first."""


def validity_of(dataset: DatasetReader, bands: Bands) -> Validity:
    """Find out where a raster says which of its values are data."""
    flags = dict(zip(dataset.indexes, dataset.mask_flag_enums, strict=True))
    shared = {
        band.index
        for band in bands
        # GDAL takes alpha for a mask only in files of two or four bands: we read it ourselves.
        if MaskFlags.per_dataset in flags[band.index] and MaskFlags.alpha not in flags[band.index]
    }
    elsewhere = {MaskFlags.all_valid, MaskFlags.per_dataset}
    own = {band.index for band in bands if not elsewhere & set(flags[band.index])}
    marked = {band.index for band in bands if band.nodata is not None}
    heeded = {index for index in own if MaskFlags.nodata in flags[index]}
    return Validity(
        alphas=tuple(alpha_indexes(dataset)),
        shared=min(shared, default=None),
        own=frozenset(own),
        overruled=frozenset(marked - heeded),
    )


def hide_invalid(
    block: NDArray[np.float32],
    dataset: DatasetReader,
    *,
    validity: Validity,
    bands: Bands,
    part: Part,
) -> None:
    """Put NaN where a block, axes (row, col, band), holds no data."""
    np.copyto(block, np.nan, where=~np.isfinite(block))
    for place, band in enumerate(bands):
        _hide_in_band(block[..., place], dataset, validity=validity, band=band, part=part)
    if validity.shared is not None:
        block[dataset.read_masks(validity.shared, **part.layer) == 0] = np.nan
    for index in validity.alphas:
        block[dataset.read(index, **part.layer) == 0] = np.nan


def _hide_in_band(
    layer: NDArray[np.float32],
    dataset: DatasetReader,
    *,
    validity: Validity,
    band: Band,
    part: Part,
) -> None:
    if band.index in validity.own:
        layer[dataset.read_masks(band.index, **part.layer) == 0] = np.nan
    if band.index in validity.overruled:
        with np.errstate(over="ignore"):  # a nodata value that the band's type cannot hold
            layer[dataset.read(band.index, **part.layer) == band.nodata] = np.nan
