"""Baselines: plain detectors, fitted to the scene that they score.

Spectra have axes (n, band), data units, without NaN.  A baseline is a row of `BASELINES`: a
function that is fitted to a stream of the scene's spectra and returns one that scores spectra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, hint
from ..stats.moments import stream_moments
from ..stats.rx import fit_robust_rx, fit_rx

Spectra = NDArray[np.float32]
Stream = Callable[[], Iterator[Spectra]]
"""Reads the scene's valid spectra from the start, part by part."""
Score = Callable[[Spectra], NDArray[Any]]
"""Scores spectra (n, band), shape (n,); higher is more anomalous."""

COMPONENTS = 10
FOREST_SPECTRA = 65_536  # a forest draws 256 for each tree


def pca(stream: Stream) -> Score:
    """Fit principal components: the squared residual of standardised bands beyond the first ten."""
    moments = stream_moments(stream())
    std = np.sqrt(np.diag(moments.covariance))
    std[std == 0] = 1.0
    correlation = moments.covariance / np.outer(std, std)
    kept = min(COMPONENTS, len(std) // 2)
    _, directions = np.linalg.eigh(correlation)
    rest = directions[:, : len(std) - kept]

    def score(x: Spectra) -> NDArray[np.float64]:
        residual = ((x - moments.mean) / std) @ rest
        return np.asarray(np.einsum("ij,ij->i", residual, residual))

    return score


def isolation_forest(stream: Stream) -> Score:
    """Fit an isolation forest (Liu, Ting & Zhou 2008) with scikit-learn's defaults."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=0).fit(_sample(stream, FOREST_SPECTRA))
    return lambda x: -np.asarray(forest.score_samples(x))


def _sample(stream: Stream, size: int) -> Spectra:
    """Draw at most ``size`` spectra, each with equal chance: those of the smallest random keys."""
    rng = np.random.default_rng(0)
    keys, sample = np.empty(0), None
    for part in stream():
        keys = np.append(keys, rng.random(len(part)))
        sample = part if sample is None else np.concatenate([sample, part])
        chosen = np.argsort(keys)[:size]
        keys, sample = keys[chosen], sample[chosen]
    return np.empty((0, 1), np.float32) if sample is None else sample


BASELINES: dict[str, Callable[[Stream], Score]] = {
    "rx": lambda stream: fit_rx(stream()).score,  # the squared Mahalanobis distance to the mean
    "rrx": lambda stream: fit_robust_rx(stream).score,  # keeps 8 bytes per spectrum
    "pca": pca,
    "iforest": isolation_forest,
}


def require_baselines(names: Iterable[str]) -> None:
    """Raise ConfigError when a name is not that of a baseline."""
    for name in names:
        if name not in BASELINES:
            raise ConfigError(f"No baseline is called {name!r}. {hint(name, BASELINES)}")
