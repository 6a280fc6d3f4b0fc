"""Stored numbers become physical values: ``stored * scale + offset``, float32, NaN = no data.

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
"""Types whose every value is exact as float32."""

CHUNK = 100_000
"""Numbers converted at once: few enough for the cache of the processor."""

Numbers = NDArray[Any]
"""Axes (..., band); float32, or float64 where the type of the file needs it."""


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
    """Read the numbers of the file in a type that represents each exactly."""
    dtypes = dataset.dtypes  # made anew at each call
    types = {dtypes[band.index - 1] for band in bands}
    stored = np.empty((*shape_of(window), len(bands)), "float32" if types <= EXACT else "float64")
    layers = np.moveaxis(stored, -1, 0)
    if len(types) == 1:  # in one call: a pixel-interleaved file is decoded only once
        dataset.read(bands.indexes, out=layers, window=window)
    else:  # rasterio refuses mixed types
        for band, layer in zip(bands, layers, strict=True):
            dataset.read(band.index, out=layer, window=window)
    return stored


@dataclass(frozen=True)
class _Radiometry:
    """Scale, offset and nodata of the bands, each an array with axis (band,).

    An array has length 1 if all bands share its value: numpy is several times faster then.
    """

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    nodata: Numbers
    """NaN for bands without nodata."""

    def fill(self, values: NDArray[np.float32], stored: Numbers) -> None:
        """Convert stored numbers into values, axes (row, col, band); both may be one array."""
        # Overflow gives infinity, which becomes NaN below.
        with np.errstate(over="ignore", invalid="ignore"):
            valid = self._valid(stored)
            scaled = self._scaled(stored)
            if scaled is not stored or stored.dtype != values.dtype:
                values[...] = scaled
        valid &= np.isfinite(values)
        if not valid.all():
            np.copyto(values, np.nan, where=~valid)

    def _scaled(self, stored: Numbers) -> Numbers:
        if (self.scale == 1).all() and (self.offset == 0).all():
            return stored
        # In float64, because a large stored number and a large offset may nearly cancel.
        return stored * self.scale + self.offset

    def _valid(self, stored: Numbers) -> NDArray[np.bool_]:
        if np.isnan(self.nodata).all():
            return np.ones(stored.shape, np.bool_)
        if not self.nodata.any():
            return np.asarray(stored != 0)
        # GDAL compares with a tolerance, too: text often rounds a nodata value.
        tolerance = 4 * np.finfo(stored.dtype).eps * np.abs(self.nodata)
        difference = stored - self.nodata  # NaN for a band without nodata, so all is valid
        return np.asarray(~(np.abs(difference, out=difference) <= tolerance))


def _radiometry(bands: Bands, dtype: np.dtype[Any]) -> _Radiometry:
    nodata = np.array([np.nan if band.nodata is None else band.nodata for band in bands])
    with np.errstate(invalid="ignore"):
        nodata[np.abs(nodata) > np.finfo(dtype).max] = np.nan  # no value of the file equals it
    return _Radiometry(
        scale=_merged(np.array([band.scale for band in bands])),
        offset=_merged(np.array([band.offset for band in bands])),
        nodata=_merged(nodata.astype(dtype)),
    )


def _merged(values: Numbers) -> Numbers:
    """Reduce equal values to one."""
    equal = np.array_equal(values, np.full_like(values, values[0]), equal_nan=True)
    return values[:1] if equal else values
