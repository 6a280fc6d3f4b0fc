"""Moments of bands, summed in a stream.

`Moments` are mean and covariance of spectra (n, band) without gaps.  `BandStatistics` are mean and
variance of each band alone, of examples (..., band) with gaps: NaN and infinity are no data.  Sums
are float64.  Two parts A and B with means m and sums of squared deviations M (scatter) merge by
(Chan, Golub & LeVeque 1983)::

    n = n_A + n_B      d = m_B - m_A
    m = m_A + d n_B / n
    M = M_A + M_B + d^2 n_A n_B / n

so that bands far from 0 keep their variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scaler import Scaler

DEAD = 1e-6
"""A band with a smaller ratio of standard deviation to largest value shows float32 rounding."""
PART = 65_536  # examples per part: float64 of a whole sample would take twice its memory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of spectra."""

    count: int
    """Spectra."""
    mean: Array
    """Mean, data units, shape (band,)."""
    scatter: Array
    """Sum of outer products of deviations from the mean, shape (band, band)."""

    @property
    def covariance(self) -> Array:
        """Covariance, shape (band, band); unbiased."""
        return self.scatter / max(self.count - 1, 1)

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both parts together."""
        return Moments(*_merged(self, other, lambda step: np.outer(step, step)))


@dataclass(frozen=True)
class BandStatistics:
    """Statistics of each band, shape (band,); no data counts nowhere."""

    count: NDArray[np.int64]
    """Values."""
    mean: Array
    """Mean, data units; 0 without values."""
    scatter: Array
    """Sum of squared deviations from the mean."""
    largest: Array
    """Largest magnitude, data units."""

    @property
    def std(self) -> Array:
        """Standard deviation, data units."""
        return np.asarray(np.sqrt(self.scatter / np.maximum(self.count, 1)))

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Bands without data, or with a single value."""
        return np.asarray(self.std <= DEAD * self.largest)

    def merged(self, other: BandStatistics) -> BandStatistics:
        """Return the statistics of both parts together."""
        sums = _merged(self, other, lambda step: step**2)
        return BandStatistics(*sums, np.maximum(self.largest, other.largest))

    def scaler(self) -> Scaler:
        """Return the scaler to mean 0 and standard deviation 1; no band may be dead."""
        return Scaler(self.mean, self.std)


def _merged(
    one: Moments | BandStatistics,
    other: Moments | BandStatistics,
    squared: Callable[[Array], Array],
) -> tuple[Any, Array, Array]:
    """Return count, mean and scatter of two parts together."""
    count = one.count + other.count
    share = other.count / np.maximum(count, 1)
    step = other.mean - one.mean
    scatter = one.scatter + other.scatter + one.count * share * squared(step)
    return count, one.mean + share * step, scatter


def moments(x: NDArray[np.floating]) -> Moments:
    """Return the moments of spectra (n, band)."""
    spectra = x.astype(np.float64)
    mean = spectra.mean(axis=0) if len(spectra) else np.zeros(spectra.shape[1])
    deviations = spectra - mean
    return Moments(len(spectra), mean, deviations.T @ deviations)


def band_statistics(examples: NDArray[np.floating]) -> BandStatistics:
    """Return the statistics of each band of examples (..., band)."""
    x = examples.reshape(-1, examples.shape[-1]).astype(np.float64)
    valid = np.isfinite(x)
    x[~valid] = 0.0
    count = valid.sum(axis=0)
    mean = x.sum(axis=0) / np.maximum(count, 1)
    scatter = (((x - mean) * valid) ** 2).sum(axis=0)
    largest = np.abs(x).max(axis=0, initial=0.0)
    return BandStatistics(count, mean, scatter, largest)


def in_parts(examples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Cut many examples (n, ...) into parts, at least one."""
    return (examples[i : i + PART] for i in range(0, max(1, len(examples)), PART))


def stream_moments(parts: Iterable[NDArray[np.floating]]) -> Moments:
    """Return the moments of a stream of spectra, one array in memory at a time."""
    return reduce(Moments.merged, map(moments, parts))


def stream_statistics(parts: Iterable[NDArray[np.floating]]) -> BandStatistics:
    """Return the statistics of a stream of examples, one array in memory at a time."""
    return reduce(BandStatistics.merged, map(band_statistics, parts))
