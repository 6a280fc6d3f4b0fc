"""Bottlenecks without a prior and with normal ones: features (..., feature) to a `Code`.

The KL divergence of a normal posterior q from a normal prior p, per latent unit, nats::

    KL = log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..stats.latent import LatentStatistics
from .core import Bottleneck, Code, Draw, VariationalBottleneck
from .networks import Dense, standard_normal


class Deterministic(Bottleneck):
    """A plain code without a prior; the KL is exactly 0."""

    def __init__(self, features: int, latent: int) -> None:
        super().__init__(latent)
        self.to_z = Dense(features, latent)

    def forward(self, h: Tensor) -> Code:
        z = self.to_z(h)
        return Code(z, z.new_zeros(z.shape[:-1]), z.new_zeros(()))

    def draw_posterior(self, h: Tensor, noise: Tensor) -> Draw:
        z = self.to_z(h)
        return Draw(z, z, z.new_zeros(z.shape[:-1]))


class Gaussian(VariationalBottleneck):
    """A normal posterior with a standard normal prior (Kingma & Welling 2014)."""

    def __init__(self, features: int, latent: int) -> None:
        super().__init__(latent)
        self.noise_width = latent
        self.to_q = Dense(features, 2 * latent)

    def forward(self, h: Tensor) -> Code:
        q = Normal.of(self.to_q(h))
        return Code(q.draw() if self.training else q.mean, q.kl().sum(-1), h.new_zeros(()))

    def draw_posterior(self, h: Tensor, noise: Tensor) -> Draw:
        q = Normal.of(self.to_q(h))
        z = q.at(noise)
        return Draw(z, z, (-0.5 * z.square() - q.log_density(noise)).sum(-1))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return standard_normal((count, self.width), generator, self.to_q.weight)

    def prior_code(self, noise: Tensor) -> Tensor:
        return noise

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        return LatentStatistics(units=_means(Normal.of(self.to_q(h)).kl()))


class Ladder(VariationalBottleneck):
    """Two levels of normal codes; the lower prior is learnt (Sonderby et al. 2016).

    The upper code z2 is inferred from the features h through one more layer, and sets the prior of
    the lower code z1.  The lower posterior is the normalised product of that prior and the estimate
    from the features.  The KL divergences of both levels are added::

        q(z2 | h) from N(0, I)      q(z1 | h, z2) ~ N(m(h), s(h)) p(z1 | z2) from p(z1 | z2)
    """

    def __init__(self, features: int, latent: int) -> None:
        """Map ``features`` to ``latent`` lower units and half as many upper ones."""
        super().__init__(latent)
        self.upper = max(1, latent // 2)
        self.noise_width = self.upper + latent
        self.up = Dense(features, features)
        self.to_q2 = Dense(features, 2 * self.upper)
        self.down = Dense(self.upper, features)
        self.to_p1 = Dense(features, 2 * latent)
        self.to_q1 = Dense(features, 2 * latent)

    def forward(self, h: Tensor) -> Code:
        z1, upper, lower = self._infer(h)
        return Code(z1, upper.sum(-1) + lower.sum(-1), h.new_zeros(()))

    def draw_posterior(self, h: Tensor, noise: Tensor) -> Draw:
        upper, lower = noise.split((self.upper, self.width), dim=-1)
        q2 = Normal.of(self.to_q2(F.gelu(self.up(h))))
        z2 = q2.at(upper)
        p1 = self.lower_prior(z2)
        q1 = Normal.of(self.to_q1(h)).times(p1)
        z1 = q1.at(lower)
        top = -0.5 * z2.square() - q2.log_density(upper)
        bottom = p1.log_density(p1.noise_of(z1)) - q1.log_density(lower)
        return Draw(torch.cat([z2, z1], dim=-1), z1, top.sum(-1) + bottom.sum(-1))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        z2 = standard_normal((count, self.upper), generator, self.up.weight)
        p1 = self.lower_prior(z2)
        return p1.mean + p1.log_sigma.exp() * standard_normal(p1.mean.shape, generator, z2)

    def prior_code(self, noise: Tensor) -> Tensor:
        z2, lower = noise.split((self.upper, self.width), dim=-1)
        return self.lower_prior(z2).at(lower)

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        upper, lower = self._infer(h)[1:]
        return LatentStatistics(
            units=_means(upper) + _means(lower),
            levels=_means(torch.stack([upper.sum(-1), lower.sum(-1)], -1)),
        )

    def lower_prior(self, z2: Tensor) -> Normal:
        """Return p(z1 | z2)."""
        return Normal.of(self.to_p1(F.gelu(self.down(z2))))

    def _infer(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return z1 and the KL per unit of the upper and of the lower level."""
        q2 = Normal.of(self.to_q2(F.gelu(self.up(h))))
        p1 = self.lower_prior(q2.draw() if self.training else q2.mean)
        q1 = Normal.of(self.to_q1(h)).times(p1)
        return q1.draw() if self.training else q1.mean, q2.kl(), q1.kl(p1)


class Normal(NamedTuple):
    """Independent normal distributions, one per unit."""

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Normal:
        """Take means from the first half of the last axis, log sigmas from the second."""
        mean, log_sigma = features.chunk(2, dim=-1)
        return cls(mean, log_sigma.clamp(-7, 5))  # exp() of more overflows the KL

    def draw(self) -> Tensor:
        """Draw a sample by the reparametrisation trick, from torch's global generator."""
        return self.mean + self.log_sigma.exp() * torch.randn_like(self.mean)

    def at(self, noise: Tensor) -> Tensor:
        """Return the values at standard normal noise: the mean where it is 0."""
        return self.mean + self.log_sigma.exp() * noise

    def noise_of(self, value: Tensor) -> Tensor:
        """Return the standard normal noise of values; `at` is the inverse."""
        return (value - self.mean) / self.log_sigma.exp()

    def log_density(self, noise: Tensor) -> Tensor:
        """Return the log density of each unit `at` noise, without the constant of all normals."""
        return -0.5 * noise.square() - self.log_sigma

    def times(self, other: Normal) -> Normal:
        """Return the normalised product of two densities: precisions add, and weight the means."""
        weight = torch.sigmoid(2 * (other.log_sigma - self.log_sigma))  # share of the precision
        mean = other.mean + weight * (self.mean - other.mean)
        return Normal(mean, self.log_sigma + 0.5 * weight.log())

    def kl(self, prior: Normal | None = None) -> Tensor:
        """Return KL(self || prior) per unit, nats; the default prior is N(0, 1)."""
        shift, log_ratio = self.mean, self.log_sigma
        if prior is not None:
            shift = (self.mean - prior.mean) / prior.log_sigma.exp()
            log_ratio = self.log_sigma - prior.log_sigma
        kl = 0.5 * (shift.square() + log_ratio.exp().square() - 1) - log_ratio
        return kl.clamp_min(0)  # float32 rounds to -1e-7 at the prior


def _means(kl: Tensor) -> tuple[float, ...]:
    """Average over all axes but the last, to four decimals."""
    means = kl.reshape(-1, kl.shape[-1]).double().mean(0)
    return tuple(round(mean, 4) for mean in means.tolist())
