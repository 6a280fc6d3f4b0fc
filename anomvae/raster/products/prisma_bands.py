"""Bands of a PRISMA product: in one order, without overlap, and without those of many errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...pixels.bands import Band, Bands
from .prisma_cube import PrismaCube

SAMPLED_ROWS = 32
"""Rows whose errors are counted, spread evenly."""
MOST_LOST = 0.1
"""Share of the pixels that errors in single bands may hide."""


def prisma_bands(cube: PrismaCube, nodata: float | None) -> Bands:
    """Describe the bands of both detectors in order of wavelength.

    Where the detectors overlap (some 940 to 980 nm), the bands of VNIR are bad, as in prismaread's
    ``join_priority = "SWIR"``.  Bands with the most errors are bad, too, see `erroneous_bands`.
    """
    vnir, swir = cube.detectors
    start = len(vnir.wavelengths)
    first, second = list(vnir.bands(1, nodata)), list(swir.bands(start + 1, nodata))
    begin = min((band.wavelength or 0.0 for band in second), default=np.inf)
    first = [
        replace(band, bad=f"overlaps SWIR, which begins at {begin:g} nm")
        if (band.wavelength or 0.0) >= begin
        else band
        for band in first
    ]
    items = sorted(first + second, key=lambda band: (band.wavelength or 0.0, band.index))
    bands = Bands(tuple(items), source=start + len(swir.wavelengths), named=True)
    good = [band for band in bands if not band.bad]
    shares = erroneous_bands(_errors(cube, good, nodata))
    bad = {good[at].index: f"errors in {share:.0%} of the pixels" for at, share in shares.items()}
    return bands.keep([replace(b, bad=bad.get(b.index, b.bad)) for b in bands])


def erroneous_bands(errors: NDArray[np.bool_], most: float = MOST_LOST) -> dict[int, float]:
    """Choose bands to drop, so that errors in single bands hide few pixels.

    A pixel with an error in any band is no data.  Absorption bands of water vapour have an error in
    nearly every pixel, so they are dropped, those with the most errors first, until at most the
    share ``most`` of the pixels is hidden.  Pixels with errors in more than half of the bands do
    not count: they are outside the scene, or saturated.

    Parameters
    ----------
    errors : array of bool, shape (pixels, bands)
        Where a number is not valid.

    Returns
    -------
    dict of int to float
        The chosen bands, by their positions, with their share of errors; at most half of all.

    Examples
    --------
    >>> errors = np.zeros((100, 4), bool)
    >>> errors[:90, 2] = errors[0, 1] = True
    >>> erroneous_bands(errors)
    {2: 0.9}
    """
    usable = errors[errors.mean(axis=1) <= 0.5]
    if not len(usable):
        return {}
    shares, wrong = usable.mean(axis=0), usable.sum(axis=1)
    chosen: dict[int, float] = {}
    for band in np.argsort(-shares, kind="stable")[: len(shares) // 2]:
        if (wrong > 0).mean() <= most:
            break
        chosen[int(band)] = float(shares[band])
        wrong = wrong - usable[:, band]
    return chosen


def _errors(cube: PrismaCube, bands: Sequence[Band], nodata: float | None) -> NDArray[np.bool_]:
    """Return where a number is not valid in a sample of rows, axes (pixel, band)."""
    rows, cols = cube.shape
    sampled = np.unique(np.linspace(0, rows - 1, SAMPLED_ROWS).astype(int))
    indexes = [band.index for band in bands]
    parts = [cube.read(indexes, (slice(row, row + 1), slice(0, cols)))[0] for row in sampled]
    values = np.concatenate(parts)
    return np.asarray(np.isnan(values) | (False if nodata is None else values == nodata))
