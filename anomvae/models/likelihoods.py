"""How data scatter around a reconstruction: features (..., feature) to the mean of p(x | z).

The noise is one standard deviation per band, learnt together with the mean (Rybkin, Daniilidis &
Levine 2021) or held at 1, the textbook squared error::

    -log p(x_b | z) = 1/2 ((x_b - mean_b) / sigma_b)^2 + log sigma_b + 1/2 log 2 pi     nats
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .networks import Dense

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class GaussianBands(nn.Module):
    """Independent normal noise in every band."""

    def __init__(self, features: int, bands: int, learn_noise: bool = True) -> None:
        """Map ``features`` to ``bands`` means; without ``learn_noise`` sigma stays 1."""
        super().__init__()
        self.to_mean = Dense(features, bands)
        self.log_sigma = nn.Parameter(torch.zeros(bands), requires_grad=learn_noise)

    @property
    def sigma(self) -> Tensor:
        """Standard deviation per band, (band,), scaled units."""
        return self.log_sigma.clamp(-5, 3).exp()  # a band copied exactly would end in 1 / 0

    def forward(self, h: Tensor) -> Tensor:
        return self.to_mean(h)

    def error(self, mean: Tensor, x: Tensor) -> Tensor:
        """Give -log p(x | z) per band, (..., band), nats."""
        sigma = self.sigma
        return 0.5 * ((x - mean) / sigma).square() + sigma.log() + HALF_LOG_2PI
