"""Score the pixels that a threshold is fitted to, and fit it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..parallel import Progress
from ..pixels.views import matched
from ..stats.thresholds import parse_rule
from ..training.sampling import Blocks, cut_blocks, draw_blocks
from .selection import SceneFile

log = logging.getLogger(__name__)

FEW = 1000
"""Pixels below which a warning says that a fit or a threshold is rough."""
THRESHOLD_PIXELS = 1_000_000


def all_blocks(scenes: Sequence[SceneFile], detector: Detector) -> list[Blocks]:
    """Choose all blocks of every scene."""
    return [cut_blocks(scene.shape, detector.radius) for scene in scenes]


def scores_of(
    detector: Detector,
    scenes: Sequence[SceneFile],
    blocks: Sequence[Blocks],
    seed: int,
    progress: Progress,
    newest: int = 0,
) -> NDArray[np.float32]:
    """Score the pixels in chosen blocks, of all or the ``newest`` dates, up to a million, (n,)."""
    parts = [np.empty(0, np.float32)]
    work = draw_blocks(scenes, blocks, THRESHOLD_PIXELS, detector.radius, seed)
    total, done = sum(int(cut.chosen.sum()) * cut.side**2 for cut in blocks), 0
    for scene, tile in work:
        fitting = replace(scene, reader=matched(scene.reader, detector.bands))
        block, wanted = fitting.read(tile)
        scores = detector.score(block).total[-newest:][wanted[-newest:]]
        parts.append(scores[np.isfinite(scores)])
        done = min(total, done + math.prod(tile.shape))
        progress("threshold", done, total)
    return np.concatenate(parts)


def cut_at(
    detector: Detector, rule: str, scores: NDArray[np.float32], *, held_out: bool
) -> Detector:
    """Fit the threshold by a rule; ``held_out`` says that training did not see the pixels."""
    cut = detector.with_threshold(parse_rule(rule), scores, held_out=held_out)
    if scores.size < FEW:
        log.warning("the threshold rests on %d pixels only; expect it to be rough", scores.size)
    return cut
