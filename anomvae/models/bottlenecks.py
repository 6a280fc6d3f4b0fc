"""What lies between encoder and decoder: features (..., feature) to a `Code`.

Normal codes are compared with their prior unit by unit, nats::

    KL = log(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..stats.latent import LatentStatistics
from .core import Bottleneck, Code
from .networks import Dense


class Deterministic(Bottleneck):
    """A plain code without a prior: KL is exactly 0, and nothing can be drawn."""

    has_prior = False

    def __init__(self, features: int, latent: int) -> None:
        """Map ``features`` to ``latent`` numbers."""
        super().__init__(latent)
        self.to_z = Dense(features, latent)

    def forward(self, h: Tensor) -> Code:
        z = self.to_z(h)
        return Code(z, z.new_zeros(z.shape[:-1]), z.new_zeros(()))


class Gaussian(Bottleneck):
    """A normal posterior against a standard normal prior (Kingma & Welling 2014)."""

    def __init__(self, features: int, latent: int) -> None:
        """Map ``features`` to mean and spread of ``latent`` numbers."""
        super().__init__(latent)
        self.to_q = Dense(features, 2 * latent)

    def forward(self, h: Tensor) -> Code:
        q = Normal.of(self.to_q(h))
        return Code(q.draw() if self.training else q.mean, q.kl().sum(-1), h.new_zeros(()))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return _standard(count, self.width, generator, self.to_q.weight)

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        return LatentStatistics(units=_rounded(Normal.of(self.to_q(h)).kl()))


class Ladder(Bottleneck):
    """Two levels of normal codes, the lower one with a learnt prior (Sonderby et al. 2016).

    The upper code is inferred from the features, one layer on, and sets the prior of the lower one.
    The lower posterior is what prior and features agree on: their product, weighted by precision.
    KL divergences add up::

        q(z2 | h) against N(0, I)    q(z1 | h, z2) ~ N(m(h), s(h)) p(z1 | z2) against p(z1 | z2)
    """

    def __init__(self, features: int, latent: int) -> None:
        """Map ``features`` to ``latent`` numbers, and half as many above them."""
        super().__init__(latent)
        self.upper = max(1, latent // 2)
        self.up = Dense(features, features)
        self.to_q2 = Dense(features, 2 * self.upper)
        self.down = Dense(self.upper, features)
        self.to_p1 = Dense(features, 2 * latent)
        self.to_q1 = Dense(features, 2 * latent)

    def forward(self, h: Tensor) -> Code:
        z1, upper, lower = self._levels(h)
        return Code(z1, upper.sum(-1) + lower.sum(-1), h.new_zeros(()))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        z2 = _standard(count, self.upper, generator, self.up.weight)
        p1 = self.prior(z2)
        return p1.mean + p1.log_sigma.exp() * _standard(count, self.width, generator, z2)

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        upper, lower = self._levels(h)[1:]
        return LatentStatistics(
            units=_rounded(upper) + _rounded(lower),
            levels=_rounded(torch.stack([upper.sum(-1), lower.sum(-1)], -1)),
        )

    def prior(self, z2: Tensor) -> Normal:
        """Give p(z1 | z2)."""
        return Normal.of(self.to_p1(F.gelu(self.down(z2))))

    def _levels(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give z1, and the KL of each unit of the upper and of the lower level."""
        q2 = Normal.of(self.to_q2(F.gelu(self.up(h))))
        p1 = self.prior(q2.draw() if self.training else q2.mean)
        q1 = Normal.of(self.to_q1(h)).times(p1)
        return q1.draw() if self.training else q1.mean, q2.kl(), q1.kl(p1)


class Normal(NamedTuple):
    """Independent normal distributions, one per unit."""

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Normal:
        """Take the first half of the last axis for means, the second for log spreads."""
        mean, log_sigma = features.chunk(2, dim=-1)
        return cls(mean, log_sigma.clamp(-7, 5))  # beyond, exp() overflows the KL

    def draw(self) -> Tensor:
        """Draw, for training alone: a score takes the mean, so that it repeats."""
        return self.mean + self.log_sigma.exp() * torch.randn_like(self.mean)

    def times(self, other: Normal) -> Normal:
        """Multiply two densities: precisions add up, and weigh the means."""
        share = torch.sigmoid(2 * (other.log_sigma - self.log_sigma))  # of the precision
        mean = other.mean + share * (self.mean - other.mean)
        return Normal(mean, self.log_sigma + 0.5 * share.log())

    def kl(self, prior: Normal | None = None) -> Tensor:
        """Give KL(self || prior) of every unit, nats; without a prior against N(0, 1)."""
        step, log_ratio = self.mean, self.log_sigma
        if prior is not None:
            step = (self.mean - prior.mean) / prior.log_sigma.exp()
            log_ratio = self.log_sigma - prior.log_sigma
        kl = 0.5 * (step.square() + log_ratio.exp().square() - 1) - log_ratio
        return kl.clamp_min(0)  # float32 rounds it to -1e-7 at the prior


def _rounded(kl: Tensor) -> tuple[float, ...]:
    """Average over all axes but the last."""
    means = kl.reshape(-1, kl.shape[-1]).double().mean(0)
    return tuple(round(mean, 4) for mean in means.tolist())


def _standard(count: int, width: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw from N(0, I) on the CPU, so that a seed means the same on every device."""
    return torch.randn(count, width, generator=generator).to(like.device)
