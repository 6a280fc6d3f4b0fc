"""The model card of a detector, from its file or from memory."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...addresses import displayed
from ...documents import to_json
from ...files import PathText, as_path
from ...names import printable
from ...pixels.covariates import DAY
from ...pixels.views import Newest
from ...stats.domain import BAND_LEVELS
from ..card import Card
from ..detector import Detector
from ..settings import settings_of
from .advice import limits_of, purpose_of
from .facts import (
    Architecture,
    Fitting,
    History,
    ModelCard,
    ScoreFacts,
    ScoreQuantiles,
    ThresholdFacts,
    TrainingBand,
    TrainingData,
)

LEVELS = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Levels of the quantiles of scores in a card."""
SETTINGS = "settings.toml"


def model_card(model: PathText | Detector) -> ModelCard:
    """Describe a model: what it is for, what it was made of and from, what is known of its errors.

    Parameters
    ----------
    model : path or Detector
        A model file, or a detector in memory.

    Returns
    -------
    ModelCard
        Facts; ``markdown`` and ``to_dict()`` are the card as a document and as JSON.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, foreign, a pickle, or of a newer format.

    Examples
    --------
    >>> import numpy as np
    >>> from anomvae import VAEDetector
    >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
    >>> card = model_card(VAEDetector(max_steps=20, random_state=0).fit(X).detector_)
    >>> card.architecture.family, card.data.examples, card.markdown.splitlines()[2]
    ('vae', 400, '## What it is for')
    """
    if isinstance(model, Detector):
        return _card_of(model, None)
    return _card_of(Detector.load(model), Path(displayed(as_path(model))).name)


def _card_of(detector: Detector, name: str | None) -> ModelCard:
    digest = hashlib.sha256(detector.to_bytes()).hexdigest()
    card = detector.card
    settings = settings_of(card, name or "the model")
    written = None if settings is None else toml_text(settings.to_dict())
    return ModelCard(
        name=name,
        id=digest[:12],
        digest=digest,
        purpose=purpose_of(detector),
        limits=limits_of(detector),
        architecture=_architecture(detector),
        data=_data(detector),
        fitting=_fitting(card, written),
        score=_score(detector),
        threshold=_threshold(card),
        scores=_quantiles(detector),
        anomvae=card.anomvae,
        torch=card.torch,
        reproduce=() if written is None else _commands(detector),
    )


def _architecture(detector: Detector) -> Architecture:
    card = detector.card
    plan = card.context
    around = plan is not None and plan.radius > 0
    return Architecture(
        family=card.family,
        bands=len(card.bands),
        latent=card.latent,
        hidden=card.hidden,
        parameters=sum(array.size for array in detector.weights.values()),
        likelihood=card.likelihood,
        radius=detector.radius,
        dates=card.training.dates,
        patch=card.patch,
        surroundings=plan.annulus if plan is not None and around else None,
    )


def _data(detector: Detector) -> TrainingData:
    card, training = detector.card, detector.card.training
    chosen = [BAND_LEVELS.index(level) for level in (0.01, 0.5, 0.99)]
    quantiles = detector.band_quantiles[chosen].tolist()
    noise = (detector.noise.std * detector.scaler.std).tolist()
    bands = zip(card.bands, *quantiles, noise, strict=True)
    return TrainingData(
        scenes=training.scenes,
        examples=training.pixels,
        nodata=training.nodata,
        pixel_area=training.pixel_area,
        bands=tuple(TrainingBand(*one) for one in bands),
        dropped=card.dropped,
        covariates=card.covariates,
        drift=card.drift,
    )


def _fitting(card: Card, settings: str | None) -> Fitting:
    training = card.training
    return Fitting(
        seed=training.seed,
        steps=training.steps,
        batch_size=training.batch_size,
        trim=training.trim,
        beta=training.beta,
        warm_up=training.warm_up,
        free_bits=training.free_bits,
        elbo=training.elbo,
        history=History(training.loss, training.reconstruction, training.kl),
        latent=training.latent,
        settings=settings,
    )


def _score(detector: Detector) -> ScoreFacts:
    card = detector.card
    return ScoreFacts(
        meaning=detector.meaning,
        kind=card.kind,
        draws=card.draws,
        noise=card.noise,
        kl_weight=card.kl_weight,
        linear_weight=card.linear_weight,
        local_contrast=None if card.weighting is None else card.weighting.annulus,
    )


def _threshold(card: Card) -> ThresholdFacts | None:
    threshold = card.threshold
    if threshold is None:
        return None
    return ThresholdFacts(
        value=None if threshold.provisional else threshold.value,
        rule=threshold.rule,
        promise=threshold.promise,
        share=threshold.fpr,
        pixels=threshold.pixels,
        held_out=threshold.held_out,
        measured=card.held_out,
        doubt="" if card.held_out is None else card.held_out.doubt(threshold.promise),
    )


def _quantiles(detector: Detector) -> ScoreQuantiles | None:
    if detector.scores is None:
        return None
    scores = detector.scores.all
    return ScoreQuantiles(LEVELS, tuple(map(scores.quantile, LEVELS)), scores.count)


def _commands(detector: Detector) -> tuple[str, ...]:
    card = detector.card
    scenes = [_word(name) for name in card.training.scenes] or ["SCENE"]
    given = f"--config {SETTINGS} --seed {card.training.seed}"
    if detector.family.view is Newest:
        return (
            f"anomvae detect {' '.join(scenes)} {given} -o maps/ --save-model model.safetensors",
        )
    named = (DAY if one.kind == DAY else f"{one.kind}:{one.file}" for one in card.covariates)
    covariates = "".join(f" --covariates {_word(name)}" for name in dict.fromkeys(named))
    return (f"anomvae train {' '.join(scenes)} {given}{covariates} -o model.safetensors",)


def _word(name: str) -> str:
    """Return a name as a word of a shell; one with control characters as bash and zsh read it."""
    if printable(name) == name:
        return shlex.quote(name)
    escaped = name.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{printable(escaped)}'"


def toml_text(table: Mapping[str, Any]) -> str:
    """Return nested tables of numbers, texts and lists as TOML, single values first.

    Examples
    --------
    >>> print(toml_text({"training": {"epochs": 40, "trim": 0.05}, "threshold": "sigma:3"}))
    threshold = "sigma:3"
    <BLANKLINE>
    [training]
    epochs = 40
    trim = 0.05
    """
    single = [f"{key} = {to_json(value)}" for key, value in table.items() if not _inner(value)]
    inner = [
        "\n".join([f"[{key}]", toml_text(value)]) for key, value in table.items() if _inner(value)
    ]
    return "\n\n".join([*(["\n".join(single)] if single else []), *inner])


def _inner(value: object) -> bool:
    return isinstance(value, Mapping)
