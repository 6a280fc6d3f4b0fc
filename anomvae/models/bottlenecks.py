"""What lies between encoder and decoder: features (..., feature) to a `Code`.

``width`` is the number of latent features the decoder gets; ``has_prior`` says whether codes can be
drawn from a standard normal prior.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .core import Code
from .networks import Dense


class Deterministic(nn.Module):
    """A plain code without a prior: KL is exactly 0, and nothing can be drawn."""

    has_prior = False

    def __init__(self, features: int, latent: int) -> None:
        """Map ``features`` to ``latent`` numbers."""
        super().__init__()
        self.width = latent
        self.to_z = Dense(features, latent)

    def forward(self, h: Tensor) -> Code:
        z = self.to_z(h)
        return Code(z, z.new_zeros(z.shape[:-1]), z.new_zeros(()))


class Gaussian(nn.Module):
    """A normal posterior against a standard normal prior (Kingma & Welling 2014).

    ``KL = 1/2 sum_i (mu_i^2 + sigma_i^2 - 1 - log sigma_i^2)``, nats.
    """

    has_prior = True

    def __init__(self, features: int, latent: int) -> None:
        """Map ``features`` to mean and spread of ``latent`` numbers."""
        super().__init__()
        self.width = latent
        self.to_q = Dense(features, 2 * latent)

    def forward(self, h: Tensor) -> Code:
        mu, log_sigma = self.to_q(h).chunk(2, dim=-1)
        log_sigma = log_sigma.clamp(-7, 5)  # beyond, exp() overflows the KL
        sigma = log_sigma.exp()
        # The mean when scoring, so that a score repeats.
        z = mu + sigma * torch.randn_like(mu) if self.training else mu
        # Each unit's KL is at least 0, but float32 rounds it to -1e-7 at the prior.
        kl = (0.5 * (mu.square() + sigma.square() - 1) - log_sigma).clamp_min(0).sum(-1)
        return Code(z, kl, h.new_zeros(()))
