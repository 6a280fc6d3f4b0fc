"""How bands share the linear term: half by their residuals, half by what it loses without them.

The term is |v|^2 of the whitened spectrum, v = (x - m) L (`anomvae.stats.linear`).  A change of
band b moves v along k_b, row b of L, here of length 1.  Let C be the `CANDIDATES` bands with the
largest |u|, the whitened residual (`anomvae.detector.contributions`), and for bands b, c of C
G_bc = k_b k_c and h_b = k_b v::

    a       = G^-1 h                 the differences in C that make |v - sum_b a_b k_b| smallest
    loss    = a h                    = |v|^2 minus that smallest value
    lost_b  = loss w_b / sum w,      w_b = a_b^2 / (G^-1)_bb                  b in C
    lost_b  = (|v|^2 - loss) u_b^2 / sum u^2 over bands out of C              other bands
    share_b = (lost_b / |v|^2 + u_b^2 / |u|^2) / 2

The smallest value is that of the spectrum in which the bands of C are replaced by their conditional
means given the others, under the normal distribution of mean and covariance of the background.
w_b is what the term regains when band b alone is put back, and the rest of C is fitted again.
Raymaekers & Rousseeuw (2021, "Handling cellwise outliers by sparse regression and robust
covariance") find the outlying values of a vector by the same loss; they try bands along a path of
sparse regressions, here the autoencoder proposes them.

Residual and distance need each other, so each has half.  A code takes up a part of a difference and
spreads another over bands that do not differ: a band that does may have a small u, but rarely one
of the smallest.  In the distance neighbouring bands compensate each other, so that the squares of v
or h, and bands chosen one by one, name the neighbours as well (benchmarks/bands.py, scenes of 12
bands: u^2 names all bands of 94 of 100 objects, v^2 of 72, lost_b and the mean of 98).  Where an
object differs in many neighbouring bands, lost_b alone passes over that of the largest residual.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..program import Arithmetic, Layer
from ..program.sharing import shared
from ..stats.background import Background
from .batches import Array

CANDIDATES = 6
"""Bands in C, twice as many as an explanation lists; from five to eight, planted bands are named
about as well.  At most half of all bands: a majority has no others to be expected from."""
RIDGE = 1e-6
"""Added to the diagonal of G: copied bands have equal rows, and share alike."""
LEAST = 1e-30
"""Least divisor, so that 0 / 0 is 0."""


class BandDirections(NamedTuple):
    """The directions k_b in which bands move a whitened spectrum."""

    along: Layer
    """Layer that multiplies v by each k_b; k_b is 0 where a band moves nothing."""
    products: NDArray[np.float64]
    """The products of all k_b, (band, band)."""

    @classmethod
    def of(cls, linear: Background) -> BandDirections:
        """Return the directions of a linear term."""
        rows = linear.whitening
        rows = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), LEAST)
        return cls(Layer.of(rows.T, None), rows @ rows.T)

    def shares(self, whitened: Array, residual: Array, a: Arithmetic) -> Array:
        """Return the share of each band in the linear term, (n, ..., band), >= 0; they add up to 1.

        Parameters
        ----------
        whitened : array, shape (n, ..., band)
            v, in any unit.
        residual : array, shape (n, ..., band)
            u, in any unit.
        """
        # Examples lie side by side in memory, whose sums over few bands are fast then.
        whitened, residual = _unit(np.asfortranarray(whitened)), np.asfortranarray(residual)
        chosen = _candidates(residual)
        along = np.moveaxis(np.take_along_axis(a.dense(self.along, whitened), chosen, -1), -1, 0)
        inverse = self._inverse(np.ascontiguousarray(np.moveaxis(chosen, -1, 0)))
        fitted = (inverse * along).sum(1)
        lost = np.clip((fitted * along).sum(0), 0, 1)
        regained = np.moveaxis(fitted, 0, -1) ** 2 / np.diagonal(inverse)
        squares = _unit(residual) ** 2
        others = squares.copy()
        np.put_along_axis(others, chosen, 0, -1)
        parts = shared((1 - lost).astype(np.float32), others, a)
        added = np.take_along_axis(parts, chosen, -1) + shared(lost, regained, a)
        np.put_along_axis(parts, chosen, added, -1)
        return np.asarray(0.5 * (parts + shared(np.ones_like(parts[..., 0]), squares, a)))

    def _inverse(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return G^-1 of bands C, axes (candidate, candidate, n, ...)."""
        inverse = self.products[chosen[:, np.newaxis], chosen]
        for band, row in enumerate(inverse):
            row[band] += RIDGE
        # All matrices at a time, by the SWEEP operator (Goodnight 1979, American Statistician 33).
        change = np.empty_like(inverse)
        for band in range(len(inverse)):
            column = inverse[band].copy()
            swept = column / column[band]
            inverse -= np.multiply(column[:, np.newaxis], swept, out=change)
            inverse[band] = inverse[:, band] = swept
            inverse[band, band] = -1 / column[band]
        return np.negative(inverse, out=change)


def _candidates(residual: Array) -> NDArray[np.intp]:
    """Return the bands with the largest |u|, (n, ..., candidate)."""
    count = max(1, min(CANDIDATES, residual.shape[-1] // 2))
    return np.argpartition(-np.abs(residual), count - 1, axis=-1)[..., :count]


def _unit(vectors: Array) -> Array:
    """Return vectors of length 1, or of 0; squares of the farthest would overflow."""
    largest = np.abs(vectors).max(-1, keepdims=True)
    scaled = vectors / np.maximum(largest, np.float32(LEAST))
    length = np.sqrt((scaled * scaled).sum(-1, keepdims=True))
    return np.asarray(scaled / np.maximum(length, np.float32(LEAST)))
