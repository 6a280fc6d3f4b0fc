"""The noise model of the score: which residuals are large.

A residual ``r = x - mean(x | z)`` in scaled units, shape (n, band), is centred and whitened::

    u = (r - c) S^-1/2          shape (n, band); 0 at the mode

and the likelihood gives the negative log-likelihood of u above its mode
(`anomvae.models.likelihoods`), 1/2 |u|^2 if it is normal.

unit        c = 0, S = identity
band        c = 0, S = diag(sigma^2), the noise per band that the likelihood learnt
covariance  c and S are the trimmed mean and covariance of the training residuals, S shrunk towards
            its diagonal; it models errors that bands share, but holds only where it was fitted
scene       as band, and estimated again on each scene before its pixels are scored, see below

The root of S is the symmetric one: each u is as similar as possible to its own band
(Kessy, Lewin & Strimmer 2018), so that heavy tails in one band stay in one u.

The weight of the diagonal is a compromise over scenes; with a small one, S fits the anomalies.

Noise of a scene.  With u whitened by the learnt noise, and w the weight of the diagonal::

    kept = the half of the pixels with the smallest sum_band log(1 + u^2)
    C    = (1 - w) mean(u u') + w diag(mean(u u'))           over the pixels kept
    kept = those with log(u' C^-1 u) <= q50 + 4 (q50 - q25) / .6745      q: its quantiles
    S^-1/2 of the scene = S^-1/2 of the band noise * min(C, 1)^-1/2      C over the pixels kept

The learnt noise holds the spread of codes in training, so it is too wide in most directions: the
score gains by what C narrows.  min limits its eigenvalues, and the centre stays 0: residuals larger
or elsewhere than learnt may be a wide anomaly, which must not become noise.  Starting from the
pixels that the model knows best, the cut leaves out what lies apart from them, however much that is
(the two steps of a reweighted minimum covariance determinant, Rousseeuw & Van Driessen 1999; the
lower quantiles alone give the width, because the upper ones may be anomalies).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rx import FLOOR, shrunk, stream_trimmed_moments, symmetric_whitening

NOISES = ("unit", "band", "covariance", "scene")
DIAGONAL = 0.8
SCENE_DIAGONAL = 0.4
WIDTHS = 4.0
"""Widths above the median at which a residual lies apart from those of a scene."""
QUARTILE = 0.6745
"""Distance of the quartiles of a normal distribution to its median, standard deviations."""
RIDGE = 1e-6
"""Variance that is added, of the mean variance so that units do not matter; at least `FLOOR`."""


@dataclass(frozen=True)
class Noise:
    """Centre and whitening of residuals."""

    centre: NDArray[np.float64]
    """Mean residual of normal pixels, scaled units, shape (band,)."""
    whitening: NDArray[np.float64]
    """Factor to variance 1: (band,), or (band, band), multiplied from the right."""

    @property
    def std(self) -> NDArray[np.float64]:
        """The standard deviation of each band, the roots of the diagonal of S, scaled units."""
        if self.whitening.ndim == 1:
            return np.asarray(1 / self.whitening)
        return np.asarray(np.sqrt(np.diag(np.linalg.pinv(self.whitening @ self.whitening.T))))

    def whiten(self, residuals: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return residuals (..., band), scaled units, in units of the noise, not centred."""
        residuals = residuals.astype(np.float64)
        if self.whitening.ndim == 1:
            return np.asarray(residuals * self.whitening)
        return np.asarray(residuals @ self.whitening)


def fit_noise(kind: str, residuals: NDArray[np.float32], sigma: NDArray[np.float32]) -> Noise:
    """Fit a noise model to the residuals (n, band) of training examples at the posterior mean.

    ``sigma`` (band,) is the likelihood's standard deviation.  Both are in scaled units.
    """
    if kind != "covariance":
        whitening = np.ones(len(sigma)) if kind == "unit" else 1.0 / sigma.astype(np.float64)
        return Noise(np.zeros(len(sigma)), whitening)
    trimmed = stream_trimmed_moments(lambda: [residuals], shrink=DIAGONAL)
    whitening = symmetric_whitening(*_components(trimmed.covariance, DIAGONAL))
    return Noise(trimmed.mean, whitening)


def fit_scene_noise(whitened: NDArray[np.float32], learnt: Noise) -> Noise:
    """Estimate the noise of a scene.

    Parameters
    ----------
    whitened : array, shape (n, band)
        Residuals of a sample of its pixels at the posterior mean, whitened by the learnt noise.
    learnt : Noise
        The noise per band, with a whitening of shape (band,).
    """
    u = whitened.astype(np.float64)
    distances = np.log1p(np.square(u)).sum(axis=1)
    first = u[distances <= np.median(distances)]
    variances, directions = _components(_second_moment(first), SCENE_DIAGONAL)
    distances = np.square(u @ (directions / np.sqrt(variances))).sum(axis=1)
    kept = u[_near(np.log(np.maximum(distances, FLOOR)))]
    variances, directions = _components(_second_moment(kept), SCENE_DIAGONAL)
    narrowing = symmetric_whitening(np.minimum(variances, 1.0), directions)
    return Noise(learnt.centre, learnt.whitening[:, np.newaxis] * narrowing)


def _second_moment(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return u.T @ u / len(u)


def _near(logs: NDArray[np.float64]) -> NDArray[np.bool_]:
    quarter, half = np.quantile(logs, (0.25, 0.5))
    return np.asarray(logs <= half + WIDTHS * (half - quarter) / QUARTILE)


def _components(
    covariance: NDArray[np.float64], diagonal: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variances and directions of a covariance shrunk towards its diagonal."""
    covariance = shrunk(covariance, diagonal)
    ridge = max(RIDGE * np.trace(covariance) / len(covariance), FLOOR)
    variances, directions = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    return variances, directions
