"""Valid pixels by the masks of a file.

One rule holds from file to metric.  A value is data unless it is NaN or infinite, lies at an end of
float32, equals its band's nodata value or one that the user gives, or is masked by the mask of its
band, the mask of the dataset or an alpha band.  `anomvae.raster.values` applies all but the masks,
which this module reads.  The mask of one band makes that band NaN; a mask of the pixel makes all
its bands NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader

from ..pixels.bands import Bands
from ..pixels.tiling import Window
from .alpha import AlphaBands


@dataclass(frozen=True)
class Validity:
    """The masks of a file that hide any pixel; a mask that is all valid is never read."""

    alphas: tuple[int, ...]
    """Numbers of the alpha bands that mask pixels."""
    shared: int | None
    """Number of a band whose mask applies to all bands; None without such a mask."""
    own: frozenset[int]
    """Numbers of the bands with their own mask."""
    alpha_data: tuple[int, ...] = ()
    """Numbers of the bands that the file declares as alpha, but that hold data."""

    @property
    def masks(self) -> list[str]:
        """A description of each mask."""
        shared = [] if self.shared is None else ["the mask of the file"]
        own = [f"the mask of band {index} alone" for index in sorted(self.own)]
        return [*(f"band {index} (alpha)" for index in self.alphas), *shared, *own]


def validity_of(dataset: DatasetReader, bands: Bands, alpha: AlphaBands) -> Validity:
    """Find the masks of a raster."""
    flags = dict(zip(dataset.indexes, map(set, dataset.mask_flag_enums), strict=True))
    # GDAL treats alpha as a mask only in files of two or four bands: it is read as a band instead.
    shared = [
        band.index
        for band in bands
        if MaskFlags.per_dataset in flags[band.index] and MaskFlags.alpha not in flags[band.index]
    ]
    return Validity(
        alphas=alpha.masks,
        shared=min(shared, default=None),
        own=frozenset(band.index for band in bands if not flags[band.index]),
        alpha_data=alpha.data,
    )


def hide_masked(
    block: NDArray[np.float32],
    dataset: DatasetReader,
    *,
    validity: Validity,
    bands: Bands,
    window: Window,
) -> None:
    """Set NaN where a mask hides pixels of a block, axes (row, col, band)."""
    for position, band in enumerate(bands):
        if band.index in validity.own:
            block[dataset.read_masks(band.index, window=window) == 0, position] = np.nan
    if validity.shared is not None:
        block[dataset.read_masks(validity.shared, window=window) == 0] = np.nan
    for index in validity.alphas:
        block[dataset.read(index, window=window) == 0] = np.nan
