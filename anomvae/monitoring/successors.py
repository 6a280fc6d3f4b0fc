"""Successors of models: how they are made, what they would change, and what they replaced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneEffect:
    """What a model makes of a scene."""

    flagged: float
    """Share of the valid pixels above the threshold."""
    objects: int
    """Objects of the least area of the site or more."""
    drift: float | None
    """Level of drift: above 1 a limit is exceeded; None: not measured."""


@dataclass(frozen=True)
class ComparedScene:
    """A scene under the model in service and its successor."""

    source: str
    before: SceneEffect
    after: SceneEffect


@dataclass(frozen=True)
class Successor:
    """A successor, and what it would change."""

    path: str
    scenes: tuple[str, ...]
    """Scenes that it was trained on, oldest first."""
    pixels: int
    """Pixels that it was trained on."""
    excluded: int
    """Pixels of these scenes that are flagged or of an event."""
    before: float
    """Threshold in service."""
    after: float
    """Threshold of the successor."""
    rule: str
    """Rule of both."""
    compared: tuple[ComparedScene, ...]
    """The newest scenes, oldest first."""


@dataclass(frozen=True)
class Accepted:
    """A model that was replaced by its successor."""

    model: str
    kept: str
    """Where the model lies that was in service before."""
    also: tuple[str, ...]
    """Other sites that the same file serves."""


@dataclass(frozen=True)
class RetrainOptions:
    """What a successor is trained on and compared by."""

    last: int | None = None
    """The newest normal scenes that count; None: all."""
    compare: int = 10
    """The newest scenes that both models score."""
    seed: int = 0
    """Seed of the training."""
    anomalous: bool = False
    """Whether scenes with anomalies count, too, without these."""
