"""What each band and each latent unit adds to a score.

The terms of a score (`anomvae.detector.detector`) are sums over bands b and latent units k::

    reconstruction = sum_b nll(u_b)
    kl             = sum_k kl_weight KL_k
    linear         = sum_b linear share_b         shares of `anomvae.detector.linear_shares`

u is the residual whitened by the symmetric root of the noise, u = (x - mean - c) S^-1/2.  Where S
is no diagonal, u_b is a sum over all bands.  Of all whitenings the symmetric one has u_b most
correlated with the residual of band b (Kessy, Lewin & Strimmer 2018), so u_b^2 is the share of band
b in the quadratic form |u|^2 (the corr-max transformation of Garthwaite & Koch 2016).

The linear term is a distance in which neighbouring bands compensate each other, and is most of the
score of most anomalies.  Bands share one half of it in proportion to u^2, the other by what it
loses when those with the largest |u| are replaced by their expectation given the others.

Other kinds of score add up as well (`anomvae.program.kinds`).  ``kl`` and ``latent`` lie in the
code alone: the latent units have it all, by the symmetric whitening of the codes for ``latent``,
and no band leads.  For ``iwae``, bands have the mean of nll over the draws by their importance
weights, and latent units share the rest of the bound in proportion to KL_k.

A local-contrast weighting multiplies every contribution.
"""

from __future__ import annotations

from typing import NamedTuple

from .batches import Array


class Contributions(NamedTuple):
    """Contributions to the score of examples, without local-contrast weighting, nats.

    The first three add up to the score.
    """

    reconstruction: Array
    """Of each band to the reconstruction term, (n, ..., band), >= 0; 0 for kinds of score that lie
    in the code alone."""
    kl: Array
    """Of each latent unit to the KL term, with its weight, (n, ..., unit), >= 0."""
    linear: Array
    """Of each band to the linear term, with its weight, (n, ..., band), >= 0; 0 without one."""
    residual: Array
    """Whitened residual u of each band, (n, ..., band): in units of the noise, > 0 where the pixel
    is above its reconstruction."""

    @property
    def bands(self) -> Array:
        """What each band adds in all, (n, ..., band), nats.

        Where an object differs in up to three bands, they are the three largest, averaged over its
        pixels, in over 95 of 100 objects that are flagged, in scenes of 12 bands or more and by
        scores with a linear term (benchmarks/bands.py).  Of fewer bands, three leave too few others
        to know them by.
        """
        return self.reconstruction + self.linear
