"""The loss of each training example.

The negative evidence lower bound (Kingma & Welling 2014), with the weight of the KL term (beta-VAE,
Higgins et al. 2017), its linear warm-up (Sonderby et al. 2016) and free bits (Kingma et al. 2016,
here a hinge per example)::

    loss = sum_band error + beta * w(t) * max(kl, free_bits) + penalty       nats

    w(t) = min(1, t / warm_up), t = share of training done

Training may add an adversarial term (`anomvae.training.discriminator`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from .core import Reconstruction


@dataclass(frozen=True)
class Elbo:
    """The negative evidence lower bound and its common variations."""

    beta: float = 1.0
    """Weight of the KL term."""
    warm_up: float = 0.0
    """Share of training over which the weight rises from 0, in [0, 1]."""
    free_bits: float = 0.0
    """KL per example below which the loss is constant, nats; against a collapsed code."""
    adversarial: float = 0.0
    """Nats per unit of the discriminator's output in the adversarial term; 0: no discriminator."""

    def __call__(self, output: Reconstruction, done: float = 1.0) -> Tensor:
        """Return the loss of every example, (...), nats, without the adversarial term.

        ``done`` is the share of training done, in [0, 1].
        """
        weight = self.beta * (min(1.0, done / self.warm_up) if self.warm_up else 1.0)
        kl = output.kl.clamp_min(self.free_bits)
        return output.error.sum(-1) + weight * kl + output.penalty
