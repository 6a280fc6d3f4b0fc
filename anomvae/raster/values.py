"""From stored numbers to physical values as float32, NaN where a value is no data.

Arrays have axes (row, col, band).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from ..pixels.bands import Bands
from ..pixels.tiling import Window, shape_of

EXACT = {"int8", "uint8", "int16", "uint16", "float32"}
"""Types whose every value is a float32."""

CHUNK = 100_000
"""Numbers turned into values at once: what stays in the processor's cache."""

Numbers = NDArray[Any]
"""Axes (..., band); float32, or float64 where the file's type needs it."""


def read_values(dataset: DatasetReader, bands: Bands, window: Window) -> NDArray[np.float32]:
    """Read a window of a raster; NaN, infinity and a band's nodata value become NaN."""
    stored = _stored(dataset, bands, window)
    radiometry = _radiometry(bands, stored.dtype)
    block = np.empty(stored.shape, np.float32) if stored.dtype != np.float32 else stored
    rows = max(1, CHUNK // max(1, stored[0].size))
    for row in range(0, len(block), rows):
        radiometry.fill(block[row : row + rows], stored[row : row + rows])
    return block


def _stored(dataset: DatasetReader, bands: Bands, window: Window) -> Numbers:
    """Read the numbers of the file, in a type that holds each of them."""
    types = {dataset.dtypes[band.index - 1] for band in bands}
    stored = np.empty((*shape_of(window), len(bands)), "float32" if types <= EXACT else "float64")
    layers = np.moveaxis(stored, -1, 0)
    if len(types) == 1:  # at once: a pixel-interleaved file is decoded only once
        dataset.read(bands.indexes, out=layers, window=window)
    else:  # rasterio refuses mixed types
        for band, layer in zip(bands, layers, strict=True):
            dataset.read(band.index, out=layer, window=window)
    return stored


@dataclass(frozen=True)
class _Radiometry:
    """What turns stored numbers into values, each an array with axis (band,).

    What is the same for all bands stands there once: numpy is several times faster then.
    """

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    nodata: Numbers
    """NaN for bands without."""

    def fill(self, values: NDArray[np.float32], stored: Numbers) -> None:
        """Turn stored numbers into values, axes (row, col, band); both may be one array."""
        # Overflow makes an infinity, which is no data in the end.
        with np.errstate(over="ignore", invalid="ignore"):
            known = self._known(stored)
            scaled = self._scaled(stored)
            if scaled is not stored or stored.dtype != values.dtype:
                values[...] = scaled
        known &= np.isfinite(values)
        if not known.all():
            np.copyto(values, np.nan, where=~known)

    def _scaled(self, stored: Numbers) -> Numbers:
        if (self.scale == 1).all() and (self.offset == 0).all():
            return stored
        # In float64, as a large stored number and a large offset may nearly cancel.
        return stored * self.scale + self.offset

    def _known(self, stored: Numbers) -> NDArray[np.bool_]:
        if np.isnan(self.nodata).all():
            return np.ones(stored.shape, np.bool_)
        if not self.nodata.any():
            return np.asarray(stored != 0)
        # As GDAL compares: a nodata value has often been text, and lost its last digit there.
        tolerance = 4 * np.finfo(stored.dtype).eps * np.abs(self.nodata)
        away = stored - self.nodata  # NaN for a band without nodata, which hides nothing
        return np.asarray(~(np.abs(away, out=away) <= tolerance))


def _radiometry(bands: Bands, dtype: np.dtype[Any]) -> _Radiometry:
    nodata = np.array([np.nan if band.nodata is None else band.nodata for band in bands])
    with np.errstate(invalid="ignore"):
        nodata[np.abs(nodata) > np.finfo(dtype).max] = np.nan  # no value of the file equals it
    return _Radiometry(
        scale=_once(np.array([band.scale for band in bands])),
        offset=_once(np.array([band.offset for band in bands])),
        nodata=_once(nodata.astype(dtype)),
    )


def _once(values: Numbers) -> Numbers:
    """Take one of equal values alone."""
    same = np.array_equal(values, np.full_like(values, values[0]), equal_nan=True)
    return values[:1] if same else values
