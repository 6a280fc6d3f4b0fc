"""Adam under a one-cycle learning rate, as in `torch.optim`, step by step the same bits.

Adam (Kingma & Ba 2015) with g the gradient at step t, and b1, b2 = 0.999::

    m <- b1 m + (1 - b1) g    v <- b2 v + (1 - b2) g^2
    w <- w - rate m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e)

One cycle (Smith & Topin 2018): the rate rises from a 25th of its peak and falls to a 250,000th of
it, along cosines, while b1 goes from .95 down to .85 and back.

It is written out because `torch.optim` loads torch's compiler when an optimiser is made: longer
than torch itself takes, and half of what fitting a small scene does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

SLOW, FAST = 0.95, 0.85  # b1 at the ends, and at the peak of the rate
BETA = 0.999
TINY = 1e-8
FIRST, LAST = 1 / 25, 1 / 25e4  # of the peak


class OneCycle:
    """What the rate and b1 are at every step."""

    def __init__(self, peak: float, steps: int, rise: float) -> None:
        """Rise to the ``peak`` within a share ``rise`` of the ``steps``, then fall."""
        self.peak, self.top, self.end = peak, rise * steps - 1, steps - 1

    def at(self, step: int) -> tuple[float, float]:
        """Give the rate and b1 of a step; the first is 0."""
        low = self.peak * FIRST
        if step <= self.top:
            done = step / self.top
            return _cosine(low, self.peak, done), _cosine(SLOW, FAST, done)
        done = (step - self.top) / (self.end - self.top)
        return _cosine(self.peak, self.peak * LAST, done), _cosine(FAST, SLOW, done)


class Adam:
    """Moments of the gradients, and steps by them."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        """Begin at rest; parameters that are not learnt stay as they are."""
        self.learnt = [one for one in parameters if one.requires_grad]
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.learnt]
        self.steps = 0

    def forget(self) -> None:
        """Drop the gradients."""
        for one in self.learnt:
            one.grad = None

    @torch.no_grad()
    def step(self, rate: float, beta: float) -> None:
        """Move the parameters that have a gradient; ``beta`` is b1."""
        self.steps += 1
        size = rate / (1 - beta**self.steps)
        root = (1 - BETA**self.steps) ** 0.5
        for one, (mean, square) in zip(self.learnt, self.moments, strict=True):
            if one.grad is None:
                continue
            mean.lerp_(one.grad, 1 - beta)
            square.mul_(BETA).addcmul_(one.grad, one.grad, value=1 - BETA)
            one.addcdiv_(mean, square.sqrt().div_(root).add_(TINY), value=-size)


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * done) + 1)
