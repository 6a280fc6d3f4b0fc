"""The linear term of the score: the distance of a spectrum to the mean of the scene.

For a spectrum ``x`` in scaled units, with rest = reconstruction + KL term::

    d2     = (x - m)' S^-1 (x - m)                    m, S: trimmed mean and covariance
    linear = c d2,  c = beta median(rest) / median(d2)    medians over training examples

d2 is robust RX (Reed & Yu 1990, `anomvae.stats.rx`).  A linear autoencoder of this kind is
probabilistic PCA (Tipping & Bishop 1999; Lucas et al. 2019), whose negative log-likelihood is such
a distance: the term is what a detector without any non-linearity would return.  A code of half as
many features as there are bands reconstructs nearly every spectrum of a few bands, so that its
KL term, the distance within the code, hides what the code cannot express; d2 weighs all directions
alike.  beta is the weight of the term against the others, in whatever unit they are.

Directions without variance, such as that between copied bands, are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rx import FLOOR, stream_trimmed_moments, symmetric_whitening

PRECISION = (100 * float(np.finfo(np.float32).eps)) ** 2
"""Ratio to the largest variance below which a direction holds the rounding of float32."""


@dataclass(frozen=True)
class LinearTerm:
    """Centre and whitening of spectra: the term is the sum of the whitened squares."""

    centre: NDArray[np.float64]
    """m, scaled units, shape (band,)."""
    whitening: NDArray[np.float64]
    """sqrt(c) S^-1/2, symmetric, shape (band, band), multiplied from the right."""

    def score(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the term of spectra (n, band) in scaled units, shape (n,), nats."""
        whitened = (scaled.astype(np.float64) - self.centre) @ self.whitening
        return np.asarray(np.einsum("ij,ij->i", whitened, whitened))


def fit_linear(scaled: NDArray[np.float32], rest: NDArray[np.float32], weight: float) -> LinearTerm:
    """Fit the term to training examples.

    Parameters
    ----------
    scaled : array, shape (n, band)
        Their spectra, scaled units.
    rest : array, shape (n,)
        Their scores without the term.
    weight : float
        beta.
    """
    trimmed = stream_trimmed_moments(lambda: [scaled])
    unweighted = LinearTerm(trimmed.mean, _whitening(trimmed.covariance))
    distance = float(np.median(unweighted.score(scaled)))
    factor = weight * float(np.median(rest)) / distance if distance else 0.0
    return LinearTerm(trimmed.mean, np.sqrt(factor) * unweighted.whitening)


def _whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    variances, directions = np.linalg.eigh(covariance)
    kept = variances > max(PRECISION * variances[-1], FLOOR)
    return symmetric_whitening(variances[kept], directions[:, kept])
