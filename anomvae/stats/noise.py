"""The noise model of the score: which residuals are large.

A residual ``r = x - mean(x | z)`` in scaled units, shape (n, band), is centred and whitened::

    u = (r - c) S^-1/2          shape (n, band); 0 at the mode

and the likelihood gives the negative log-likelihood of u above its mode
(`anomvae.models.likelihoods`), 1/2 |u|^2 if it is normal.

unit        c = 0, S = identity
band        c = 0, S = diag(sigma^2), the noise per band that the likelihood learnt
covariance  c and S are the trimmed mean and covariance of the training residuals, S shrunk towards
            its diagonal; it models errors that bands share, but holds only where it was fitted

The root of S is the symmetric one: each u is as similar as possible to its own band
(Kessy, Lewin & Strimmer 2018), so that heavy tails in one band stay in one u.

The weight of the diagonal is a compromise over scenes; with a small one, S fits the anomalies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rx import shrunk, stream_trimmed_moments

NOISES = ("unit", "band", "covariance")
DIAGONAL = 0.8
RIDGE = 1e-6  # of the mean variance, so that units do not matter ...
FLOOR = 1e-24  # ... but where nearly all residuals are equal, whitened ones must fit float32


@dataclass(frozen=True)
class Noise:
    """Centre and whitening of residuals."""

    centre: NDArray[np.float64]
    """Mean residual of normal pixels, scaled units, shape (band,)."""
    whitening: NDArray[np.float64]
    """Factor to variance 1: (band,), or (band, band), multiplied from the right."""


def fit_noise(kind: str, residuals: NDArray[np.float32], sigma: NDArray[np.float32]) -> Noise:
    """Fit a noise model to the residuals (n, band) of training examples at the posterior mean.

    ``sigma`` (band,) is the likelihood's standard deviation.  Both are in scaled units.
    """
    if kind != "covariance":
        whitening = np.ones(len(sigma)) if kind == "unit" else 1.0 / sigma.astype(np.float64)
        return Noise(np.zeros(len(sigma)), whitening)
    trimmed = stream_trimmed_moments(lambda: [residuals], shrink=DIAGONAL)
    covariance = shrunk(trimmed.covariance, DIAGONAL)
    ridge = max(RIDGE * np.trace(covariance) / len(covariance), FLOOR)
    variances, directions = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    return Noise(trimmed.mean, directions / np.sqrt(variances) @ directions.T)
