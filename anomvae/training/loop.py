"""The training loop: fixed budget, seeded, robust to anomalies among the examples.

Shuffled mini-batches, Adam under a one-cycle learning rate (`anomvae.training.optimiser`), clipped
gradients.  The loss of a batch excludes its worst examples, so that anomalies among the training
pixels are not learnt.  There is no early stopping: the reconstruction error does not show when a
model detects anomalies best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models import Autoencoder, ModelInput
from ..models.plan import ModelPlan
from ..parallel import Progress, quiet
from .discriminator import Discriminator
from .optimiser import Adam, OneCycle


@dataclass(frozen=True)
class History:
    """The course of a training."""

    steps: int
    """Optimiser steps."""
    batch_size: int
    """Examples per step."""
    loss: tuple[float, ...]
    """Mean trimmed loss of up to fifty equal parts of training, nats per example."""


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
    """Train a model in place; it is in evaluation mode afterwards.

    Parameters
    ----------
    model : Autoencoder
        On the device where it is to be trained.
    plan : ModelPlan
        Objective, budget, optimiser and trim.
    examples : Tensor, shape (n, ..., band)
        Scaled units, on the same device.
    context : Tensor, shape (n, ..., feature), optional
        Context features from outside the examples.
    seed : int, default 0
        Decides shuffling and sampling; the same seed gives the same bits on one machine.
    progress : Progress, optional
        Called about a hundred times.
    discriminator : callable, optional
        Builds the discriminator of an objective with an adversarial term.

    Returns
    -------
    History
    """
    training, weight = plan.training, plan.objective.adversarial
    steps, batch_size = training.steps_for(len(examples)), training.batch_size_for(len(examples))
    rise = max(training.lr_warmup, 2 / (steps + 1))  # over less than a step, it would divide by 0
    optimiser = Adam(model.parameters())
    schedule = OneCycle(training.learning_rate, steps + 1, rise)
    history = torch.empty(steps)
    model.train()
    with torch.random.fork_rng(devices=[examples.device] if examples.is_cuda else []):
        torch.manual_seed(seed)
        order = _Shuffled(len(examples), batch_size, examples.device)
        adversary = discriminator(examples, weight) if weight else None
        for step in range(steps):
            optimiser.zero_grad()
            chosen = order.next()
            batch = model.prepare(examples[chosen], None if context is None else context[chosen])
            loss, adversarial = _losses(model, plan, adversary, batch, step / steps)
            (loss if adversarial is None else loss + adversarial).backward()
            nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip)
            optimiser.step(*schedule.at(step))
            history[step] = loss.detach()
            if step % max(1, steps // 100) == 0:
                progress("train", step, steps)
    progress("train", steps, steps)
    model.eval()
    return History(steps, batch_size, tuple(float(part.mean()) for part in history.chunk(50)))


def lowest_losses(losses: Tensor, known: Tensor, trim: float) -> Tensor:
    """Return the indexes of the known losses without the highest share ``trim``, both (n,)."""
    indexes = known.nonzero().flatten()
    count = max(1, round(len(indexes) * (1 - trim)))
    if count >= len(indexes):
        return indexes
    return indexes[losses[indexes].topk(count, largest=False).indices]


def _losses(
    model: Autoencoder,
    plan: ModelPlan,
    discriminator: Discriminator | None,
    batch: ModelInput,
    done: float,
) -> tuple[Tensor, Tensor | None]:
    """Return the trimmed mean loss of a batch and, with a discriminator, the adversarial term."""
    output = model(batch.x, batch.context)
    losses = plan.objective(output, done).flatten()
    kept = lowest_losses(losses, batch.known.flatten(), plan.trim)
    loss = losses[kept].mean()
    if discriminator is None:
        return loss, None
    return loss, discriminator.adversarial_term(model, batch, output.mean, kept)


class _Shuffled:
    """Indexes of one batch after the other, shuffled again when the examples run out."""

    def __init__(self, examples: int, batch_size: int, device: torch.device) -> None:
        self.examples, self.batch_size, self.device = examples, batch_size, device
        self.rest = torch.empty(0, dtype=torch.long, device=device)

    def next(self) -> Tensor:
        if len(self.rest) < self.batch_size:
            self.rest = torch.randperm(self.examples, device=self.device)
        batch, self.rest = self.rest[: self.batch_size], self.rest[self.batch_size :]
        return batch
