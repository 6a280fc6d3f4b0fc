"""Values that look like no data, but that no file declares as such.

Pixels without data often hold one number, the fill.  It betrays itself in one of two ways:

- many pixels hold exactly the same spectrum, of one or two numbers, and hardly any pixel lies near;
- many values of a band are exactly equal and make most of its variance, hardly any lies near, and
  the other values are many.

Saturated pixels have neighbours near the end of the scale, classes have few values, and a band with
one value has no variance; none of them is a fill.  Numbers are those of a sample of pixels as they
are stored, axes (pixel, band), NaN = no data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST_PIXELS = 16
"""Pixels of a sample that hold a fill, at the least."""
SHARE = 0.01
"""Share of the pixels that hold the same spectrum, at the least."""
BAND_SHARE = 0.001
"""Share of the values of a band that are equal and make most of its variance, at the least."""
NEAR = 0.1
"""Distance within which a value lies near a fill, standard deviations of a normal distribution that
has the 16th and 84th percentile of the other values."""
STEPS = 2.0
"""The same for whole numbers, at the least."""
ENDS = frozenset({0.0, 255.0})
"""Ends of the scale of 8 bits."""
FEW_NEAR = 0.2
"""Most values near a fill, as a share of those that hold it."""
FEW_CLOSE = 0.01
"""Most pixels near the spectrum of a fill, as a share of the others."""
MOST = 2
"""Most fills of a band, or numbers in the spectrum of a fill."""
MANY = 32
"""Different values of data, at the least."""

Array = NDArray[np.float64]


class Fill(NamedTuple):
    """A number that looks like no data."""

    value: float
    """The number."""
    bands: tuple[int, ...]
    """Positions of the bands that hold it, from 0."""
    share: float
    """Share of the pixels, the largest of these bands."""
    variance: float | None = None
    """Share of the variance that it makes, the largest of these bands; None where it fills pixels
    in all bands at once."""


def find_fills(sample: NDArray[np.floating]) -> list[Fill]:
    """Return the fills of a sample of pixels, axes (pixel, band)."""
    x = np.asarray(sample, np.float64)
    x = x[np.isfinite(x).any(axis=1)]
    if len(x) < FEWEST_PIXELS:
        return []
    spectra, rest = _spectra(x)
    return [*spectra, *_values(rest, len(x))]


def _spectra(x: Array) -> tuple[list[Fill], Array]:
    """Return the fills of whole pixels, and the pixels without them."""
    fills: list[Fill] = []
    rest = x
    while x.shape[1] > 1 and len(rest) > FEWEST_PIXELS and len(fills) < MOST:
        spectrum, same = _most_frequent(rest)
        if not _is_fill(rest, spectrum, same, SHARE * len(x)):
            break
        values = sorted(set(spectrum[np.isfinite(spectrum)].tolist()))
        for value in values:
            bands = tuple(np.flatnonzero(spectrum == value).tolist())
            fills.append(Fill(value, bands, float(same.sum()) / len(x)))
        rest = rest[~same]
    return fills, rest


def _most_frequent(x: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the most frequent spectrum, and which pixels have it."""
    # A random projection of the bits: sorting whole spectra takes far longer.
    bits = np.random.default_rng(0).integers(1, 2**63, x.shape[1], np.uint64) | np.uint64(1)
    codes = (np.ascontiguousarray(x).view(np.uint64) * bits).sum(axis=1, dtype=np.uint64)
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    position = first[counts.argmax()]
    return x[position], np.asarray(codes == codes[position])


def _is_fill(x: Array, spectrum: Array, same: NDArray[np.bool_], fewest: float) -> bool:
    numbers = spectrum[np.isfinite(spectrum)]
    if same.sum() < max(FEWEST_PIXELS, fewest) or len(set(numbers.tolist())) > MOST or same.all():
        return False
    others = x[~same]
    with np.errstate(invalid="ignore"):
        near = (np.abs(others - spectrum) <= _nearness(others)) | ~np.isfinite(spectrum)
    close = near.all(axis=1)
    if set(numbers.tolist()) <= ENDS and _of_8_bits(x):  # pixels saturate in one band first
        close |= (others == spectrum).any(axis=1)
    return bool(close.sum() <= min(FEW_NEAR * same.sum(), FEW_CLOSE * len(others)))


def _values(x: Array, pixels: int) -> Iterator[Fill]:
    """Yield the fills of single bands."""
    found: dict[float, list[Fill]] = {}
    for band in range(x.shape[1]):
        values = x[:, band]
        for fill in _values_of(values[np.isfinite(values)], band, pixels):
            found.setdefault(fill.value, []).append(fill)
    for value, fills in found.items():
        bands = tuple(position for fill in fills for position in fill.bands)
        variance = max(fill.variance or 0.0 for fill in fills)
        yield Fill(value, bands, max(fill.share for fill in fills), variance)


def _values_of(values: Array, band: int, pixels: int) -> Iterator[Fill]:
    for _ in range(MOST):
        numbers, counts = np.unique(values, return_counts=True)
        frequent = np.argsort(-counts, kind="stable")[:MOST]
        frequent = frequent[counts[frequent] >= max(FEWEST_PIXELS, BAND_SHARE * pixels)]
        left = [values[values != numbers[each]] for each in frequent]
        if not left or values.std() == 0 or len(numbers) < MANY + MOST:
            return
        variances = [float(part.var()) / float(values.var()) for part in left]
        best = int(np.argmin(variances))
        value, others = float(numbers[frequent[best]]), left[best]
        near = np.abs(others - value) <= _nearness(others)
        count = int(counts[frequent[best]])
        saturated = value in ENDS and _of_8_bits(numbers)
        if variances[best] >= 0.5 or near.sum() > FEW_NEAR * count or saturated:
            return
        yield Fill(value, (band,), count / pixels, 1 - variances[best])
        values = others


def _nearness(values: Array) -> Array:
    """Return the distance within which a value lies near another, of each band."""
    steps = np.where((values == values.round()).all(axis=0), STEPS, 0.0)  # of whole numbers
    known = np.where(np.isnan(values).all(axis=0), 0.0, values)
    low, high = np.nanpercentile(known, (16, 84), axis=0)  # not changed by another fill
    return np.asarray(np.maximum(NEAR * (high - low) / 2, steps))


def _of_8_bits(numbers: Array) -> bool:
    """Return whether values are those of a band of 8 bits, where water and clouds saturate."""
    whole = (numbers == numbers.round()) & (numbers >= 0) & (numbers <= 255)
    return bool((whole | np.isnan(numbers)).all())
