"""The tables of a configuration, their keys and the values that these accept."""

from __future__ import annotations

from typing import Annotated, Literal

from ..stats.limits import (
    MAX_COMPONENTS,
    MAX_DATES,
    MAX_LATENT,
    MAX_LAYERS,
    MAX_PATCH,
    MAX_SIDE,
    MAX_THREADS,
    MAX_WEIGHT,
    MAX_WIDTH,
    PATCH,
)
from ..stats.score_kind import parse_kind
from ..stats.thresholds import AUTO, parse_rule
from .table import Table
from .values import After, Before, Between, Entries

Auto = Literal["auto"]
TRIM = 0.05
"""Share trimmed where pixels are only mostly normal: the best of 2, 5 and 10 % on real scenes."""
"""Sides of a patch and of its guard window, pixels; wider ones were slower and no better."""
PositiveInt = Annotated[int, Between(above=0)]
PositiveFloat = Annotated[float, Between(above=0)]
NonNegativeFloat = Annotated[float, Between(least=0)]
Share = Annotated[float, Between(least=0, below=1)]
SMALLEST_BATCH = 32
BATCHES = 8  # per epoch at least, so that few examples still get their steps
Weight = Annotated[float, Between(least=0, most=MAX_WEIGHT)]
Components = Annotated[int, Between(least=0, most=MAX_COMPONENTS)]
Width = Annotated[int, Between(above=0, most=MAX_WIDTH)]


def _sides(annulus: tuple[int, int]) -> tuple[int, int]:
    outer, guard = annulus
    if not 0 < guard < outer <= MAX_SIDE or guard % 2 == 0 or outer % 2 == 0:
        raise ValueError(
            f"annulus = [{outer}, {guard}] is no annulus: give two odd sides in pixels, the outer "
            f"one first and larger, up to {MAX_SIDE}, such as [21, 7]."
        )
    return annulus


Sides = Annotated[tuple[int, int], After(_sides)]


def _patch(patch: tuple[int, int]) -> tuple[int, int]:
    side, guard = patch
    if not (0 <= guard < side <= MAX_PATCH and side % 2 and (guard % 2 or not guard)):
        raise ValueError(
            f"patch = [{side}, {guard}] is no patch: give an odd side in pixels, up to "
            f"{MAX_PATCH}, and the smaller odd side of its guard window, or 0, such as [7, 3]."
        )
    return patch


Patch = Annotated[tuple[int, int], After(_patch)]


def _likelihood(name: object) -> object:
    if name == "unit":  # its name before 0.2
        raise ValueError("model.likelihood = 'unit': unit is now called mse.")
    return name


Likelihood = Annotated[Literal["student-t", "gaussian", "mse"], Before(_likelihood)]


class ModelConfig(Table):
    """The autoencoder."""

    family: str = "vae"
    """A name in `anomvae.models.families.FAMILIES`."""
    latent: Annotated[int, Between(above=0, most=MAX_LATENT)] | Auto = "auto"
    """Latent features per pixel; auto: min(8, bands / 2)."""
    hidden: Annotated[tuple[Width, ...], Entries(1, MAX_LAYERS)] | Auto = "auto"
    """Widths of the encoder's layers; auto: 128, 64 above 32 bands, else 64, 32."""
    likelihood: Likelihood = "student-t"
    """student-t: noise learnt per band, with heavy tails; gaussian: without; mse: gaussian noise
    of 1, the squared error."""
    patch: Patch = PATCH
    """Patch of spatial around a pixel: outer side, and side of the guard window in its middle,
    which the model is not given, pixels, odd; guard 0: it is given the pixel, too."""
    dates: Annotated[int, Between(above=0, most=MAX_DATES)] = 8
    """Dates before the newest that change is given, at the most: the newest of those there are."""


class ContextConfig(Table):
    """The context of a conditioned family, such as cvae."""

    renamed = {
        "ring": "annulus",
        "means": "mean_components",
        "spreads": "std_components",
        "limit": "clip_sigma",
    }

    annulus: Sides = (15, 7)
    """Outer side, and side of the guard window in its middle, pixels, odd."""
    mean_components: Components = 10
    """Principal components whose mean over the annulus is given; without means and standard
    deviations there is no annulus."""
    std_components: Components = 5
    """Principal components whose standard deviation over the annulus is given."""
    clip_sigma: PositiveFloat = 2.0
    """Training standard deviations at which a feature is clipped."""


class TrainingConfig(Table):
    """Training and its length."""

    renamed = {
        "pixels": "max_pixels",
        "batch": "batch_size",
        "warm_up": "lr_warmup",
        "clip": "grad_clip",
    }

    max_pixels: Annotated[int, Between(least=32)] = 1_000_000
    """Training pixels at the most, drawn evenly over the scenes."""
    epochs: PositiveInt = 40
    """Epochs, unless max_steps ends training sooner."""
    max_steps: PositiveInt = 4000
    """Optimiser steps at the most."""
    batch_size: PositiveInt = 1024
    """Pixels per step, at the most an eighth of all."""
    learning_rate: PositiveFloat = 2e-3
    """Peak of the one-cycle schedule."""
    lr_warmup: Annotated[float, Between(above=0, below=1)] = 0.1
    """Share of the steps in which the learning rate rises."""
    grad_clip: PositiveFloat = 5.0
    """Largest norm of the gradient."""
    trim: Share | Auto = "auto"
    """Share of each batch, of the largest losses, that is dropped; auto: 0.05, 0 with --normal."""
    beta: Weight | Auto = "auto"
    """Weight of the KL term in training; auto: the family's."""
    kl_warm_up: Share | Auto = "auto"
    """Share of training over which that weight rises from 0; auto: the family's."""
    free_bits: NonNegativeFloat = 0.0
    """Nats of KL per pixel without penalty in training."""
    threads: Annotated[int, Between(above=0, most=MAX_THREADS)] = 1
    """Threads of torch that fit; more are only faster for networks of thousands of units on idle
    cores, and their number changes the last digits."""

    def batch_size_for(self, examples: int) -> int:
        """Return the examples per step for a training set of this size."""
        return min(examples, self.batch_size, max(SMALLEST_BATCH, examples // BATCHES))

    def steps_for(self, examples: int) -> int:
        """Return the steps for a training set of this size."""
        return min(self.max_steps, self.epochs * max(1, examples // self.batch_size_for(examples)))


def _kind(text: str) -> str:
    return str(parse_kind(text))


class ScoreConfig(Table):
    """The score: noise model, weights and surroundings."""

    renamed = {"ring": "annulus", "contrast": "local_contrast", "novelty": "latent_distance"}

    kind: Annotated[str, After(_kind)] = "elbo"
    """elbo: reconstruction and KL; reconstruction or kl: one of them; iwae:K: the importance
    weighted bound of K draws; latent: the Mahalanobis distance of the code."""
    noise: Literal["unit", "band", "covariance", "scene", "auto"] = "auto"
    """Noise model of the residual; scene: as band, and estimated again on each scored scene;
    auto: scene above 32 bands without a context, else band; covariance in detect."""
    kl_weight: Weight = 1.0
    """Weight of the KL term in the score."""
    linear: Weight | Auto = "auto"
    """Weight of the linear term, the robust Mahalanobis distance of the spectrum: its median over
    training pixels is this multiple of that of the other terms; auto: 1 up to 32 bands, above that
    0.1, 0.25 in detect; 0 for families with a context, and for other kinds than elbo."""
    local_contrast: Annotated[float, Between(least=0, most=1)] = 0.0
    """Weight of the mean log score of the annulus, which is subtracted; 0: each pixel alone."""
    latent_distance: Weight = 0.0
    """Weight of the log distance between a pixel's code and those of its annulus; 0: off."""
    annulus: Sides = (21, 7)
    """Annulus of local contrast and latent distance: outer side and guard side, pixels, odd."""


def _rule(text: str) -> str:
    """Return a rule as it is written, ``auto`` and ``auto+local:K`` included."""
    rule = parse_rule(text, auto="sigma")
    return f"{AUTO}{rule.condition}" if text.strip().startswith(AUTO) else str(rule)


class Config(Table):
    """The settings of training and scoring."""

    model: ModelConfig = ModelConfig()
    """The autoencoder."""
    training: TrainingConfig = TrainingConfig()
    """Training and its length."""
    context: ContextConfig = ContextConfig()
    """The context of a conditioned family, such as cvae."""
    score: ScoreConfig = ScoreConfig()
    """The score: noise model, weights and surroundings."""
    threshold: Annotated[str, After(_rule)] = "auto"
    """auto, sigma:K, log-sigma:K, gaussian:K, sigma-clip:K, mad:K, quantile:FPR, fixed:VALUE,
    conformal:FPR, fdr:RATE, budget:N or budget:Nkm2, each also with +local:K (docs/design.md,
    section 8); auto: log-sigma:3, gaussian:3 in train --normal."""
    device: Literal["cpu", "cuda"] = "cpu"
    """The device; results repeat to the bit on one machine and device."""
