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

import torch
from torch import Tensor, nn

from ..stats.background import Background
from .contributions import shared
from .fused import fuse, linear_layer

CANDIDATES = 6
"""Bands in C, twice as many as an explanation lists; from five to eight, planted bands are named
about as well.  At most half of all bands: a majority has no others to be expected from."""
RIDGE = 1e-6
"""Added to the diagonal of G: copied bands have equal rows, and share alike."""
LEAST = 1e-30
"""Least divisor, so that 0 / 0 is 0."""


class BandDirections(NamedTuple):
    """The directions k_b in which bands move a whitened spectrum."""

    along: nn.Module
    """Layer that multiplies v by each k_b; k_b is 0 where a band moves nothing."""
    products: Tensor
    """The products of all k_b, (band, band), float64."""

    @classmethod
    def of(cls, linear: Background, device: torch.device) -> BandDirections:
        """Return the directions of a linear term."""
        rows = torch.from_numpy(linear.whitening)
        rows = rows / torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min(LEAST)
        return cls(fuse(linear_layer(rows.T).to(device)), (rows @ rows.T).to(device))

    def shares(self, whitened: Tensor, residual: Tensor) -> Tensor:
        """Return the share of each band in the linear term, (n, ..., band), >= 0; they add up to 1.

        Parameters
        ----------
        whitened : Tensor, shape (n, ..., band)
            v, in any unit.
        residual : Tensor, shape (n, ..., band)
            u, in any unit.
        """
        chosen = _candidates(residual)
        along = self.along(_unit(whitened)).gather(-1, chosen).double()
        products = self.products[chosen.unsqueeze(-1), chosen.unsqueeze(-2)]
        products.diagonal(dim1=-2, dim2=-1).add_(RIDGE)
        inverse, _ = torch.linalg.inv_ex(products)
        fitted = (inverse * along.unsqueeze(-2)).sum(-1)
        lost = (fitted * along).sum(-1).clamp(0, 1)
        regained = fitted.square() / inverse.diagonal(dim1=-2, dim2=-1)
        squares = _unit(residual).square()
        parts = shared(1 - lost.float(), squares.scatter(-1, chosen, 0))
        parts = parts.scatter_add(-1, chosen, shared(lost, regained).float())
        return 0.5 * (parts + shared(torch.ones_like(lost, dtype=parts.dtype), squares))


def _candidates(residual: Tensor) -> Tensor:
    """Return the bands with the largest |u|, (n, ..., candidate)."""
    count = max(1, min(CANDIDATES, residual.shape[-1] // 2))
    return residual.abs().topk(count).indices


def _unit(vectors: Tensor) -> Tensor:
    """Return vectors of length 1, or of 0; squares of the farthest would overflow."""
    scaled = vectors / vectors.abs().amax(-1, keepdim=True).clamp_min(LEAST)
    return scaled / torch.linalg.vector_norm(scaled, dim=-1, keepdim=True).clamp_min(LEAST)
