"""Scores of normal pixels and the blocks that they lie in, and the threshold chosen from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector, adapted_to
from ..parallel import Progress
from ..stats.held_out import held_out_rate
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule
from ..training.sampling import Blocks, cut_blocks, draw_blocks
from ..training.scenes import TrainingScenes

log = logging.getLogger(__name__)

FEW = 1000
"""Pixels below which a warning reports a rough fit or threshold."""
THRESHOLD_PIXELS = 1_000_000
"""Pixels that are scored to choose a threshold."""


@dataclass(frozen=True)
class BlockScores:
    """Finite scores of normal pixels, and the blocks that they lie in."""

    values: NDArray[np.float32]
    """The scores, shape (n,)."""
    blocks: NDArray[np.int64]
    """The number of the held-out block of each; -1: it lies in none."""
    scenes: NDArray[np.int64]
    """The number of the scene of each, or of its date where dates are compared."""

    @classmethod
    def joined(cls, parts: Sequence[BlockScores]) -> BlockScores:
        """Join the scores of parts of the pixels."""
        columns = zip(*((part.values, part.blocks, part.scenes) for part in parts), strict=True)
        values, blocks, scenes = map(np.concatenate, columns)
        return cls(values, blocks, scenes)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Which lie in held-out blocks."""
        return self.blocks >= 0

    @property
    def by_scene(self) -> list[NDArray[np.float32]]:
        """The scores of each scene."""
        order = np.argsort(self.scenes, kind="stable")
        return np.split(self.values[order], np.flatnonzero(np.diff(self.scenes[order])) + 1)

    @property
    def normal(self) -> NormalScores:
        """The scores as thresholds are chosen from them; raises NotEnoughPixels without any."""
        return NormalScores.of(self.values, held_out=self.held_out)


def all_blocks(scenes: TrainingScenes, radius: int) -> list[Blocks]:
    """Return all blocks of each scene, for a detector of a receptive radius."""
    return [cut_blocks(shape, radius) for shape in scenes.shapes]


def score_blocks(
    detector: Detector,
    scenes: TrainingScenes,
    held_out: Sequence[Blocks | None],
    seed: int,
    progress: Progress,
    newest: int = 0,
    folds: int = 1,
) -> BlockScores:
    """Score the normal pixels of scenes.

    ``held_out`` are the blocks of each scene that training did not read; None: it read all.  The
    seed decides which pixels are skipped where there are over a million, held out or not.  Scores
    of the ``newest`` dates count; 0: of all.  Where the blocks are one of several ``folds``, these
    are scored alone, up to its part of a million.
    """
    scenes, radius = replace(scenes, bands=detector.bands), detector.radius
    adapted = _adapted_to_each(detector, scenes)
    first = np.cumsum([0, *(0 if cut is None else cut.chosen.size for cut in held_out)])
    parts = [BlockScores(np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.int64))]
    drawn = [cut for cut in held_out if cut is not None] if folds > 1 else None
    in_parts = detector.view.most_dates is not None  # it is fitted to every scene that it scores
    for number, (tile, block, wanted) in draw_blocks(
        scenes, THRESHOLD_PIXELS // folds, radius, seed, progress, drawn, in_parts
    ):
        scores = adapted(number).score(block).total[-newest:]  # -0: all dates
        counted = wanted[-newest:] & np.isfinite(scores)
        cut = held_out[number]
        numbers = np.full(counted.shape[1:], -1) if cut is None else cut.numbers(tile.read)
        numbers = np.where(numbers < 0, -1, numbers + first[number])
        of_scene = number + np.arange(len(counted))  # one scene, or one date, is the whole of it
        parts.append(
            BlockScores(
                scores[counted],
                np.broadcast_to(numbers, counted.shape)[counted],
                np.broadcast_to(of_scene[:, np.newaxis, np.newaxis], counted.shape)[counted],
            )
        )
    return BlockScores.joined(parts)


def _adapted_to_each(detector: Detector, scenes: TrainingScenes) -> Callable[[int], Detector]:
    """Return the detector with the noise of a scene by its number, as scenes are scored later."""

    @lru_cache(maxsize=1)  # the tiles of a scene follow each other
    def adapted(number: int) -> Detector:
        with scenes.scenes[number].open(scenes.bands) as opened:
            return adapted_to(detector, opened)

    return adapted


def calibrate(detector: Detector, rule: Rule, scores: BlockScores, seed: int) -> Detector:
    """Choose the threshold by a rule, and measure its rate on pixels that training did not read.

    ``seed`` is that of the interval of the rate.
    """
    normal = scores.normal
    calibrated = detector.with_threshold(rule, normal)
    if calibrated.usual_drift is not None:
        usual = calibrated.usual_drift.with_scores(scores.by_scene, normal.all)
        calibrated = replace(calibrated, usual_drift=usual)
    threshold, held_out = calibrated.threshold, scores.held_out
    if threshold.pixels < FEW:
        log.warning(
            "the threshold rests on %d pixels only; expect it to be rough", threshold.pixels
        )
    if not held_out.any():
        return calibrated
    rate = held_out_rate(scores.values[held_out], scores.blocks[held_out], threshold.value, seed)
    if doubt := rate.doubt(threshold.promise):
        log.warning("%s", doubt)
    return replace(calibrated, card=replace(calibrated.card, held_out=rate))
