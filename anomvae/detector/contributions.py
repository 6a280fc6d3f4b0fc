"""What each band and each latent unit adds to a score.

The terms of a score (`anomvae.detector.detector`) are sums over bands b and latent units k::

    reconstruction = sum_b nll(u_b)
    kl             = sum_k kl_weight KL_k
    linear         = sum_b linear u_b^2 / |u|^2

u is the residual whitened by the symmetric root of the noise, u = (x - mean - c) S^-1/2.  Where S
is no diagonal, u_b is a sum over all bands.  Of all whitenings the symmetric one has u_b most
correlated with the residual of band b (Kessy, Lewin & Strimmer 2018), so u_b^2 is the share of band
b in the quadratic form |u|^2 (the corr-max transformation of Garthwaite & Koch 2016).

The linear term is |v|^2 with the spectrum whitened by the covariance of the scene, v = (x - m)
S_x^-1/2.  Its own squares v_b^2 add up, too, but S_x holds how all materials vary, along which
neighbouring bands compensate each other: of few bands, v^2 names the bands in which an object
differs in 8 of 10 cases only (benchmarks/bands.py).  The residual has the same bands without what
is normal, so the term is shared among the bands by u^2.  That says which bands are out of line, and
not which bands the distance would lose without them.

Other kinds of score add up as well (`anomvae.detector.kinds`).  ``kl`` and ``latent`` lie in the
code alone: the latent units have it all, by the symmetric whitening of the codes for ``latent``,
and no band leads.  For ``iwae``, bands have the mean of nll over the draws by their importance
weights, and latent units share the rest of the bound in proportion to KL_k.

A local-contrast weighting multiplies every contribution.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

import torch
from torch import Tensor

from .batches import Values


class Contributions(NamedTuple, Generic[Values]):
    """Contributions to the score of examples, without local-contrast weighting, nats.

    The first three add up to the score.
    """

    reconstruction: Values
    """Of each band to the reconstruction term, (n, ..., band), >= 0; 0 for kinds of score that lie
    in the code alone."""
    kl: Values
    """Of each latent unit to the KL term, with its weight, (n, ..., unit), >= 0."""
    linear: Values
    """Of each band to the linear term, with its weight, (n, ..., band), >= 0; 0 without one."""
    residual: Values
    """Whitened residual u of each band, (n, ..., band): in units of the noise, > 0 where the pixel
    is above its reconstruction."""

    @property
    def bands(self) -> Values:
        """What each band adds in all, (n, ..., band), nats.

        Where an object differs in up to three bands, they are the three largest, averaged over its
        pixels, in over nine of ten objects that are flagged (benchmarks/bands.py).  Those it misses
        are bands that the code has taken up, of scenes of few bands.
        """
        return self.reconstruction + self.linear


def shared(total: Tensor, shares: Tensor) -> Tensor:
    """Share a term (n, ...) in proportion to ``shares`` (n, ..., part), equally where all are 0."""
    whole = shares.sum(-1, keepdim=True)
    equal = torch.full_like(shares, 1 / max(1, shares.shape[-1]))
    return total.unsqueeze(-1) * torch.where(whole > 0, shares / whole, equal)
