"""What a detector consists of, and how its file holds it: a card and named arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..models import Autoencoder
from ..models.families import PATCH, Sizes, family_named
from ..pixels.views import View
from ..stats.context import Context, conditioned
from ..stats.noise import Noise
from ..stats.scaler import Scaler
from ..stats.thresholds import ScoreDistribution
from .modelfile import Card, ModelFile


@dataclass(frozen=True, eq=False)
class DetectorState:
    """What a detector consists of."""

    card: Card
    """What it is, in words and numbers."""
    view: View
    """What an example is, with its context."""
    scaler: Scaler
    """Data units to scaled units."""
    model: Autoencoder
    """The trained autoencoder, in evaluation mode."""
    noise: Noise
    """The noise model of the score."""
    band_quantiles: NDArray[np.float64]
    """Quantiles of the training examples per band, (level, band), data units."""
    scores: ScoreDistribution | None = None
    """Scores of normal pixels that thresholds are chosen from; None before they are fitted."""
    context: Context | None = None
    """What the model is conditioned on; None for a family that is not."""


def to_model_file(state: DetectorState) -> ModelFile:
    """Name every array."""
    tensors = {
        "bands.quantiles": state.band_quantiles,
        "noise.centre": state.noise.centre,
        "noise.whitening": state.noise.whitening,
        "scaler.centre": state.scaler.centre,
        "scaler.std": state.scaler.std,
    }
    if state.scores is not None:
        tensors |= {"scores.values": state.scores.values, "scores.weights": state.scores.weights}
    if state.context is not None:
        tensors |= state.context.tensors
    weights = {f"model.{k}": v.cpu().numpy() for k, v in state.model.state_dict().items()}
    return ModelFile(state.card, tensors | weights)


def from_model_file(file: ModelFile) -> DetectorState:
    """Build the detector of a file; its family is looked up here.

    Raises
    ------
    LookupError, TypeError, ValueError, RuntimeError
        If its arrays are not those that its card describes.
    """
    card, tensors = file.card, file.tensors
    family, patch = family_named(card.family), card.patch or PATCH
    context = None
    if card.context is not None:
        context = Context.of(card.context, tensors, card.covariates)
    width = 0 if context is None else context.width
    sizes = Sizes(len(card.bands), card.latent, card.hidden, width, patch)
    model = family.build(sizes, card.likelihood)
    weights = {k: torch.from_numpy(v.copy()) for k, v in tensors.items() if k.startswith("model.")}
    model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items()})
    scores = None
    if card.threshold is not None:
        scores = ScoreDistribution(tensors["scores.values"], tensors["scores.weights"])
    return DetectorState(
        card,
        conditioned(family.view_of(patch), context),
        Scaler(tensors["scaler.centre"], tensors["scaler.std"]),
        model.eval(),
        Noise(tensors["noise.centre"], tensors["noise.whitening"]),
        tensors["bands.quantiles"],
        scores,
        context,
    )
