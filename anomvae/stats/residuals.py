"""The residuals that spectra have around what their codes decode to: noise of drawn spectra.

Training fits noise that is independent in every band and the same for every code.  Residuals are
neither: neighbouring bands err together, and materials differ.  So their density is estimated once
more after training, given the code: ex-post density estimation (Ghosh et al. 2020), of residuals
where theirs is of codes.  Codes are still drawn from the prior.  It serves generation alone; no
score depends on it.

For codes z drawn from q(z | x), r = x - mean(x | z) in scaled units, and a = the leading principal
components of r, scaled to variance 1, a mixture of normals is fitted to (z, a)
(`anomvae.stats.mixture`).  Given z, a is a mixture again::

    P(k | z) ~ w_k N(z; m_k, S_k)        a | z, k ~ N(b_k + (z - m_k) G_k, T_k)
    r = c + a D + e                      e_band ~ N(0, s_k,band^2)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mixture import fit_mixture
from .rx import FLOOR

COMPONENTS = 10
"""Normals of the mixture: a few for each material."""
DIRECTIONS = 10
"""Principal components of residuals, at the most."""
PER_VALUE = 10
"""Examples for each value of (z, a) that there must be at the least."""
MAX_CODE = 64
"""Values of the longest code: the mixture has its square."""
RIDGE = 1e-3
"""Variance that is added to each value of (z, a), of variance 1."""
ARRAYS = (
    "level",
    "codes",
    "whitening",
    "means",
    "slopes",
    "roots",
    "centre",
    "directions",
    "rest",
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ResidualMixture:
    """A mixture of normals for the residuals of spectra, given their codes."""

    level: Floats
    """log w_k - 1/2 log det S_k, (component,)."""
    codes: Floats
    """m_k, (component, latent)."""
    whitening: Floats
    """S_k^-1/2, multiplied from the right, (component, latent, latent)."""
    means: Floats
    """b_k, (component, direction)."""
    slopes: Floats
    """G_k, (component, latent, direction)."""
    roots: Floats
    """T_k^1/2, multiplied from the right, (component, direction, direction)."""
    centre: Floats
    """c, scaled units, (band,)."""
    directions: Floats
    """D, scaled units, (direction, band)."""
    rest: Floats
    """s_k, scaled units, (component, band)."""

    @property
    def tensors(self) -> dict[str, Floats]:
        """Its arrays, by their names in a model file."""
        return {f"residuals.{name}": getattr(self, name) for name in ARRAYS}

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> ResidualMixture:
        """Build a mixture from the arrays of a model file."""
        return cls(**{name: tensors[f"residuals.{name}"] for name in ARRAYS})

    def draw(self, z: NDArray[np.float32], rng: np.random.Generator) -> Floats:
        """Draw a residual for each code (n, latent), scaled units, (n, band)."""
        drawn = np.empty((len(z), len(self.centre)))
        chosen = self._components(z, rng)
        normal = rng.standard_normal((len(z), self.means.shape[1]))
        rest = rng.standard_normal(drawn.shape)
        for number in range(len(self.level)):
            here = chosen == number
            a = self.means[number] + (z[here] - self.codes[number]) @ self.slopes[number]
            a += normal[here] @ self.roots[number]
            drawn[here] = self.centre + a @ self.directions + rest[here] * self.rest[number]
        return drawn

    def _components(self, z: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int_]:
        """Draw the component of each code, (n,)."""
        whitened = np.einsum("nkl,klm->nkm", z[:, np.newaxis] - self.codes, self.whitening)
        logs = self.level - 0.5 * np.square(whitened).sum(axis=-1)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True)).cumsum(axis=1)
        at = rng.uniform(size=(len(z), 1)) * shares[:, -1:]
        return np.asarray((shares <= at).sum(axis=1).clip(max=len(self.level) - 1))


def shapes(bands: int, latent: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a mixture."""
    k, many = min(DIRECTIONS, bands), COMPONENTS
    given = ((many,), (many, latent), (many, latent, latent))
    drawn = ((many, k), (many, latent, k), (many, k, k))
    found = (*given, *drawn, (bands,), (k, bands), (many, bands))
    return dict(zip(ARRAYS, found, strict=True))


def fit_residuals(
    z: NDArray[np.float32], residuals: NDArray[np.float32], seed: int
) -> ResidualMixture | None:
    """Fit a mixture to codes (n, latent) and residuals (n, band); None where they are too few."""
    count, latent = z.shape
    k = min(DIRECTIONS, residuals.shape[1])
    if latent > MAX_CODE or count < PER_VALUE * (latent + k):
        return None
    r = residuals.astype(np.float64)
    centre = r.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(r.T).reshape(len(centre), -1))
    std = np.sqrt(np.maximum(variances[::-1][:k], FLOOR))
    directions = (axes[:, ::-1][:, :k] * std).T
    a = (r - centre) @ axes[:, ::-1][:, :k] / std
    rest = r - centre - a @ directions
    middle, scale = z.mean(axis=0, dtype=np.float64), z.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 0, scale, 1.0)
    values = np.concatenate([(z - middle) / scale, a], axis=1)
    mixture = fit_mixture(values, COMPONENTS, RIDGE, seed)
    fitted = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    parts = [_conditional(*part, latent) for part in fitted]
    level, codes, whitening, means, slopes, roots = map(np.stack, zip(*parts, strict=True))
    component = mixture.logs(values.T).argmax(axis=0)
    return ResidualMixture(
        level,
        middle + codes * scale,
        whitening / scale[:, np.newaxis],
        means,
        slopes / scale[:, np.newaxis],
        roots,
        centre,
        directions,
        np.stack([_rms(rest[component == number], rest) for number in range(COMPONENTS)]),
    )


def _conditional(
    weight: float, mean: Floats, covariance: Floats, latent: int
) -> list[NDArray[Any]]:
    """Return level, code, whitening, mean, slope and root of one component."""
    of_code, cross = covariance[:latent, :latent], covariance[:latent, latent:]
    root = np.linalg.cholesky(of_code)
    slope = np.linalg.solve(of_code, cross)
    given = covariance[latent:, latent:] - cross.T @ slope
    level = np.log(weight) - np.log(np.diag(root)).sum()
    last = np.linalg.cholesky((given + given.T) / 2 + FLOOR * np.eye(len(given))).T
    return [np.asarray(level), mean[:latent], np.linalg.inv(root).T, mean[latent:], slope, last]


def _rms(rest: Floats, otherwise: Floats) -> Floats:
    return np.asarray(np.sqrt(np.square(rest if len(rest) else otherwise).mean(axis=0)))
