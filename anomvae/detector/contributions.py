"""What each band and each latent unit adds to a score.

The terms of a score (`anomvae.detector.detector`) are sums over bands b and latent units k::

    reconstruction = sum_b nll(u_b)     kl = sum_k kl_weight KL_k     linear = sum_b v_b^2

u and v are residuals whitened by symmetric roots: of the noise, u = (x - mean - c) S^-1/2, and of
the linear term, v = (x - m) S^-1/2.  Where S is no diagonal, u_b is a sum over all bands.  Of all
whitenings the symmetric one has u_b most correlated with the residual of band b (Kessy, Lewin &
Strimmer 2018), so u_b^2 is the share of band b in the quadratic form |u|^2 (the corr-max
transformation of Garthwaite & Koch 2016).  A local-contrast weighting multiplies every
contribution.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

from .batches import Values


class Contributions(NamedTuple, Generic[Values]):
    """Contributions to the score of examples, without local-contrast weighting, nats.

    The first three add up to the score.
    """

    reconstruction: Values
    """Of each band to the reconstruction term, (n, ..., band), >= 0."""
    kl: Values
    """Of each latent unit to the KL term, with its weight, (n, ..., unit), >= 0."""
    linear: Values
    """Of each band to the linear term, with its weight, (n, ..., band), >= 0; 0 without one."""
    residual: Values
    """Whitened residual u of each band, (n, ..., band): in units of the noise, > 0 where the pixel
    is above its reconstruction."""

    @property
    def bands(self) -> Values:
        """What each band adds in all, (n, ..., band), nats."""
        return self.reconstruction + self.linear
