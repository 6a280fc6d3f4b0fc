"""Likelihoods p(x | z): features (..., feature) to the mean per band, with learnt or fixed noise.

The noise is one standard deviation per band, learnt together with the mean (Rybkin, Daniilidis &
Levine 2021) or fixed at 1, the textbook squared error.  With u = (x_b - mean_b) / sigma_b, nats::

    gaussian    -log p(x_b | z) = 1/2 u^2 + log sigma_b + 1/2 log 2 pi
    student-t   -log p(x_b | z) = (v + 1) / 2 log(1 + u^2 / v) + log sigma_b + C(v)

Student's t has v = 4 degrees of freedom, the common choice for robustness (Lange, Little & Taylor
1989): an outlier in a single band, such as a stripe, adds little to the loss and to the score (for
autoencoders: Takahashi et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..program.likelihoods import DEGREES as DEGREES_OF
from .networks import Dense, standard_normal

DEGREES = DEGREES_OF["student-t"]


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
        """Standard deviation per band, (band,), scaled units; of Student's t its scale."""
        return self.log_sigma.clamp(-5, 3).exp()  # a band copied exactly would end in 1 / 0

    def forward(self, h: Tensor) -> Tensor:
        return self.to_mean(h)

    def error(self, mean: Tensor, x: Tensor) -> Tensor:
        """Return -log p(x | z) per band, (..., band), nats."""
        error: Tensor = _BandError.apply(mean, x, self.sigma, self)
        return error

    def nll_above_mode(self, squares: Tensor, out: Tensor | None = None) -> Tensor:
        """Return -log p minus its value at the mode, nats, for squared whitened residuals.

        ``out`` may be ``squares``: while scoring, new memory takes longer than the arithmetic.
        """
        return torch.mul(squares, 0.5, out=out)

    def slope(self, u: Tensor) -> Tensor:
        """Return the derivative of -log p by the whitened residuals u, a new tensor."""
        return u.clone()

    def draw(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Draw x from p(x | z), the shape of ``mean``."""
        return mean + standard_normal(mean.shape, generator, mean) * self.sigma


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

    def slope(self, u: Tensor) -> Tensor:
        spread = u.square().add_(DEGREES)
        return torch.div(u, spread, out=spread).mul_(DEGREES + 1)

    def draw(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        chi_squared = standard_normal((int(DEGREES), *mean.shape), generator, mean).square().sum(0)
        return mean + (super().draw(mean, generator) - mean) * (DEGREES / chi_squared).sqrt()


class _BandError(torch.autograd.Function):
    """-log p(x | z) per band, with its derivatives by mean and sigma.

    With u = (x - mean) / sigma and s(u) the slope, these are::

        d / d mean = -s(u) / sigma        d / d sigma = (1 - u s(u)) / sigma

    As operations of their own they took a quarter of the time of training, much of it for memory.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's
        mean: Tensor,
        x: Tensor,
        sigma: Tensor,
        likelihood: GaussianBands,
    ) -> Tensor:
        u = (x - mean).div_(sigma)
        ctx.save_for_backward(u, sigma)
        ctx.slope = likelihood.slope
        squares = u.square()
        nll = likelihood.nll_above_mode(squares, out=squares)
        return nll.add_(sigma.log()).add_(likelihood.at_mode)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401 - torch's
        grad: Tensor,
    ) -> tuple[Tensor | None, ...]:
        u, sigma = ctx.saved_tensors
        by_u = ctx.slope(u).mul_(grad)
        pull = u * by_u
        by_sigma = torch.sub(grad, pull, out=pull).flatten(0, -2).sum(0).div_(sigma)
        return by_u.div_(-sigma), None, by_sigma, None


LIKELIHOODS: dict[str, Callable[[int, int], GaussianBands]] = {
    "gaussian": GaussianBands,
    "student-t": StudentBands,
    "mse": partial(GaussianBands, learn_noise=False),
}
"""Each likelihood by its name in configurations and model files."""
