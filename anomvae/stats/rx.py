"""RX: the squared Mahalanobis distance of a spectrum to the mean of its scene.

The floor of this field (Reed & Yu 1990), always printed beside the autoencoder::

    rx(x) = (x - m)' S^-1 (x - m)          m, S: mean and covariance of the scene

Spectra have axes (n, band).  Moments are float64 and merged in a stream (Chan, Golub & LeVeque
1983); directions without variance, such as copied bands, are left out (pseudo-inverse).  Robust RX
takes the moments of the spectra nearest to them: anomalies do not widen what counts as near.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Stream = Callable[[], Iterable[NDArray[np.floating]]]
"""Begins to read spectra, part by part, each (n, band); every time the same parts."""


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


def fit_robust_rx(stream: Stream, keep: float = 0.95, rounds: int = 3) -> RX:
    """Fit robust RX: global RX in which outliers have no say.

    Parameters
    ----------
    stream : callable
        Begins to read the spectra, part by part; it is called ``2 * rounds + 1`` times.
    keep, rounds
        As for `trimmed_moments`.

    Returns
    -------
    RX
        Directions without variance among the spectra kept are left out.
    """
    found = stream_trimmed_moments(stream, keep, rounds)
    return RX(found.mean, whitener(found.covariance))


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
    return stream_trimmed_moments(lambda: (x,), keep, rounds, shrink)


def stream_trimmed_moments(
    stream: Stream, keep: float = 0.95, rounds: int = 3, shrink: float = 0.0
) -> Moments:
    """Describe the nearest spectra of a stream as `trimmed_moments` does those of an array.

    Two passes a round, one array of spectra in memory at a time, and the distances: 8 bytes each.
    """
    found = stream_moments(stream())
    for _ in range(rounds):
        whitening = whitener(shrunk(found.covariance, shrink))
        distances = [mahalanobis(part, found.mean, whitening) for part in stream()]
        cut = np.quantile(np.concatenate(distances), keep)
        parts = zip(stream(), distances, strict=True)
        found = stream_moments(part[distance <= cut] for part, distance in parts)
    return found


def shrunk(covariance: Array, weight: float) -> Array:
    """Move a covariance towards its diagonal (Ledoit & Wolf 2004, weight given)."""
    return (1 - weight) * covariance + weight * np.diag(np.diag(covariance))
