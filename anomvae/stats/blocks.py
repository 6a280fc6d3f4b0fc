"""Apply functions of spectra to blocks of pixels, axes (row, col, band); NaN = no data.

Matrix products round a row by how many rows there are.  Spectra are given in batches of one size,
the last one padded, so that the result of a pixel does not depend on the block that it lies in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spectra = NDArray[np.float32]

BATCH = 1024


def of_valid(function: Callable[[Spectra], Array], block: Spectra) -> Array:
    """Apply a function of spectra (n, band) to the pixels that have data in every band.

    Returns shape (row, col, ...): what the function returns of each spectrum; NaN without data.
    """
    valid = np.isfinite(block).all(axis=-1)
    if not valid.any():
        return np.full(valid.shape, np.nan)
    values = in_batches(function, block[valid])
    result = np.full((*valid.shape, *values.shape[1:]), np.nan)
    result[valid] = values
    return result


def in_batches(function: Callable[[Spectra], Array], spectra: Spectra) -> Array:
    """Apply a function of spectra (n, band), n > 0, in batches of one size."""
    count = len(spectra)
    padded = np.concatenate([spectra, np.repeat(spectra[-1:], -count % BATCH, axis=0)])
    parts = [function(padded[first : first + BATCH]) for first in range(0, count, BATCH)]
    return np.asarray(np.concatenate(parts)[:count], np.float64)
