"""Adam and the one-cycle learning rate, bit for bit as in `torch.optim`.

Adam (Kingma & Ba 2015) with the gradient g at step t, from 1, and decay rates b1 and b2::

    m <- b1 m + (1 - b1) g    v <- b2 v + (1 - b2) g^2
    w <- w - rate m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e)

One cycle (Smith & Topin 2018): the rate rises from 1/25 of its peak and falls to 1/250,000 of it,
along cosines, while b1 falls from .95 to .85 and rises again.

`torch.optim` loads torch's compiler when an optimiser is made.  That takes longer than importing
torch, and half of the time of fitting a small scene.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

BETA1 = (0.95, 0.85)  # at both ends, and at the peak of the rate
BETA2 = 0.999
EPSILON = 1e-8
FIRST, LAST = 1 / 25, 1 / 25e4  # of the peak


class OneCycle:
    """The schedule of the rate and of b1."""

    def __init__(self, peak: float, steps: int, rise: float) -> None:
        """Rise to the ``peak`` within a share ``rise`` of the ``steps``, then fall."""
        self.peak, self.top, self.end = peak, rise * steps - 1, steps - 1

    def at(self, step: int) -> tuple[float, float]:
        """Return the rate and b1 of a step, from 0."""
        low = self.peak * FIRST
        if step <= self.top:
            done = step / self.top
            return _cosine(low, self.peak, done), _cosine(*BETA1, done)
        done = (step - self.top) / (self.end - self.top)
        return _cosine(self.peak, self.peak * LAST, done), _cosine(*BETA1[::-1], done)


class Adam:
    """Adam with its rate and b1 given at every step."""

    def __init__(self, parameters: Iterable[Tensor], beta2: float = BETA2) -> None:
        """Start with moments of 0; parameters without ``requires_grad`` are ignored."""
        self.parameters = [one for one in parameters if one.requires_grad]
        self.means = [torch.zeros_like(one) for one in self.parameters]
        self.squares = [torch.zeros_like(one) for one in self.parameters]
        self.beta2, self.steps = beta2, 0

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float, beta1: float) -> None:
        """Update the parameters that have a gradient."""
        self.steps += 1
        size = rate / (1 - beta1**self.steps)
        root = (1 - self.beta2**self.steps) ** 0.5
        every = zip(self.parameters, self.means, self.squares, strict=True)
        learnt = [(one, one.grad, *moments) for one, *moments in every if one.grad is not None]
        if not learnt:
            return
        # One call for all parameters: each takes longer to begin than to compute.
        parameters, grads, means, squares = map(list, zip(*learnt, strict=True))
        torch._foreach_lerp_(means, grads, 1 - beta1)
        torch._foreach_mul_(squares, self.beta2)
        torch._foreach_addcmul_(squares, grads, grads, value=1 - self.beta2)
        spreads = torch._foreach_sqrt(squares)
        torch._foreach_div_(spreads, root)
        torch._foreach_add_(spreads, EPSILON)
        torch._foreach_addcdiv_(parameters, means, spreads, value=-size)


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * done) + 1)
