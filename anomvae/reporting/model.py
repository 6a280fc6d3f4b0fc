"""The model of results: its card, and the course of its training.  No torch is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector.model_card import Fitting, ModelCard, model_card
from ..errors import ConfigError
from ..files import PathText
from .results import ScoredScene

Numbers = NDArray[np.float64]


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


def card_of(path: PathText, scenes: Iterable[ScoredScene]) -> ModelCard:
    """Read the card of the model that scored some scenes.

    Raises
    ------
    ModelFileError
        If it cannot be read.
    ConfigError
        If another model scored a scene.
    """
    card = model_card(path)
    for scene in scenes:
        if scene.result.detector != card.id:
            raise ConfigError(
                f"{path} is the model {card.id}, but {scene.files.scores.name} was scored by "
                f"{scene.result.detector}. Give the model that scored it, or leave --model out."
            )
    return card


def course_of(fitting: Fitting) -> TrainingCourse:
    """Return how a training went."""
    history = fitting.history
    parts = len(history.loss)
    known = bool(history.kl)
    return TrainingCourse(
        steps=(np.arange(parts) + 0.5) * fitting.steps / parts,
        loss=np.array(history.loss),
        reconstruction=np.array(history.reconstruction) if known else None,
        kl=np.array(history.kl) if known else None,
    )
