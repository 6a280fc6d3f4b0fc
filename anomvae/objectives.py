"""What training minimises, example by example.

The negative evidence lower bound (Kingma & Welling 2014), with the weight of the KL term (beta-VAE,
Higgins et al. 2017), its linear warm-up (Sonderby et al. 2016) and free bits (Kingma et al. 2016,
here a hinge per example)::

    loss = sum_band error + beta * w(t) * max(kl, free_bits) + penalty       nats

    w(t) = min(1, t / warm_up), t = share of training done

An objective is a recipe: what has a state, such as a critic, begins anew with every training.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .critic import Critic, Unopposed
from .models import Reconstruction


@dataclass(frozen=True)
class Elbo:
    """The negative evidence lower bound and its usual variations."""

    beta: float = 1.0
    """Weight of the KL term."""
    warm_up: float = 0.0
    """Share of training over which the weight rises from 0, in [0, 1]."""
    free_bits: float = 0.0
    """Nats of KL per example that cost nothing; against a collapsed code."""

    def __call__(self, answer: Reconstruction, done: float = 1.0) -> Tensor:
        """Give the loss of every example.

        Parameters
        ----------
        answer : Reconstruction
            The model's answer for examples of shape (..., band).
        done : float, default 1
            Share of training done, in [0, 1].

        Returns
        -------
        Tensor, shape (...)
            Nats, lower is better.
        """
        weight = self.beta * (min(1.0, done / self.warm_up) if self.warm_up else 1.0)
        kl = answer.kl.clamp_min(self.free_bits)
        return answer.error.sum(-1) + weight * kl + answer.penalty

    def begin(self, examples: Tensor) -> Unopposed:
        """Give what the model pays besides, for a training on examples (n, ..., band)."""
        return Unopposed()


@dataclass(frozen=True)
class Adversarial(Elbo):
    """The negative evidence lower bound, and a critic that only training sees."""

    weight: float = 1.0
    """What the model pays for a verdict lower by 1, nats."""

    def begin(self, examples: Tensor) -> Unopposed:
        """Begin with an untrained critic, on the device of the examples."""
        return Critic(examples, self.weight)
