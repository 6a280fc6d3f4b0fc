"""Layers of a map viewer, made of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..pixels.flag_classes import ANOMALOUS, COLOURS, MASKED, NO_DATA, NORMAL, hex_of
from .maps import Box, Class, Classes, Scores
from .pictures import picture

LEVELS = 65_534
"""Most steps between the lowest and the highest score: two bytes, without 0, which is no data."""


def score_layer(  # noqa: PLR0913 - the settings of a layer
    name: str,
    scores: NDArray[np.floating[Any]],
    *,
    scale: Literal["log1p", "linear"] = "log1p",
    unit: str = "nats",
    shown: bool = False,
    opacity: float = 1.0,
    box: Box | None = None,
    levels: int = LEVELS,
    limits: tuple[float, float] | None = None,
) -> Scores:
    """Return a layer of scores of shape (row, col); NaN is no data.

    Scores that are read back differ by at most half a step: 1/``levels`` of the range of
    log(1 + score).  A negative score counts as 0 on the scale ``log1p``, and one beyond
    ``limits``, which parts of one layer share, as the nearer of them.  What a layer takes is
    its noise: of 1,000 x 1,000 pixels up to 3.1 MB, and 1.7 MB with 254 levels.
    """
    known = np.isfinite(scores)
    values = np.where(known, scores, 0).astype(np.float64)
    values = np.log1p(np.maximum(values, 0)) if scale == "log1p" else values
    low, high = _range(values[known])
    if limits is not None:
        low, high = np.log1p(limits) if scale == "log1p" else limits
        values = np.clip(values, low, high)
    steps = np.where(known, 1 + np.rint(levels * (values - low) / (high - low)), 0)
    whole = steps.astype(np.uint16)
    bytes_ = np.stack([whole >> 8, whole & 255, np.zeros_like(whole)], axis=-1).astype(np.uint8)
    if scale == "log1p":
        low, high = np.expm1(low), np.expm1(high)
    source = picture(bytes_)
    return Scores(name, source, float(low), float(high), scale, unit, shown, opacity, box, levels)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1)


def class_layer(
    name: str,
    values: NDArray[np.uint8],
    classes: Sequence[Class],
    *,
    shown: bool = True,
    opacity: float = 0.8,
    follows: str | None = None,
    box: Box | None = None,
) -> Classes:
    """Return a layer of classes of shape (row, col), each value being one of ``classes``."""
    source = picture(np.asarray(values, np.uint8))
    return Classes(name, source, tuple(classes), shown, opacity, follows, box)


def flag_classes() -> tuple[Class, ...]:
    """Return the classes of flags, the most important first."""
    return (
        Class(ANOMALOUS, "anomalous", hex_of(COLOURS[ANOMALOUS])),
        Class(MASKED, "masked", hex_of(COLOURS[MASKED])),
        Class(NO_DATA, "no data", "#8a8a8a"),
        Class(NORMAL, "normal", None),
    )
