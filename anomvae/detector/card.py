"""The card of a detector: its description, the JSON entry of its file.

docs/model-file.md describes every field.  `RANGES` states what each may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..notebooks import short
from ..pixels.annulus import Annulus
from ..pixels.bands import Band, Bands
from ..pixels.covariates import CATEGORICAL, CONTINUOUS, DAY, Covariate, Covariates
from ..stats.context import ContextPlan
from ..stats.held_out import HeldOutRate
from ..stats.latent import NO_LATENT_STATISTICS, LatentStatistics
from ..stats.limits import (
    MAX_BANDS,
    MAX_CLASSES,
    MAX_COMPONENTS,
    MAX_COUNT,
    MAX_DRAWS,
    MAX_LATENT,
    MAX_LAYERS,
    MAX_PATCH,
    MAX_SIDE,
    MAX_WEIGHT,
    MAX_WIDTH,
)
from ..stats.local_contrast import LocalContrastWeighting
from ..stats.noise import NOISES
from ..stats.score_kind import ELBO, IWAE, KINDS
from ..stats.thresholds import FLOAT32_MAX, Threshold
from .fields import LEAST, FieldError, Range, read_fields


@dataclass(frozen=True)
class Training:
    """How a detector was fitted; docs/model-file.md describes every field."""

    scenes: tuple[str, ...]  # empty for arrays
    seed: int
    pixels: int
    steps: int
    batch_size: int
    trim: float  # share of each batch, the worst by loss, that did not count
    beta: float
    loss: tuple[float, ...]  # means of about fifty equal parts of training, nats per pixel
    elbo: float | None  # of held-out pixels, nats per pixel in scaled units; higher is better
    nodata: float  # share of pixels without data in the training scenes
    latent: LatentStatistics = NO_LATENT_STATISTICS
    dates: int = 1
    pixel_area: float | None = None  # m2, of the first scene; None where it is not located
    reconstruction: tuple[float, ...] = ()  # as loss: its error, without the KL; empty: not kept
    kl: tuple[float, ...] = ()  # as loss: its KL, without weight; empty: not kept
    warm_up: float = 0.0  # share of training over which the weight of the KL rose to beta
    free_bits: float = 0.0  # KL below which the loss was constant, nats
    config: str = ""  # all settings but the device, JSON; empty in older files


@dataclass(frozen=True)
class Card:
    """Description of a detector, the JSON entry of its file; docs/model-file.md has every field."""

    family: str
    latent: int
    hidden: tuple[int, ...]  # widths of the encoder's layers
    likelihood: str
    bands: Bands  # the radiometric contract: the bands a scene must have, in order
    dropped: tuple[str, ...]
    noise: str
    kl_weight: float
    training: Training
    anomvae: str
    torch: str
    threshold: Threshold | None = None  # None before it is fitted
    context: ContextPlan | None = None  # None for a family that is not conditioned
    weighting: LocalContrastWeighting | None = None  # None where each pixel is scored alone
    patch: Annulus | None = None  # None for a family without patches
    covariates: Covariates = ()  # in the order of their values behind the bands of a block
    linear_weight: float = 0.0  # of the linear term; 0: there is none
    residuals: bool = False  # whether it keeps the residuals that drawn spectra have
    background: bool = False  # whether it keeps a background that no linear term holds
    held_out: HeldOutRate | None = None  # None where training read all normal pixels
    kind: str = ELBO  # what the score measures
    draws: int = 0  # of the kind iwae; 0 for others
    drift: bool = False  # whether it keeps how far its training scenes lie from each other

    def __repr__(self) -> str:
        """Return one line, whatever the number of bands."""
        return f"Card({self.summary})"

    @property
    def summary(self) -> str:
        """Family, bands, latent units and threshold in a line."""
        text = f"{self.family}, {self.bands.summary}, latent {self.latent}"
        if self.threshold is None:
            return text
        return f"{text}, threshold {self.threshold.value:.4g} ({short(self.threshold.rule)})"


COUNT, POSITIVE, WEIGHT = Range(1, MAX_COUNT), Range(LEAST), Range(0, MAX_WEIGHT)
SHARE, NOT_NEGATIVE = Range(0, 1), Range(0)
RANGES: Mapping[type, Mapping[str, Range]] = {
    Card: {
        "latent": Range(1, MAX_LATENT),
        "hidden": Range(1, MAX_WIDTH, items=(1, MAX_LAYERS)),
        "noise": Range(names=NOISES),
        "kl_weight": WEIGHT,
        "linear_weight": WEIGHT,
        "kind": Range(names=KINDS),
        "draws": Range(0, MAX_DRAWS),
    },
    Bands: {"items": Range(items=(1, MAX_BANDS)), "source": Range(1, MAX_COUNT)},
    Band: {"index": COUNT, "wavelength": POSITIVE, "fwhm": POSITIVE},
    Training: {
        "seed": Range(0, MAX_COUNT),
        **dict.fromkeys(("pixels", "steps", "batch_size", "dates"), COUNT),
        "trim": SHARE,
        "beta": WEIGHT,
        "loss": Range(items=(1, 1000)),
        "nodata": SHARE,
        "pixel_area": POSITIVE,
        "reconstruction": Range(items=(0, 1000)),
        "kl": Range(0, items=(0, 1000)),
        "warm_up": SHARE,
        "free_bits": NOT_NEGATIVE,
    },
    LatentStatistics: dict.fromkeys(("units", "levels", "perplexity"), NOT_NEGATIVE),
    Threshold: {"value": Range(0, FLOAT32_MAX), "fpr": SHARE, "pixels": COUNT},
    HeldOutRate: {
        **dict.fromkeys(("rate", "low", "high"), SHARE),
        "pixels": COUNT,
        "blocks": Range(0, MAX_COUNT),
    },
    ContextPlan: {
        "mean_components": Range(0, MAX_COMPONENTS),
        "std_components": Range(0, MAX_COMPONENTS),
        "clip_sigma": Range(LEAST, FLOAT32_MAX),
    },
    LocalContrastWeighting: {
        "local_contrast": SHARE,
        "latent_distance": WEIGHT,
        "variance": Range(LEAST, FLOAT32_MAX),
        **dict.fromkeys(("distance", "level"), Range(-MAX_WEIGHT, MAX_WEIGHT)),
    },
    Annulus: {"outer": Range(1, MAX_SIDE), "guard": Range(0, MAX_SIDE)},
    Covariate: {
        "kind": Range(names=(CONTINUOUS, CATEGORICAL, DAY)),
        "classes": Range(items=(0, MAX_CLASSES)),
    },
}
"""What the fields of a card may hold."""


def card_of(data: Mapping[str, Any]) -> Card:
    """Make a card of its JSON table.

    Raises
    ------
    FieldError
        When a field is unknown, missing, of another type or out of its range, or fields contradict
        each other.
    """
    card = read_fields(Card, data, RANGES)
    for name, table in (("context", card.context), ("weighting", card.weighting)):
        if table is not None:
            _require_odd(f"{name}.annulus", table.annulus, MAX_SIDE, least=1)
    if card.patch is not None:
        _require_odd("patch", card.patch, MAX_PATCH, least=0)
    if card.covariates and card.context is None:
        raise FieldError("covariates are there, but context is missing")
    if (card.kind == IWAE) != bool(card.draws):
        raise FieldError(f"draws = {card.draws}: expected some with kind iwae, and none without")
    _require_rate(card)
    _require_parts(card.training)
    return card


def _require_parts(training: Training) -> None:
    parts = len(training.loss)
    for name, values in (("reconstruction", training.reconstruction), ("kl", training.kl)):
        if len(values) not in {0, parts}:
            raise FieldError(
                f"training.{name} has {len(values)} items: expected {parts}, as training.loss has"
            )


def _require_rate(card: Card) -> None:
    held_out = card.held_out
    if held_out is None:
        return
    if card.threshold is None:
        raise FieldError("held_out is there, but threshold is missing")
    if not held_out.low <= held_out.rate <= held_out.high:
        raise FieldError(
            f"held_out.rate = {held_out.rate}: expected {held_out.low:g} to {held_out.high:g}, "
            f"its interval"
        )


def _require_odd(where: str, annulus: Annulus, most: int, least: int) -> None:
    outer, guard = annulus.outer, annulus.guard
    if not (least <= guard < outer <= most and outer % 2 and (guard % 2 or not guard)):
        raise FieldError(
            f"{where} = [{outer}, {guard}]: expected odd sides up to {most}, the first larger"
        )
