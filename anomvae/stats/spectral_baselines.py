"""Plain detectors that score each spectrum alone: principal components, and an isolation forest.

Spectra have axes (n, band), data units, without NaN.  Both are fitted to a stream of the spectra of
the scene that they score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Array, Spectra
from .moments import stream_moments

Stream = Callable[[], Iterable[Spectra]]
"""Reads the scene's valid spectra from the start, part by part."""

COMPONENTS = 10
FOREST_SPECTRA = 65_536  # a forest draws 256 for each tree
SAMPLED = 2**25
"""Values of a sample at most, 128 MiB."""


@dataclass(frozen=True)
class PrincipalComponents:
    """Squared residual of standardised bands beyond the first components."""

    mean: Array
    """Mean of the scene, data units, shape (band,)."""
    std: Array
    """Standard deviation, data units, shape (band,)."""
    rest: Array
    """Directions of the other components, shape (band, component)."""

    @classmethod
    def of(cls, stream: Stream) -> PrincipalComponents:
        """Fit to a scene: the first ten components, or half of them, are kept."""
        moments = stream_moments(stream())
        std = np.sqrt(np.diag(moments.covariance))
        std[std == 0] = 1.0
        correlation = moments.covariance / np.outer(std, std)
        kept = min(COMPONENTS, len(std) // 2)
        _, directions = np.linalg.eigh(correlation)
        return cls(moments.mean, std, directions[:, : len(std) - kept])

    def score(self, x: Spectra) -> Array:
        """Return the squared residual of spectra (n, band), shape (n,)."""
        residual = ((x - self.mean) / self.std) @ self.rest
        return np.asarray(np.einsum("ij,ij->i", residual, residual))


@dataclass(frozen=True)
class Forest:
    """An isolation forest (Liu, Ting & Zhou 2008) with scikit-learn's defaults."""

    trees: Any
    """An ``IsolationForest`` of scikit-learn."""

    @classmethod
    def of(cls, stream: Stream) -> Forest:
        """Fit to a sample of a scene."""
        from sklearn.ensemble import IsolationForest

        return cls(IsolationForest(random_state=0).fit(sample_of(stream, FOREST_SPECTRA)))

    def score(self, x: Spectra) -> NDArray[Any]:
        """Return the anomaly score of spectra (n, band), shape (n,), in (0, 1)."""
        return -np.asarray(self.trees.score_samples(x))


def sample_of(stream: Stream, size: int) -> Spectra:
    """Draw at most ``size`` examples (n, ..., band), of at most `SAMPLED` values.

    Each has an equal chance: they are those of the smallest random keys.
    """
    rng = np.random.default_rng(0)
    keys, sample = np.empty(0), None
    for part in stream():
        size = min(size, SAMPLED // max(1, part[:1].size))
        keys = np.append(keys, rng.random(len(part)))
        sample = part if sample is None else np.concatenate([sample, part])
        chosen = np.argsort(keys)[:size]
        keys, sample = keys[chosen], sample[chosen]
    return np.empty((0, 1), np.float32) if sample is None else sample
