"""Collaborative representation detector (CRD; Li & Du 2015, IEEE TGRS 53, 1463-1474).

A background pixel is a mixture of the pixels around it, an anomaly is not.  The spectrum y is
represented by the spectra x_i of its annulus, with weights that sum to one; far spectra, by their
distance from y, cost more (a Tikhonov regularisation)::

    min over a, sum(a) = 1   |y - X a|^2 + penalty |G a|^2      G = diag(|y - x_i|)
    score = |y - X a|

As the weights sum to one, y - X a = -D a with d_i = x_i - y, and the minimum is
``a ~ (D'D + penalty G^2)^-1 1``.  With the unit vectors e_i = d_i / |d_i| it is::

    v = (E'E + penalty I)^-1 g,  g_i = 1 / |d_i|                score = |E v| / (g'v)

whose matrix has ones on its diagonal and no eigenvalue below the penalty, whatever the number of
pixels and bands and whatever the units.  Where a spectrum around equals y, the score is 0.

Distances are those of the data, so bands of one unit are assumed, as everywhere in the paper; the
score is in units of the scene's standard deviation (root mean square of all bands).  Li & Du set a
penalty of 1e-6, at which as many pixels as bands represent anything: the default here is 0.01.  The
more pixels, the better they represent any spectrum, so a pixel with data in less than a quarter of
its annulus has no score.

Blocks have axes (row, col, band); NaN = no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..pixels.annulus import Annulus
from .blocks import Array, Spectra


@dataclass(frozen=True)
class Collaborative:
    """The collaborative representation detector of a scene."""

    scale: float
    """Unit of the score, data units."""
    annulus: Annulus
    """The pixels that represent a pixel."""
    penalty: float
    """Weight of the regularisation, above 0."""

    def score(self, block: Spectra) -> Array:
        """Return the residual of each pixel, axes (row, col), in units of ``scale``; NaN: none."""
        valid = np.asarray(np.isfinite(block).all(axis=-1))
        scores = np.full(valid.shape, np.nan)
        scaled = block.astype(np.float64) / self.scale
        for row, col, around in self.annulus.around(scaled, valid):
            if self.annulus.enough(np.array(len(around))):
                scores[row, col] = self._residual(scaled[row, col], around)
        return scores

    def _residual(self, y: Array, around: Array) -> float:
        """Return the length of what spectra (n, band) do not represent of a spectrum (band,)."""
        from scipy.linalg import cho_solve, cholesky

        steps = around - y
        lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps))
        if not lengths.all():
            return 0.0
        near = lengths.min() / lengths  # g, in units of its largest
        directions = steps / lengths[:, np.newaxis]
        gram = directions @ directions.T
        gram.flat[:: len(gram) + 1] += self.penalty
        factor = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve((factor, True), near, check_finite=False)
        residual = weights @ directions
        return float(lengths.min() * np.sqrt(residual @ residual) / (near @ weights))
