"""The model of results, from its file; no weights are read, and no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..addresses import displayed
from ..detector.card import Card
from ..detector.modelfile import read_card
from ..errors import ConfigError
from ..files import PathText, as_path
from .results import ScoredScene

Numbers = NDArray[np.float64]
CHUNK = 2**20


@dataclass(frozen=True)
class ReportModel:
    """The model that scored the scenes of a report."""

    name: str
    """Its file as it was named."""
    id: str
    """Its identity."""
    card: Card
    """Its description."""


@dataclass(frozen=True, eq=False)
class TrainingCourse:
    """How a training went, nats per pixel; axes (part,)."""

    steps: Numbers
    """Optimiser steps, at the middle of each part."""
    loss: Numbers
    """Mean loss of each part."""
    reconstruction: Numbers | None
    """Mean error; None where the model file does not have it."""
    kl: Numbers | None
    """Mean KL, likewise."""


def read_model_of(path: PathText, scenes: Iterable[ScoredScene]) -> ReportModel:
    """Read the model that scored some scenes.

    Raises
    ------
    ModelFileError
        If it cannot be read.
    ConfigError
        If another model scored a scene.
    """
    card, found = read_card(path), _digest(Path(as_path(path)))
    for scene in scenes:
        if scene.result.detector != found:
            raise ConfigError(
                f"{path} is the model {found}, but {scene.files.scores.name} was scored by "
                f"{scene.result.detector}. Give the model that scored it, or leave --model out."
            )
    return ReportModel(displayed(path), found, card)


def _digest(path: Path) -> str:
    """Return the identity of a detector: how the digest of its file begins."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            digest.update(part)
    return digest.hexdigest()[:12]


def course_of(card: Card) -> TrainingCourse:
    """Return how the training of a model went."""
    training = card.training
    parts = len(training.loss)
    known = bool(training.kl)
    return TrainingCourse(
        steps=(np.arange(parts) + 0.5) * training.steps / parts,
        loss=np.array(training.loss),
        reconstruction=np.array(training.reconstruction) if known else None,
        kl=np.array(training.kl) if known else None,
    )
