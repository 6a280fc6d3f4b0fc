"""Stored numbers become physical values: ``stored * scale + offset``, float32, NaN = no data.

Arrays have axes (row, col, band).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Interleaving
from rasterio.io import DatasetReader

from ..pixels.bands import Bands
from ..pixels.stored_block import Stored, StoredBlock
from ..pixels.tiling import Window, shape_of

EXACT = {"int8", "uint8", "int16", "uint16", "float32"}
"""Types whose every value is exact as float32."""

TAKEN = {"int16", "uint16", "float32"}
"""Types of the numbers of a `StoredBlock`."""

EXTREME = 0.999 * float(np.finfo(np.float32).max)
"""Magnitude from which a stored number is no data: that of a fill value at the end of float32,
exact or rounded by text or by another type.  No quantity has such a number."""

CHUNK = 100_000
"""Numbers converted at once: few enough for the cache of the processor."""

Numbers = NDArray[Any]
"""Axes (..., band); float32, or float64 where the type of the file needs it."""


def read_values(
    dataset: DatasetReader, bands: Bands, window: Window, nodata: tuple[float, ...] = ()
) -> NDArray[np.float32]:
    """Read a window of a raster; what is no data becomes NaN.

    That is NaN, infinity, a number from `EXTREME`, a band's nodata value, and a stored value of
    ``nodata`` in any band.
    """
    dtypes = dataset.dtypes  # made anew at each call
    types = {dtypes[band.index - 1] for band in bands}
    return physical_values(_stored(dataset, bands, window, types), bands, types, nodata)


def read_numbers(
    dataset: DatasetReader, bands: Bands, window: Window, nodata: tuple[float, ...] = ()
) -> StoredBlock | None:
    """Read a window of a raster as its numbers; their values are those of `read_values`.

    None for types that a `StoredBlock` has not, and where a band has several numbers of no data, or
    one that others equal nearly.
    """
    dtypes = dataset.dtypes  # made anew at each call
    types = {dtypes[band.index - 1] for band in bands}
    stored = _stored_of(bands, types, nodata)
    if stored is None:
        return None
    shape, (kind,) = shape_of(window), types
    if dataset.interleaving is Interleaving.pixel:
        numbers = np.empty((*shape, len(bands)), kind)
        layers = np.moveaxis(numbers, -1, 0)
    else:
        layers = np.empty((len(bands), *shape), kind)
        numbers = np.moveaxis(layers, 0, -1)
    dataset.read(bands.indexes, out=layers, window=window)
    return StoredBlock(
        numbers[np.newaxis], stored, partial(_converted, bands=bands, types=types, nodata=nodata)
    )


def _converted(
    numbers: Numbers, bands: Bands, types: set[str], nodata: tuple[float, ...]
) -> NDArray[np.float32]:
    """Return the values of numbers of any axes, (..., band)."""
    flat = np.array(numbers, _number(types), order="C").reshape(-1, 1, len(bands))
    return physical_values(flat, bands, types, nodata).reshape(numbers.shape)


def _stored_of(bands: Bands, types: set[str], nodata: tuple[float, ...]) -> Stored | None:
    """Describe how numbers become values; None where it cannot be described so."""
    if len(types) > 1 or not types <= TAKEN:
        return None
    radiometry = _radiometry(bands, types, nodata)
    fills = [np.broadcast_to(fill, len(bands)).astype(np.float64) for fill in radiometry.nodata]
    if any(not np.array_equal(fill, fills[0], equal_nan=True) for fill in fills[1:]):
        return None
    fill = fills[0] if fills else None
    if fill is not None:
        given = fill[~np.isnan(fill)]
        if given.any() if types == {"float32"} else (given != np.rint(given)).any():
            return None  # `_differs` has a tolerance
    if radiometry.keeps:
        return Stored(None, None, fill)
    scale, offset = (
        np.broadcast_to(each, len(bands)).copy() for each in (radiometry.scale, radiometry.offset)
    )
    return Stored(scale, offset, fill)


def physical_values(
    stored: Numbers, bands: Bands, types: set[str], nodata: tuple[float, ...] = ()
) -> NDArray[np.float32]:
    """Convert stored numbers, axes (row, col, band), of files of these types.

    The array may be overwritten.
    """
    stored = stored.astype(_number(types), copy=False)
    radiometry = _radiometry(bands, types, nodata)
    block = np.empty(stored.shape, np.float32) if stored.dtype != np.float32 else stored
    rows = max(1, CHUNK * len(stored) // max(1, stored.size))
    for row in range(0, len(block), rows):
        radiometry.fill(block[row : row + rows], stored[row : row + rows])
    return block


def _stored(dataset: DatasetReader, bands: Bands, window: Window, types: set[str]) -> Numbers:
    """Read the numbers of the file in a type that represents each exactly."""
    stored = np.empty((*shape_of(window), len(bands)), _number(types))
    layers = np.moveaxis(stored, -1, 0)
    if len(types) == 1:  # in one call: a pixel-interleaved file is decoded only once
        dataset.read(bands.indexes, out=layers, window=window)
    else:  # rasterio refuses mixed types
        for band, layer in zip(bands, layers, strict=True):
            dataset.read(band.index, out=layer, window=window)
    return stored


class _Radiometry(NamedTuple):
    """Scale, offset and nodata of the bands, each an array with axis (band,).

    An array has length 1 if all bands share its value: numpy is several times faster then.
    """

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    nodata: tuple[Numbers, ...]
    """NaN for bands without nodata."""
    rounding: float
    """How far a number may lie from nodata to equal it, relative."""

    def fill(self, values: NDArray[np.float32], stored: Numbers) -> None:
        """Convert stored numbers into values, axes (row, col, band); both may be one array."""
        # Overflow gives infinity, which becomes NaN below.
        with np.errstate(over="ignore", invalid="ignore"):
            valid = np.asarray(np.abs(stored) < EXTREME)  # not NaN, not infinity
            for nodata in self.nodata:
                valid &= _differs(stored, nodata, self.rounding)
            scaled = self._scaled(stored)
            if scaled is not stored or stored.dtype != values.dtype:
                values[...] = scaled
                valid &= np.isfinite(values)
        if not valid.all():
            np.copyto(values, np.nan, where=~valid)

    @property
    def keeps(self) -> bool:
        """Whether values are the numbers themselves."""
        return bool((self.scale == 1).all() and (self.offset == 0).all())

    def _scaled(self, stored: Numbers) -> Numbers:
        if self.keeps:
            return stored
        # In float64, because a large stored number and a large offset may nearly cancel.
        return stored * self.scale + self.offset


def _differs(stored: Numbers, nodata: Numbers, rounding: float) -> NDArray[np.bool_]:
    if not nodata.any():
        return np.asarray(stored != 0)
    # GDAL compares with a tolerance, too: text often rounds a nodata value.
    tolerance = rounding * np.abs(nodata)
    difference = stored - nodata  # NaN for a band without nodata, so all is valid
    return np.asarray(~(np.abs(difference, out=difference) <= tolerance))


def _radiometry(bands: Bands, types: set[str], nodata: tuple[float, ...]) -> _Radiometry:
    declared = np.array([np.nan if band.nodata is None else band.nodata for band in bands])
    fills = [declared, *np.reshape(np.array(nodata, np.float64), (-1, 1))]
    for fill in fills:
        fill[np.abs(fill) >= EXTREME] = np.nan  # no data in any case
    # Numbers of float64 may have been float32 before; whole numbers of 32 bits are exact.
    number = _number(types) if any("int" in name for name in types) else np.float32
    return _Radiometry(
        scale=_merged(np.array([band.scale for band in bands])),
        offset=_merged(np.array([band.offset for band in bands])),
        nodata=tuple(
            _merged(fill.astype(_number(types))) for fill in fills if np.isfinite(fill).any()
        ),
        rounding=4 * float(np.finfo(number).eps),
    )


def _number(types: set[str]) -> type[np.floating[Any]]:
    """Return a type that represents the numbers of all these types exactly."""
    return np.float32 if types <= EXACT else np.float64


def _merged(values: Numbers) -> Numbers:
    """Reduce equal values to one."""
    equal = np.array_equal(values, np.full_like(values, values[0]), equal_nan=True)
    return values[:1] if equal else values
