"""A bottleneck whose code is one of a fixed number of vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..program.codebook import CODES, DEAD
from ..stats.latent import LatentStatistics
from .core import Code, Draw, VariationalBottleneck
from .networks import Dense

COMMITMENT = 0.25  # van den Oord et al. (2017); results are flat between .1 and 2
RATE = 0.05  # of the moving averages: a small scene trains for a few hundred steps


class Codebook(VariationalBottleneck):
    """The nearest of 64 codes replaces the features (van den Oord et al. 2017).

    A code is the moving average of the features nearest to it, and its frequency is a moving
    average, too (Razavi et al. 2019)::

        e = to_e(h)    k = argmin_j |e - c_j|^2    z = c_k, straight-through gradient to e
        KL = -log frequency_k    penalty = 1/4 mean |e - c_k|^2

    The KL is that of a one-hot posterior from the frequencies in training: rare codes score higher.
    A code whose frequency falls below `DEAD` is dead.  Training moves it to a random feature of the
    batch; scoring never chooses it.  All codes are dead before training.
    """

    codes: Tensor
    usage: Tensor

    def __init__(self, features: int, latent: int) -> None:
        super().__init__(latent)
        self.to_e = Dense(features, latent)
        self.register_buffer("codes", torch.zeros(CODES, latent))
        self.register_buffer("usage", torch.zeros(CODES))

    @property
    def frequency(self) -> Tensor:
        """Share of the training examples per code, (code,); never 0."""
        floored = self.usage.clamp_min(DEAD)
        return floored / floored.sum()

    @property
    def living(self) -> Tensor:
        """Which codes are not dead, (code,)."""
        return self.usage >= DEAD

    def forward(self, h: Tensor) -> Code:
        e = self.to_e(h)
        if self.training:
            self._revive(e.detach())
        index = self.nearest(e)
        code, kl = self.codes[index], -self.frequency.log()[index]
        if not self.training:
            return Code(code, kl, h.new_zeros(()))
        self._update(e.detach(), index)
        penalty = COMMITMENT * (e - code).square().sum(-1).mean()
        return Code(e + (code - e).detach(), kl, penalty)

    def draw_posterior(self, h: Tensor, noise: Tensor) -> Draw:
        index = self.nearest(self.to_e(h))
        codes = index.unsqueeze(-1).to(self.codes.dtype)
        return Draw(codes, self.codes[index], self.frequency.log()[index])

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return self.codes[torch.multinomial(self.frequency.cpu(), count, True, generator=generator)]

    def prior_code(self, noise: Tensor) -> Tensor:
        return self.codes[self.frequency.argmax()].expand(len(noise), -1)

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        counts = torch.bincount(self.nearest(self.to_e(h)).flatten(), minlength=CODES)
        share = counts / counts.sum()
        return LatentStatistics(perplexity=round(float(torch.special.entr(share).sum().exp()), 4))

    @torch.no_grad()
    def nearest(self, e: Tensor) -> Tensor:
        """Return the index of the nearest living code, (...); the first of equally near ones.

        Distances are summed per feature, because matrix kernels round an example by its position.
        """
        distance = torch.where(self.living, 0.0, torch.inf).expand(*e.shape[:-1], CODES)
        for feature, code in zip(e.unbind(-1), self.codes.unbind(-1), strict=True):
            distance = distance + (feature.unsqueeze(-1) - code).square()
        return distance.argmin(-1)

    def _revive(self, e: Tensor) -> None:
        """Move dead codes to random features."""
        dead = ~self.living
        flat = e.reshape(-1, self.width)
        random = flat[torch.randint(len(flat), (CODES,), device=e.device)]
        self.codes.copy_(torch.where(dead.unsqueeze(-1), random, self.codes))
        self.usage.masked_fill_(dead, 1 / CODES)

    def _update(self, e: Tensor, index: Tensor) -> None:
        """Move codes and usage towards this batch."""
        flat = e.reshape(-1, self.width)
        one_hot = F.one_hot(index.flatten(), CODES).to(flat.dtype)
        share = one_hot.mean(0)
        self.usage.lerp_(share, RATE)
        shift = one_hot.T @ flat / len(flat) - share.unsqueeze(-1) * self.codes
        self.codes.add_(RATE * shift / self.usage.unsqueeze(-1))
