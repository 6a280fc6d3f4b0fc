"""A mixture of normals, fitted by expectation-maximisation (Dempster, Laird & Rubin 1977).

Of values x (n, value), with the weight w, mean m and covariance S of each component k::

    expectation    P(k | x) ~ w_k N(x; m_k, S_k)
    maximisation   w_k = mean P(k | x)    m_k, S_k: moments of x weighted by P(k | x), S_k + ridge

It starts from clusters of k-means (Lloyd 1982), whose centres are drawn far from each other first
(k-means++, Arthur & Vassilvitskii 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..parallel.threads import alone

ROUNDS = 10
"""Rounds of k-means: clusters that need not be final."""
ITERATIONS = 50
TOLERANCE = 1e-2
"""Gain of the mean log-likelihood, nats, below which it is good enough."""
LEAST = 10 * np.finfo(np.float64).eps
"""Examples that are added to each component, so that an empty one has moments."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Normals with weights."""

    weights: Floats
    """(component,), with a sum of 1."""
    means: Floats
    """(component, value)."""
    covariances: Floats
    """(component, value, value)."""

    @alone()  # sums of several threads have other bits each time
    def logs(self, values: Floats) -> Floats:
        """Return log w_k N(x; m_k, S_k) but for a constant, nats, (component, n).

        ``values`` (value, n) have the examples last: their sums over values are the fast ones.
        """
        logs, whitened = np.empty((len(self.weights), values.shape[1])), np.empty_like(values)
        for number, root in enumerate(np.linalg.cholesky(self.covariances)):
            factor = np.linalg.inv(root)
            np.matmul(factor, values, out=whitened)
            whitened -= (factor @ self.means[number])[:, np.newaxis]
            np.einsum("ij,ij->j", whitened, whitened, out=logs[number])
            logs[number] *= -0.5
            logs[number] += np.log(self.weights[number] / np.diag(root).prod())
        return logs


@alone()
def fit_mixture(values: Floats, components: int, ridge: float, seed: int) -> Mixture:
    """Fit a mixture of so many components to values (n, value).

    ``ridge`` is added to the variance of each value.  Values with fewer distinct rows than
    components leave some of these with next to no weight.
    """
    rng = np.random.default_rng(seed)
    columns = np.ascontiguousarray(values.T)
    mixture = _maximised(columns, _clusters(values, components, rng), ridge)
    before = -np.inf
    for _ in range(ITERATIONS):
        shares = mixture.logs(columns)
        level = shares.max(axis=0)
        np.exp(shares - level, out=shares)
        total = shares.sum(axis=0)
        mixture = _maximised(columns, shares / total, ridge)
        likelihood = float((level + np.log(total)).mean())
        if likelihood - before < TOLERANCE:
            break
        before = likelihood
    return mixture


def _maximised(values: Floats, shares: Floats, ridge: float) -> Mixture:
    """Return the mixture of values (value, n), given the shares (component, n) of components."""
    counts = shares.sum(axis=1) + LEAST
    means = shares @ values.T / counts[:, np.newaxis]
    moments, weighted = np.empty((len(counts), len(values), len(values))), np.empty_like(values)
    for number, share in enumerate(shares):
        np.multiply(values, share, out=weighted)
        moments[number] = weighted @ values.T / counts[number]
    squares = means[:, :, np.newaxis] * means[:, np.newaxis]
    return Mixture(counts / counts.sum(), means, moments - squares + ridge * np.eye(len(values)))


def _clusters(values: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return 1 where a value is in a cluster, else 0, (cluster, n)."""
    centres = _distant(values, count, rng)
    for _ in range(ROUNDS):
        shares = np.eye(count)[:, _distances(values, centres).argmin(axis=1)]
        centres = shares @ values / (shares.sum(axis=1) + LEAST)[:, np.newaxis]
    return shares


def _distant(values: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Draw rows, each with a chance that grows with its squared distance to those before."""
    chosen = [values[rng.integers(len(values))]]
    nearest = np.full(len(values), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, _distances(values, chosen[-1:])[:, 0])
        reached = nearest.cumsum()
        at = reached.searchsorted(rng.uniform() * reached[-1], side="right")
        chosen.append(values[min(at, len(values) - 1)])
    return np.stack(chosen)


def _distances(values: Floats, centres: Floats | list[Floats]) -> Floats:
    """Return the squared distance of each of the values (n, value) to centres, (n, centre)."""
    return np.stack([np.square(values - centre).sum(axis=1) for centre in centres], axis=1)
