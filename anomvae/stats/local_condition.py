"""The condition ``local:K``: a flagged pixel also stands out from its annulus.

A large structure, such as a town or a shore, is anomalous in a scene, but not among its neighbours.
A pixel of score s meets the condition where::

    log(1 + s) > mean + K max(std, scene_std / 4)

Mean and standard deviation are those of log(1 + score) over its annulus, scene_std is the standard
deviation over the scene: where an annulus is nearly uniform, any small difference would stand out.
Where less than a quarter of the annulus has data, there is no condition.  It is for small objects:
it erases the inside of those wider than the guard window.

Log scores are rounded to steps of 2^-16 and summed as integers, exactly, so that tiles do not show.
Scores have axes (row, col); NaN is no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.annulus import STEP, Annulus, in_steps
from .scene_rules import SceneScores

SURROUNDINGS = Annulus(21, 7)
LEAST_SHARE = 0.25
"""Share of the scene's standard deviation that an annulus has at least."""
PART = 2**18
"""Scores of which the sum of squares, in steps, is below 2^63."""


@dataclass(frozen=True)
class LocalCondition:
    """What a score must exceed by its surroundings."""

    k: float
    """Standard deviations above the mean of the annulus."""
    scene_std: float
    """Standard deviation of log(1 + score) over the scene (`log_std`)."""

    @property
    def radius(self) -> int:
        """Receptive radius, pixels: the halo that a tile needs."""
        return SURROUNDINGS.radius

    def holds(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return where scores (row, col) meet the condition; no data does not."""
        valid = np.isfinite(scores)
        steps = _steps(scores, valid)
        count = SURROUNDINGS.sums(valid.astype(np.int64))
        total = SURROUNDINGS.sums(steps)
        squares = SURROUNDINGS.sums(steps * steps)
        some = np.maximum(count, 1)
        std = np.sqrt(count * squares - total * total) / some  # below 2^63: exact
        least = LEAST_SHARE * self.scene_std / STEP
        stands_out = steps > total / some + self.k * np.maximum(std, least)
        return np.asarray(valid & (stands_out | ~SURROUNDINGS.enough(count)))


def log_std(scene: SceneScores) -> float:
    """Return the standard deviation of log(1 + score) over a scene; 0 where it has no score.

    It is exact, so that the order and the size of the parts do not show.
    """
    count = total = squares = 0
    for scores in scene.parts():
        steps = _steps(scores, np.ones(scores.shape, np.bool_))
        count += steps.size
        for some in np.split(steps, range(PART, steps.size, PART)):
            total += int(some.sum())
            squares += int(some @ some)
    variance = (count * squares - total**2) / max(1, count) ** 2
    return float(np.sqrt(variance) * STEP)


def _steps(scores: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return log(1 + score) in steps of 2^-16."""
    positive = np.where(valid, np.maximum(scores, 0), 0).astype(np.float64)
    return in_steps(np.log1p(positive), valid)
