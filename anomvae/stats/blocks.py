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


def of_valid(
    function: Callable[[Spectra], Array], block: Spectra, valid: NDArray[np.bool_] | None = None
) -> Array:
    """Apply a function of spectra (n, band) to the pixels that have data in every band.

    Returns shape (row, col, ...): what the function returns of each spectrum; NaN without data.
    Of a block of other axes, (row, col, ..., band), ``valid`` (row, col) are the pixels.
    """
    where = np.asarray(np.isfinite(block).all(axis=-1) if valid is None else valid)
    rows, cols = np.nonzero(where)
    result = np.full(where.shape, np.nan)
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH], cols[first : first + BATCH]
        values = _padded(function, block[batch])
        if first == 0:
            result = np.full((*where.shape, *values.shape[1:]), np.nan)
        result[batch] = values
    return result


def _padded(function: Callable[[Spectra], Array], spectra: Spectra) -> Array:
    """Apply a function of spectra to some of them, with the last one repeated up to a batch."""
    lacking = BATCH - len(spectra)
    if lacking:
        spectra = np.concatenate([spectra, np.repeat(spectra[-1:], lacking, axis=0)])
    return np.asarray(function(spectra)[: BATCH - lacking])
