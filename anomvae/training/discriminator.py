"""A critic beside the loss: it learns to tell examples from what a model makes of them.

A small network c on the bands (VAE-GAN, Larsen et al. 2016), one step of the hinge loss (Lim & Ye
2017) for every step of the model.  What the model makes, x', are its reconstructions and spectra
decoded from its prior, both with the noise of p(x | z), so that noise does not tell them apart::

    c learns    mean max(0, 1 - c(x)) + mean max(0, 1 + c(x'))
    model pays  -weight * mean c(x')                               besides its own loss, nats

The layers of c have spectral norm 1 (Miyato et al. 2018).  So a mean is never pulled with more than
``weight`` nats per scaled unit, however sure the critic is, and training stays that of the loss.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models import Autoencoder

WIDTHS = (64, 32)
SLOPE = 0.2  # of the leaky ReLU
RATE = 1e-3
BETAS = (0.0, 0.9)  # Adam without momentum: what the critic learns against moves


class CriticBatch(NamedTuple):
    """A batch that a model has answered."""

    x: Tensor
    """Examples, (n, ..., band), scaled units."""
    context: Tensor | None
    """What the model was told of them, (n, ..., number)."""
    mean: Tensor
    """Mean of p(x | z), the shape of ``x``."""
    kept: Tensor
    """Indexes of the examples that count, all axes but the last being one."""


class Discriminator:
    """What training keeps of a critic from step to step; no detector holds any of it."""

    def __init__(self, like: Tensor, weight: float) -> None:
        """Judge examples of the bands and the device of ``like``; torch's own generator decides."""
        self.weight = weight
        self.judge = judge(like.shape[-1]).to(like.device)
        self.optimiser = torch.optim.Adam(self.judge.parameters(), RATE, BETAS)
        self.draws = torch.Generator().manual_seed(int(torch.randint(2**31, ())))

    def __call__(self, model: Autoencoder, shown: CriticBatch) -> Tensor:
        """Learn from a batch, then say what the model pays for what it made of it."""
        made = self.made(model, shown)
        self.learn(shown.x.flatten(0, -2)[shown.kept], made.detach())
        self.judge.requires_grad_(False)
        return -self.weight * self.judge(made).mean()

    def made(self, model: Autoencoder, shown: CriticBatch) -> Tensor:
        """Give reconstructions and, from a prior, as many draws, (number, band)."""
        means = [shown.mean]
        if model.has_prior:
            places = shown.mean.shape[:-1]
            codes = model.bottleneck.draw(places.numel(), self.draws).unflatten(0, places)
            means.append(model.decode(codes, shown.context))
        mean = torch.cat([each.flatten(0, -2)[shown.kept] for each in means])
        with torch.no_grad():  # how large the noise is, the likelihood alone decides
            noise = model.likelihood.draw(torch.zeros_like(mean), self.draws)
        return mean + noise

    def learn(self, real: Tensor, made: Tensor) -> None:
        """Take a step towards telling examples from what was made, both (number, band)."""
        self.judge.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        of_real, of_made = self.judge(torch.cat([real, made])).split([len(real), len(made)])
        loss: Tensor = F.relu(1 - of_real).mean() + F.relu(1 + of_made).mean()
        loss.backward()
        self.optimiser.step()


class Bounded(nn.Linear):
    """A linear layer of spectral norm 1.

    It is exact: within a few hundred steps the usual power method lags by up to a quarter, and on
    layers this small it saves little time.
    """

    @property
    def unit(self) -> Tensor:
        """The weight over its largest singular value, (output, input)."""
        norm: Tensor = torch.linalg.matrix_norm(self.weight, 2)
        return self.weight / norm

    def forward(self, x: Tensor) -> Tensor:
        """Turn features (..., input) into features (..., output)."""
        return F.linear(x, self.unit, self.bias)


def judge(bands: int) -> nn.Sequential:
    """Stack bounded layers: spectra (..., band) to a verdict (..., 1)."""
    layers: list[nn.Module] = []
    for before, after in zip([bands, *WIDTHS], [*WIDTHS, 1], strict=True):
        layers += [Bounded(before, after), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])
