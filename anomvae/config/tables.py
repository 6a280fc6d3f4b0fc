"""The tables of a configuration, and what may stand in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
)

from ..stats.thresholds import parse_rule

Auto = Literal["auto"]
TRIM = 0.05
"""Share trimmed where pixels are only mostly normal: the best of 2, 5 and 10 % on real scenes."""
PATCH = (7, 3)
"""Sides of a patch and of its hidden middle, pixels; wider ones cost more and were no better."""
Share = Annotated[float, Field(ge=0, lt=1)]
SMALLEST_BATCH = 32
BATCHES = 8  # per epoch at the least, so that few examples still get their steps
WIDEST = 255  # every pixel of a ring is looked at, and tiles are read with it around them


def _sides(annulus: tuple[int, int]) -> tuple[int, int]:
    outer, guard = annulus
    if not 0 < guard < outer <= WIDEST or guard % 2 == 0 or outer % 2 == 0:
        raise ValueError(
            f"annulus = [{outer}, {guard}] is no annulus: give two odd sides in pixels, the outer "
            f"one first and larger, up to {WIDEST}, such as [21, 7]."
        )
    return annulus


Sides = Annotated[tuple[int, int], AfterValidator(_sides)]


def _patch(patch: tuple[int, int]) -> tuple[int, int]:
    side, guard = patch
    if not (0 <= guard < side <= WIDEST and side % 2 and (guard % 2 or not guard)):
        raise ValueError(
            f"patch = [{side}, {guard}] is no patch: give an odd side in pixels, up to {WIDEST}, "
            f"and the smaller odd side of its middle that is not seen, or 0, such as [7, 3]."
        )
    return patch


Patch = Annotated[tuple[int, int], AfterValidator(_patch)]


class Table(BaseModel):
    """One table of the file: read-only, and closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys by the names that they had before 0.2; they are answered with the new name."""


class ModelConfig(Table):
    """Which autoencoder to build."""

    family: str = "vae"
    """A name in `anomvae.models.families.FAMILIES`."""
    latent: PositiveInt | Auto = "auto"
    """Latent features per pixel; auto: min(8, bands / 2)."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | Auto = "auto"
    """Widths of the encoder's layers; auto: 128, 64 above 32 bands, else 64, 32."""
    likelihood: Literal["student-t", "gaussian", "mse"] = "student-t"
    """student-t: noise learnt per band, with heavy tails; gaussian: without; mse: gaussian noise
    of 1, the textbook squared error."""
    patch: Patch = PATCH
    """What spatial sees around a pixel: outer side, and side of the guard window in the middle that
    is hidden from it, pixels, odd; guard 0: the pixel, too, is seen."""


class ContextConfig(Table):
    """Which surroundings a conditioned family, such as cvae, is told."""

    renamed = {
        "ring": "annulus",
        "means": "mean_components",
        "spreads": "std_components",
        "limit": "clip_sigma",
    }

    annulus: Sides = (15, 7)
    """Outer side, and side of the guard window that is left out, pixels, odd."""
    mean_components: Annotated[int, Field(ge=0)] = 10
    """Principal components whose mean over the annulus is given; with std_components = 0 and this 0
    there is no annulus."""
    std_components: Annotated[int, Field(ge=0)] = 5
    """Principal components whose standard deviation over the annulus is given."""
    clip_sigma: PositiveFloat = 2.0
    """Spreads beyond which a number is cut off: what training never saw says no more."""


class TrainingConfig(Table):
    """How long and how carefully to train."""

    renamed = {
        "pixels": "max_pixels",
        "batch": "batch_size",
        "warm_up": "lr_warmup",
        "clip": "grad_clip",
    }

    max_pixels: Annotated[int, Field(ge=32)] = 1_000_000
    """Pixels to train on at the most, drawn evenly over the scenes."""
    epochs: PositiveInt = 40
    """Passes over them, unless max_steps ends training sooner."""
    max_steps: PositiveInt = 4000
    """Optimiser steps at the most."""
    batch_size: PositiveInt = 1024
    """Pixels per step, at the most an eighth of them all."""
    learning_rate: PositiveFloat = 2e-3
    """Peak of the one-cycle schedule."""
    lr_warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises."""
    grad_clip: PositiveFloat = 5.0
    """Largest norm of the gradient."""
    trim: Share | Auto = "auto"
    """Share of each batch, the worst, that is not learnt; auto: 0.05, 0 with --normal."""
    beta: NonNegativeFloat | Auto = "auto"
    """Weight of the KL term in training; auto: as the family says."""
    kl_warm_up: Share | Auto = "auto"
    """Share of training over which that weight rises from 0; auto: as the family says."""
    free_bits: NonNegativeFloat = 0.0
    """Nats of KL per pixel that cost nothing in training."""

    def batch_size_for(self, examples: int) -> int:
        """Return the examples per step for a training set of this size."""
        return min(examples, self.batch_size, max(SMALLEST_BATCH, examples // BATCHES))

    def steps_for(self, examples: int) -> int:
        """Return the steps for a training set of this size."""
        return min(self.max_steps, self.epochs * max(1, examples // self.batch_size_for(examples)))


class ScoreConfig(Table):
    """How a score is made of reconstruction and KL."""

    renamed = {"ring": "annulus", "contrast": "local_contrast", "novelty": "latent_distance"}

    noise: Literal["unit", "band", "covariance", "auto"] = "auto"
    """Noise model of the residual; auto: band, covariance in detect."""
    kl_weight: NonNegativeFloat = 1.0
    """Weight of the KL term in the score."""
    local_contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of the ring's mean log score, taken away from a pixel's; 0: each pixel alone."""
    latent_distance: NonNegativeFloat = 0.0
    """Weight of the log distance of a pixel's code to those of its ring; 0: each pixel alone."""
    annulus: Sides = (21, 7)
    """Ring of contrast and novelty: outer side and guard side, pixels, odd."""


class Config(Table):
    """Everything that training and scoring need besides the scenes."""

    model: ModelConfig = ModelConfig()
    """Which autoencoder to build."""
    training: TrainingConfig = TrainingConfig()
    """How long and how carefully to train."""
    context: ContextConfig = ContextConfig()
    """Which surroundings a conditioned family is told."""
    score: ScoreConfig = ScoreConfig()
    """How a score is made of reconstruction and KL."""
    threshold: Annotated[str, AfterValidator(lambda text: str(_rule(text)))] = "auto"
    """auto, sigma:K, sigma-clip:K, mad:K, quantile:FPR or fixed:VALUE (docs/design.md, section 8);
    auto: sigma:3, sigma-clip:3 in detect."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute; results repeat to the bit on one machine and device."""


def _rule(text: str) -> str:
    return text if text == "auto" else str(parse_rule(text))
