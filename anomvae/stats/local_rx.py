"""Local RX: the Mahalanobis distance of a pixel to the pixels of an annulus around it.

RX with a dual window (Reed & Yu 1990, IEEE Trans. ASSP 38, 1760-1770; Kwon & Nasrabadi 2005, IEEE
TGRS 43, 388-397; Molero et al. 2013, IEEE JSTARS 6, 801-814): the background of a pixel is an outer
window without the guard window in its middle, which is wider than the objects that are sought::

    score(x) = (x - m)' C^-1 (x - m)             m: mean of the n pixels of the annulus

The covariance of a few hundred pixels of as many bands is singular, or so noisy that the distance
is noise.  It is regularised (Friedman 1989, J. Am. Stat. Assoc. 84, 165-175): the covariance S of
the scene counts as further pixels, ``prior`` of them for each of the r directions in which the
scene varies::

    C = (A + k S) / (n + k)      k = prior r     A: scatter of the annulus about m

In coordinates in which S is the identity no eigenvalue of C lies below k / (n + k), so its Cholesky
factor exists.  The fewer pixels an annulus holds, at edges and beside no data, the more of C is S;
without any pixel the score is that of global RX.  Directions without variance in the scene, such as
constant or copied bands, are dropped.

Blocks have axes (row, col, band); NaN = no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..pixels.annulus import Annulus
from .blocks import Array, Spectra, of_valid
from .rx import RX


@dataclass(frozen=True)
class LocalRX:
    """Local RX of a scene."""

    scene: RX
    """Mean and whitening of the scene."""
    annulus: Annulus
    """The background of a pixel."""
    prior: float
    """Pixels that the covariance of the scene counts for each of its directions, above 0."""

    def score(self, block: Spectra) -> Array:
        """Return the distance of each pixel, axes (row, col); NaN where a band is NaN."""
        valid = np.asarray(np.isfinite(block).all(axis=-1))
        scores = np.full(valid.shape, np.nan)
        white = of_valid(self.scene.whitened, block)
        for row, col, around in self.annulus.around(white, valid):
            scores[row, col] = self._distance(white[row, col], around)
        return scores

    def _distance(self, x: Array, around: Array) -> float:
        """Return the distance of a whitened spectrum (rank,) to those around it (n, rank)."""
        from scipy.linalg import cholesky, solve_triangular

        if not len(x):  # every pixel of the scene is the same
            return 0.0
        count, prior = len(around), self.prior * len(x)
        mean = around.mean(axis=0) if count else np.zeros_like(x)
        centred = around - mean
        total = centred.T @ centred
        total.flat[:: len(x) + 1] += prior
        factor = cholesky(total, lower=True, overwrite_a=True, check_finite=False)
        step = solve_triangular(factor, x - mean, lower=True, check_finite=False)
        return float((count + prior) * (step @ step))
