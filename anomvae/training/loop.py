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
from ..models.plan import ModelPlan
from ..parallel import Progress, quiet
from .discriminator import CriticBatch, Discriminator
from .optimiser import Adam, OneCycle


@dataclass(frozen=True)
class History:
    """How the loss went down."""

    steps: int
    """Optimiser steps made."""
    batch_size: int
    """Examples per step."""
    loss: tuple[float, ...]
    """Mean trimmed loss of about fifty equal parts of training, nats per example."""


def fit_model(
    model: Autoencoder,
    plan: ModelPlan,
    examples: Tensor,
    context: Tensor | None = None,
    *,
    seed: int = 0,
    progress: Progress = quiet,
    discriminator: Callable[[Tensor, float], Discriminator] = Discriminator,
) -> History:
    """Train a model in place.

    Parameters
    ----------
    model : Autoencoder
        On the device where it is to be trained.
    plan : ModelPlan
        Objective, budget and care.
    examples : Tensor, shape (n, ..., band)
        Scaled units, on the same device.
    context : Tensor, shape (n, ..., feature), optional
        What the model is conditioned on.
    seed : int, default 0
        Decides shuffling and sampling; the same seed repeats to the bit on one machine.
    progress : Progress, optional
        Called for every hundredth of the steps.
    discriminator : callable, optional
        Makes the discriminator of an objective that has an adversarial term.

    Returns
    -------
    History
    """
    training, objective = plan.training, plan.objective
    steps, batch_size = training.steps_for(len(examples)), training.batch_size_for(len(examples))
    rise = max(training.lr_warmup, 2 / (steps + 1))  # over less than a step, it would divide by 0
    optimiser = Adam(model.parameters())
    schedule = OneCycle(training.learning_rate, steps + 1, rise)
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
            batch = model.prepare(examples[chosen], None if context is None else context[chosen])
            output = model(batch.x, batch.context)
            each = objective(output, step / steps).flatten()
            kept = best(each, batch.known.flatten(), plan.trim)
            loss = each[kept].mean()
            total = loss
            if opponent is not None:
                total = loss + opponent(
                    model, CriticBatch(batch.x, batch.context, output.mean, kept)
                )
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip)
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
