"""RX: the squared Mahalanobis distance of a spectrum to the mean of its scene.

The baseline of this field (Reed & Yu 1990), always printed beside the autoencoder::

    rx(x) = (x - m)' S^-1 (x - m)          m, S: mean and covariance of the scene

Spectra have axes (n, band).  Directions without variance, such as copied bands, are dropped
(pseudo-inverse).  Robust RX takes the moments of the spectra nearest to them, so that anomalies do
not widen the covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .moments import Array, Moments, stream_moments

FLOOR = 1e-24
"""Variance below which whitened spectra do not fit float32, scaled units squared."""
PIXELS_PER_BAND = 5
"""Pixels per band below which a covariance does not hold for other pixels: with as many pixels as
bands, theirs have a thousand times the distance."""

Stream = Callable[[], Iterable[NDArray[np.floating]]]
"""Starts to read spectra in parts, each (n, band); each call gives the same parts."""


def whitener(covariance: Array) -> Array:
    """Return W with ``W W' = pinv(covariance)``, shape (band, rank).

    The sign and order of its columns do not matter: only distances after ``x @ W`` do.
    """
    variances, directions = np.linalg.eigh(covariance)
    floor = max(variances[-1], 0.0) * len(variances) * np.finfo(np.float64).eps
    kept = variances > floor
    return np.asarray(directions[:, kept] / np.sqrt(variances[kept]))


def symmetric_whitening(variances: Array, directions: Array) -> Array:
    """Return ``S^-1/2``, symmetric, shape (band, band).

    S has these variances, shape (rank,), all above 0, along the directions (band, rank).
    """
    return np.asarray(directions / np.sqrt(variances) @ directions.T)


@dataclass(frozen=True)
class RX:
    """A fitted RX detector."""

    mean: Array
    """Mean of the scene, data units, shape (band,)."""
    whitening: Array
    """``pinv(S)`` is its product with its transpose, shape (band, rank)."""

    def score(self, x: NDArray[np.floating]) -> Array:
        """Return the distance of spectra (n, band), shape (n,); NaN where a band is NaN."""
        whitened = self.whitened(x)
        return np.asarray(np.einsum("ij,ij->i", whitened, whitened))

    def whitened(self, x: NDArray[np.floating]) -> Array:
        """Return spectra (n, band) where the covariance is the identity, shape (n, rank)."""
        return np.asarray((x.astype(np.float64) - self.mean) @ self.whitening)


def fit_rx(parts: Iterable[NDArray[np.floating]]) -> RX:
    """Fit global RX to a stream of spectra, each part (n, band)."""
    scene = stream_moments(parts)
    return RX(scene.mean, whitener(scene.covariance))


def fit_robust_rx(stream: Stream, keep: float = 0.95, rounds: int = 3) -> RX:
    """Fit global RX to trimmed moments, reading the stream ``2 * rounds + 1`` times."""
    kept = stream_trimmed_moments(stream, keep, rounds)
    return RX(kept.mean, whitener(kept.covariance))


def stream_trimmed_moments(
    stream: Stream, keep: float = 0.95, rounds: int = 3, shrink: float = 0.0
) -> Moments:
    """Return the moments of the spectra nearest to their mean; outliers do not count.

    Each round reads the stream twice, and keeps the share ``keep``, in (0, 1], of the spectra: the
    nearest by the moments of the last round, their covariance shrunk by `shrunk`.  In memory are
    one part and all distances, 8 bytes each.  The moments are neither shrunk nor corrected for the
    variance that trimming removes.
    """
    kept = stream_moments(stream())
    for _ in range(rounds):
        last = RX(kept.mean, whitener(shrunk(kept.covariance, shrink)))
        distances = [last.score(part) for part in stream()]
        cut = np.quantile(np.concatenate(distances), keep)
        parts = zip(stream(), distances, strict=True)
        kept = stream_moments(part[distance <= cut] for part, distance in parts)
    return kept


def shrunk(covariance: Array, weight: float) -> Array:
    """Move a covariance towards its diagonal (Ledoit & Wolf 2004, with a fixed weight)."""
    return (1 - weight) * covariance + weight * np.diag(np.diag(covariance))
