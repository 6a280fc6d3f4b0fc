"""RX: the squared Mahalanobis distance of a spectrum to the mean of its scene.

The floor of this field (Reed & Yu 1990), always printed beside the autoencoder::

    rx(x) = (x - m)' S^-1 (x - m)          m, S: mean and covariance of the scene

Spectra have axes (n, band).  Moments are float64 and merged in a stream (Chan, Golub & LeVeque
1983); directions without variance, such as copied bands, are left out (pseudo-inverse).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of spectra seen so far."""

    count: int
    """Spectra seen."""
    mean: Array
    """Mean, shape (band,)."""
    scatter: Array
    """Sum of outer products of deviations from the mean, shape (band, band)."""

    @property
    def covariance(self) -> Array:
        """Covariance, shape (band, band); unbiased."""
        return self.scatter / max(self.count - 1, 1)

    def merged(self, other: Moments) -> Moments:
        """Add what another part of the stream says."""
        count = self.count + other.count
        share = other.count / max(count, 1)
        step = other.mean - self.mean
        scatter = self.scatter + other.scatter + self.count * share * np.outer(step, step)
        return Moments(count, self.mean + share * step, scatter)


def moments(x: NDArray[np.floating]) -> Moments:
    """Describe spectra of shape (n, band)."""
    spectra = x.astype(np.float64)
    mean = spectra.mean(axis=0) if len(spectra) else np.zeros(spectra.shape[1])
    deviations = spectra - mean
    return Moments(len(spectra), mean, deviations.T @ deviations)


def stream_moments(parts: Iterable[NDArray[np.floating]]) -> Moments:
    """Describe a stream of arrays of spectra, one array in memory at a time."""
    described = map(moments, parts)
    total = next(described)
    for part in described:
        total = total.merged(part)
    return total


def whitener(covariance: Array) -> Array:
    """Give W with ``W W' = pinv(covariance)``, shape (band, rank).

    The sign and order of its columns do not matter: distances after ``x @ W`` do.
    """
    variances, directions = np.linalg.eigh(covariance)
    floor = max(variances[-1], 0.0) * len(variances) * np.finfo(np.float64).eps
    kept = variances > floor
    return np.asarray(directions[:, kept] / np.sqrt(variances[kept]))


def mahalanobis(x: NDArray[np.floating], mean: Array, whitening: Array) -> Array:
    """Squared Mahalanobis distance of spectra (n, band) to ``mean``, shape (n,)."""
    whitened = (x.astype(np.float64) - mean) @ whitening
    return np.asarray(np.einsum("ij,ij->i", whitened, whitened))


@dataclass(frozen=True)
class RX:
    """A fitted RX detector."""

    mean: Array
    """Mean of the scene, data units, shape (band,)."""
    whitening: Array
    """``pinv(S)`` is its product with its transpose, shape (band, rank)."""

    def score(self, x: NDArray[np.floating]) -> Array:
        """Squared Mahalanobis distance of spectra (n, band), shape (n,); NaN in = NaN out."""
        return mahalanobis(x, self.mean, self.whitening)


def fit_rx(parts: Iterable[NDArray[np.floating]]) -> RX:
    """Fit global RX to a stream of arrays of spectra, each (n, band)."""
    described = stream_moments(parts)
    return RX(described.mean, whitener(described.covariance))


def trimmed_moments(
    x: NDArray[np.floating], keep: float = 0.95, rounds: int = 3, shrink: float = 0.0
) -> Moments:
    """Mean and covariance of the spectra nearest to them: outliers have no say.

    Parameters
    ----------
    x : array, shape (n, band)
        Spectra or residuals.
    keep : float, default 0.95
        Share of the spectra that each round keeps, in (0, 1].
    rounds : int, default 3
        Re-estimations, each on the spectra nearest by the last one's distance.
    shrink : float, default 0
        Weight of the diagonal in the covariance that measures distance, in [0, 1].

    Returns
    -------
    Moments
        Not shrunk; with the variance that trimming takes away not given back.
    """
    found = moments(x)
    for _ in range(rounds):
        distance = mahalanobis(x, found.mean, whitener(shrunk(found.covariance, shrink)))
        nearest = distance <= np.quantile(distance, keep)
        found = moments(x[nearest])
    return found


def shrunk(covariance: Array, weight: float) -> Array:
    """Move a covariance towards its diagonal (Ledoit & Wolf 2004, weight given)."""
    return (1 - weight) * covariance + weight * np.diag(np.diag(covariance))
