"""The background that a detector has learnt: mean and covariance of its training spectra.

Both are those of the spectra nearest to the mean (`anomvae.stats.rx.stream_trimmed_moments`), so
that anomalies among them do not count.  The covariance S is kept as its whitening S^-1/2, the
symmetric one (Kessy, Lewin & Strimmer 2018); directions without variance, such as that between
copied bands, are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rx import FLOOR, stream_trimmed_moments, symmetric_whitening

PRECISION = (100 * float(np.finfo(np.float32).eps)) ** 2
"""Ratio to the largest variance below which a direction holds the rounding of float32."""


@dataclass(frozen=True)
class Background:
    """Centre and whitening of spectra, or of codes."""

    centre: NDArray[np.float64]
    """m, scaled units, shape (band,)."""
    whitening: NDArray[np.float64]
    """S^-1/2 up to a factor, symmetric, shape (band, band), multiplied from the right."""

    def times(self, factor: float) -> Background:
        """Return the background with its squared distances multiplied by a factor."""
        return Background(self.centre, np.sqrt(factor) * self.whitening)

    def distance(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the squared length of whitened spectra (n, band), scaled units, shape (n,)."""
        whitened = self.whiten(scaled)
        return np.asarray(np.einsum("ij,ij->i", whitened, whitened))

    def whiten(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distance of spectra (..., band) to the centre along each whitened band."""
        return np.asarray((scaled.astype(np.float64) - self.centre) @ self.whitening)


def fit_background(scaled: NDArray[np.float32]) -> Background:
    """Fit the background to spectra (n, band) in scaled units, with the factor 1."""
    trimmed = stream_trimmed_moments(lambda: [scaled])
    variances, directions = np.linalg.eigh(trimmed.covariance)
    kept = variances > max(PRECISION * variances[-1], FLOOR)
    whitening = symmetric_whitening(variances[kept], directions[:, kept])
    return Background(trimmed.mean, whitening)
