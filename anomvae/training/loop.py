"""The training loop: fixed budget, seeded, robust to anomalies among the examples.

Mini-batches by index, Adam under a one-cycle learning rate (`anomvae.training.optimiser`), clipped
gradients.  The worst examples of each batch are left out of its loss, so that
anomalies among the training pixels are not learnt.  There is no early stopping: choosing by the
reconstruction error is what fails in this field.  Nothing here knows rasters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models import Autoencoder
from ..models.objectives import Elbo
from ..parallel import Progress, quiet
from .discriminator import CriticBatch, Discriminator
from .optimiser import Adam, OneCycle

SMALLEST_BATCH = 32
BATCHES = 8  # per epoch at the least, so that few examples still get their steps


@dataclass(frozen=True)
class Plan:
    """How long and how carefully to train."""

    epochs: int = 40
    """Passes over the examples, unless ``max_steps`` ends them sooner."""
    max_steps: int = 4000
    """Optimiser steps at the most."""
    batch_size: int = 1024
    """Examples per step, at the most an eighth of them all."""
    learning_rate: float = 2e-3
    """Peak of the one-cycle schedule."""
    lr_warmup: float = 0.1
    """Share of the steps in which the learning rate rises."""
    grad_clip: float = 5.0
    """Largest norm of the gradient."""
    trim: float = 0.05
    """Share of each batch, the worst by loss, that does not count."""

    def batch_size_for(self, examples: int) -> int:
        """Give the examples per step for a training set of this size."""
        return min(examples, self.batch_size, max(SMALLEST_BATCH, examples // BATCHES))

    def steps_for(self, examples: int) -> int:
        """Give the steps for a training set of this size."""
        return min(self.max_steps, self.epochs * max(1, examples // self.batch_size_for(examples)))


@dataclass(frozen=True)
class History:
    """How the loss went down."""

    steps: int
    """Optimiser steps made."""
    batch_size: int
    """Examples per step."""
    loss: tuple[float, ...]
    """Mean trimmed loss of about fifty equal parts of training, nats per example."""


def fit_model(  # noqa: PLR0913 - one fewer once the plan holds the objective
    model: Autoencoder,
    objective: Elbo,
    examples: Tensor,
    plan: Plan,
    seed: int,
    progress: Progress = quiet,
    context: Tensor | None = None,
    discriminator: Callable[[Tensor, float], Discriminator] = Discriminator,
) -> History:
    """Train a model in place.

    Parameters
    ----------
    model : Autoencoder
        On the device where it is to be trained.
    objective : Elbo
        What to minimise.
    examples : Tensor, shape (n, ..., band)
        Scaled units, on the same device.
    plan : Plan
        Budget and care.
    seed : int
        Decides shuffling and sampling; the same seed repeats to the bit on one machine.
    progress : Progress, optional
        Told about every hundredth of the steps.
    context : Tensor, shape (n, ..., number), optional
        What the model is conditioned on.
    discriminator : callable, optional
        Makes the discriminator of an objective that has an adversarial term.

    Returns
    -------
    History
    """
    steps, batch_size = plan.steps_for(len(examples)), plan.batch_size_for(len(examples))
    rise = max(plan.lr_warmup, 2 / (steps + 1))  # over less than a step, it would divide by 0
    optimiser = Adam(model.parameters())
    schedule = OneCycle(plan.learning_rate, steps + 1, rise)
    losses = torch.empty(steps)
    model.train()
    with torch.random.fork_rng(devices=_cuda(examples)):
        torch.manual_seed(seed)
        order = _Shuffled(len(examples), batch_size, examples.device)
        weight = objective.adversarial
        opponent = discriminator(examples, weight) if weight else None
        for step in range(steps):
            optimiser.forget()
            chosen = order.next()
            seen = model.prepare(examples[chosen], None if context is None else context[chosen])
            answer = model(seen.x, seen.context)
            each = objective(answer, step / steps).flatten()
            kept = best(each, seen.known.flatten(), plan.trim)
            loss = each[kept].mean()
            paid = loss
            if opponent is not None:
                paid = loss + opponent(model, CriticBatch(seen.x, seen.context, answer.mean, kept))
            paid.backward()
            nn.utils.clip_grad_norm_(model.parameters(), plan.grad_clip)
            optimiser.step(*schedule.at(step))
            losses[step] = loss.detach()
            if step % max(1, steps // 100) == 0:
                progress("train", step, steps)
    progress("train", steps, steps)
    model.eval()
    return History(steps, batch_size, tuple(float(part.mean()) for part in losses.chunk(50)))


def best(losses: Tensor, known: Tensor, trim: float) -> Tensor:
    """Give the indexes of all that is known but the worst share of losses, both (n,)."""
    places = known.nonzero().flatten()
    kept = max(1, round(len(places) * (1 - trim)))
    if kept >= len(places):
        return places
    return places[losses[places].topk(kept, largest=False).indices]


class _Shuffled:
    """Indexes of batch after batch, in a new order whenever the examples are used up."""

    def __init__(self, examples: int, batch_size: int, device: torch.device) -> None:
        self.examples, self.batch_size, self.device = examples, batch_size, device
        self.left = torch.empty(0, dtype=torch.long, device=device)

    def next(self) -> Tensor:
        if len(self.left) < self.batch_size:
            self.left = torch.randperm(self.examples, device=self.device)
        chosen, self.left = self.left[: self.batch_size], self.left[self.batch_size :]
        return chosen


def _cuda(examples: Tensor) -> list[torch.device]:
    return [examples.device] if examples.is_cuda else []
