"""How data scatter around a reconstruction: features (..., feature) to the mean of p(x | z).

The noise is one spread per band, learnt together with the mean (Rybkin, Daniilidis & Levine 2021)
or held at 1, the textbook squared error.  With u = (x_b - mean_b) / sigma_b, nats::

    gaussian    -log p(x_b | z) = 1/2 u^2 + log sigma_b + 1/2 log 2 pi
    student-t   -log p(x_b | z) = (v + 1) / 2 log(1 + u^2 / v) + log sigma_b + C(v)

Student's t has v = 4 degrees of freedom, the usual choice where robustness is wanted (Lange, Little
& Taylor 1989): a single band that errs a lot, such as a stripe, costs little more than one that
errs, in training and in the score (for autoencoders: Takahashi et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .networks import Dense

DEGREES = 4


class GaussianBands(nn.Module):
    """Independent normal noise in every band."""

    at_mode = 0.5 * math.log(2 * math.pi)
    """-log p of a residual of 0 where sigma is 1, nats."""

    def __init__(self, features: int, bands: int, learn_noise: bool = True) -> None:
        """Map ``features`` to ``bands`` means; without ``learn_noise`` sigma stays 1."""
        super().__init__()
        self.to_mean = Dense(features, bands)
        self.log_sigma = nn.Parameter(torch.zeros(bands), requires_grad=learn_noise)

    @property
    def sigma(self) -> Tensor:
        """Spread per band, (band,), scaled units."""
        return self.log_sigma.clamp(-5, 3).exp()  # a band copied exactly would end in 1 / 0

    def forward(self, h: Tensor) -> Tensor:
        return self.to_mean(h)

    def error(self, mean: Tensor, x: Tensor) -> Tensor:
        """Give -log p(x | z) per band, (..., band), nats."""
        sigma = self.sigma
        return self.nll_above_mode(((x - mean) / sigma).square()) + sigma.log() + self.at_mode

    def nll_above_mode(self, squares: Tensor, out: Tensor | None = None) -> Tensor:
        """Give -log p minus its value at the mode, nats, for squared whitened residuals.

        A score puts it where the squares are: new memory costs more than these few operations.
        """
        return torch.mul(squares, 0.5, out=out)

    def draw(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Draw x from p(x | z), the shape of ``mean``."""
        return mean + _normal(mean.shape, generator, mean) * self.sigma


class StudentBands(GaussianBands):
    """Independent noise in every band, with the heavy tails of Student's t."""

    at_mode = (
        math.lgamma(DEGREES / 2)
        - math.lgamma((DEGREES + 1) / 2)
        + 0.5 * math.log(DEGREES * math.pi)
    )

    def nll_above_mode(self, squares: Tensor, out: Tensor | None = None) -> Tensor:
        tail = torch.log1p(torch.div(squares, DEGREES, out=out), out=out)
        return tail.mul_((DEGREES + 1) / 2)

    def draw(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        chi_squared = _normal((DEGREES, *mean.shape), generator, mean).square().sum(0)
        return mean + (super().draw(mean, generator) - mean) * (DEGREES / chi_squared).sqrt()


LIKELIHOODS: dict[str, Callable[[int, int], GaussianBands]] = {
    "gaussian": GaussianBands,
    "student-t": StudentBands,
    "mse": partial(GaussianBands, learn_noise=False),
}
"""Each likelihood by the name that a configuration and a model file give it."""


def _normal(shape: Sequence[int], generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw on the CPU, so that a seed means the same on every device."""
    return torch.randn(shape, generator=generator).to(like.device)
