"""Standardisation of bands; the band is the last axis, NaN = no data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FARTHEST = 1e9
"""Standard deviations at which a value is clipped, so that a finite value has a finite score."""


@dataclass(frozen=True)
class Scaler:
    """Brings each band to mean 0 and standard deviation 1 over the training examples."""

    centre: NDArray[np.float64]
    """Mean, data units, shape (band,)."""
    std: NDArray[np.float64]
    """Standard deviation, data units, above 0."""

    def scale(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn data units into standard deviations from the mean, shape (..., band)."""
        with np.errstate(over="ignore"):  # overflow is clipped below
            scaled = np.subtract(x, self.centre.astype(np.float32), dtype=np.float32)
            scaled /= self.std.astype(np.float32)
        return np.clip(scaled, -FARTHEST, FARTHEST, out=scaled)

    def unscale(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `scale`."""
        return np.asarray(x * self.std + self.centre, np.float32)
