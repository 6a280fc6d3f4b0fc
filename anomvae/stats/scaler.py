"""Centre and spread of every band, fitted in a stream; bands that carry nothing are found here.

Examples have the band on the last axis, data units, NaN = no data.  Sums are float64 and merged as
in Chan, Golub & LeVeque (1983), so that a band far from zero keeps its variance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEAD = 1e-6
"""A band whose spread is below this share of its largest value shows float32 rounding alone."""

FARTHEST = 1e9
"""Standard deviations at which a value is cut, so that no finite value has an infinite score."""


PART = 65_536  # examples described at a time: float64 of a whole sample would take its memory twice


@dataclass(frozen=True)
class BandStatistics:
    """What a stream of examples says of each band; no data is left out of every figure."""

    count: NDArray[np.int64]
    """Values seen, shape (band,)."""
    mean: NDArray[np.float64]
    """Mean, data units; 0 where nothing was seen."""
    scatter: NDArray[np.float64]
    """Sum of squared deviations from the mean."""
    largest: NDArray[np.float64]
    """Largest magnitude."""

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation, data units."""
        return np.asarray(np.sqrt(self.scatter / np.maximum(self.count, 1)))

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Bands without data, or with one value everywhere."""
        return np.asarray(self.std <= DEAD * self.largest)

    def merged(self, other: BandStatistics) -> BandStatistics:
        """Add what another part of the stream says."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        step = other.mean - self.mean
        return BandStatistics(
            count,
            self.mean + share * step,
            self.scatter + other.scatter + self.count * share * step**2,
            np.maximum(self.largest, other.largest),
        )

    def scaler(self) -> Scaler:
        """Scale by these figures; none of the bands may be dead."""
        return Scaler(self.mean, self.std)


def band_statistics(examples: NDArray[np.float32]) -> BandStatistics:
    """Describe one array of examples, shape (..., band)."""
    x = examples.reshape(-1, examples.shape[-1]).astype(np.float64)
    seen = np.isfinite(x)
    x[~seen] = 0.0
    count = seen.sum(axis=0)
    mean = x.sum(axis=0) / np.maximum(count, 1)
    scatter = (((x - mean) * seen) ** 2).sum(axis=0)
    largest = np.abs(x).max(axis=0, initial=0.0)
    return BandStatistics(count, mean, scatter, largest)


def in_parts(examples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Go through many examples some at a time; at least one part."""
    return (examples[i : i + PART] for i in range(0, max(1, len(examples)), PART))


def stream_statistics(parts: Iterable[NDArray[np.float32]]) -> BandStatistics:
    """Describe a stream of arrays of examples, one array in memory at a time."""
    described = map(band_statistics, parts)
    total = next(described)
    for part in described:
        total = total.merged(part)
    return total


@dataclass(frozen=True)
class Scaler:
    """Brings every band to mean 0 and standard deviation 1 over the training examples."""

    centre: NDArray[np.float64]
    """Mean, data units, shape (band,)."""
    std: NDArray[np.float64]
    """Standard deviation, data units, above 0."""

    def scale(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn data units into standard deviations from the mean, shape (..., band)."""
        with np.errstate(over="ignore"):  # what overflows is clipped
            scaled = np.subtract(x, self.centre.astype(np.float32), dtype=np.float32)
            scaled /= self.std.astype(np.float32)
        return np.clip(scaled, -FARTHEST, FARTHEST, out=scaled)

    def unscale(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `scale`."""
        return np.asarray(x * self.std + self.centre, np.float32)
