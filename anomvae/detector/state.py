"""What of a detector its file holds: a card, and named arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..models import Autoencoder
from ..models.families import PATCH, Sizes, family_named
from ..stats.context import Context
from ..stats.noise import Noise
from ..stats.scaler import Scaler
from ..stats.thresholds import ScoreDistribution
from .modelfile import Card, ModelFile


class DetectorState(NamedTuple):
    """What a detector is made of; see `Detector` for each."""

    card: Card
    scaler: Scaler
    model: Autoencoder
    noise: Noise
    band_quantiles: NDArray[np.float64]
    scores: ScoreDistribution | None
    context: Context | None


def to_model_file(parts: DetectorState) -> ModelFile:
    """Name every array."""
    tensors = {
        "bands.quantiles": parts.band_quantiles,
        "noise.centre": parts.noise.centre,
        "noise.whitening": parts.noise.whitening,
        "scaler.centre": parts.scaler.centre,
        "scaler.spread": parts.scaler.std,
    }
    if parts.scores is not None:
        tensors |= {"scores.values": parts.scores.values, "scores.weights": parts.scores.weights}
    if parts.context is not None:
        tensors |= parts.context.tensors
    weights = {f"model.{k}": v.cpu().numpy() for k, v in parts.model.state_dict().items()}
    return ModelFile(parts.card, tensors | weights)


def from_model_file(file: ModelFile) -> DetectorState:
    """Build what a file describes.

    Raises
    ------
    LookupError, TypeError, ValueError, RuntimeError
        If its arrays are not those that its card speaks of.
    """
    card, tensors = file.card, file.tensors
    plan = card.context
    context = None if plan is None else Context.of(plan, tensors, card.covariates)
    told = context.width if context else 0
    sizes = Sizes(len(card.bands), card.latent, card.hidden, told, card.patch or PATCH)
    model = family_named(card.family).build(sizes, card.likelihood)
    weights = {k: torch.from_numpy(v.copy()) for k, v in tensors.items() if k.startswith("model.")}
    model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()})
    scores = None
    if card.threshold is not None:
        scores = ScoreDistribution(tensors["scores.values"], tensors["scores.weights"])
    return DetectorState(
        card,
        Scaler(tensors["scaler.centre"], tensors["scaler.spread"]),
        model.eval(),
        Noise(tensors["noise.centre"], tensors["noise.whitening"]),
        tensors["bands.quantiles"],
        scores,
        context,
    )
