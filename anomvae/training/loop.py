"""The training loop: fixed budget, seeded, robust to anomalies among the examples.

Shuffled mini-batches, Adam under a one-cycle learning rate (`anomvae.training.optimiser`), clipped
gradients.  The loss of a batch excludes its worst examples, so that anomalies among the training
pixels are not learnt.  There is no early stopping: the reconstruction error does not show when a
model detects anomalies best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models import Autoencoder, Reconstruction
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
    reconstruction: tuple[float, ...]
    """Mean error of the examples in the loss, -log p(x | z), of the same parts, nats."""
    kl: tuple[float, ...]
    """Mean KL of the examples in the loss, of the same parts, nats, without weight."""


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
    """Train a model in place, on its device; it is in evaluation mode afterwards.

    Examples (n, ..., band) are in scaled units, with context features (n, ..., feature) from
    outside them; both lie on the device of the model.  The same seed gives the same bits on one
    machine.  Progress is reported about a hundred times.
    """
    training, weight = plan.training, plan.objective.adversarial
    steps, batch_size = training.steps_for(len(examples)), training.batch_size_for(len(examples))
    rise = max(training.lr_warmup, 2 / (steps + 1))  # over less than a step, it would divide by 0
    optimiser = Adam(model.parameters())
    schedule = OneCycle(training.learning_rate, steps + 1, rise)
    course = torch.empty(steps, 3)
    model.train()
    with torch.random.fork_rng(devices=[examples.device] if examples.is_cuda else []):
        torch.manual_seed(seed)
        adversary = discriminator(examples, weight) if weight else None
        batches = _shuffled(len(examples), batch_size, examples.device)
        for step, chosen in zip(range(steps), batches, strict=False):
            optimiser.zero_grad()
            features = None if context is None else context[chosen]
            # Takes half the time of examples[chosen].
            batch = model.prepare(examples.index_select(0, chosen), features)
            output = model(batch.x, batch.context)
            losses = plan.objective(output, step / steps).flatten()
            kept = lowest_losses(losses, batch.known.flatten(), plan.trim)
            loss = losses[kept].mean()
            course[step] = _terms(loss, output, kept)
            if adversary is not None:
                loss = loss + adversary.adversarial_term(model, batch, output.mean, kept)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip)
            optimiser.step(*schedule.at(step))
            if step % max(1, steps // 100) == 0:
                progress("train", step, steps)
    progress("train", steps, steps)
    model.eval()
    means = torch.stack([part.mean(0) for part in course.chunk(50)])
    return History(steps, batch_size, *map(tuple, means.T.tolist()))


def lowest_losses(losses: Tensor, known: Tensor, trim: float) -> Tensor:
    """Return the indexes of the known losses without the highest share ``trim``, both (n,)."""
    indexes = known.nonzero().flatten()
    count = max(1, round(len(indexes) * (1 - trim)))
    if count >= len(indexes):
        return indexes
    return indexes[losses[indexes].topk(count, largest=False).indices]


@torch.no_grad()
def _terms(loss: Tensor, output: Reconstruction, kept: Tensor) -> Tensor:
    """Return loss, mean error and mean KL of the kept examples of a batch, (3,), nats."""
    error, kl = output.error.sum(-1).flatten()[kept], output.kl.flatten()[kept]
    return torch.stack([loss, error.mean(), kl.mean()])


def _shuffled(examples: int, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Yield the indexes of whole batches without end, shuffled again in every epoch."""
    while True:
        order = torch.randperm(examples, device=device)
        yield from order[: examples - examples % batch_size].split(batch_size)
