"""One fit: draw examples, train a detector on them, score normal pixels, choose the threshold."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector, fit_detector, fit_surroundings
from ..errors import NotEnoughPixels, listed
from ..models.plan import ModelPlan
from ..parallel import Progress
from ..stats.context import Context, conditioned
from ..stats.thresholds import Rule
from ..training.sampling import Blocks, Sample, cut_blocks, draw_blocks, draw_sample
from ..training.scenes import TrainingScenes

log = logging.getLogger(__name__)

FEWEST = 32
"""Valid pixels below which nothing is fitted."""
FEW = 1000
"""Pixels below which a warning says that a fit or a threshold is rough."""
THRESHOLD_PIXELS = 1_000_000


@dataclass(frozen=True)
class Fit:
    """A fit of a plan to scenes."""

    scenes: TrainingScenes
    """The scenes, or one place whose dates are compared."""
    plan: ModelPlan
    """What is built, and how it is trained and scored."""
    seed: int
    """Decides examples, initial weights, shuffling and held-out blocks."""
    progress: Progress
    """Called for every step."""

    def detector(self, held_out: Sequence[Blocks] | None = None) -> Detector:
        """Fit a detector without a threshold; training does not read the ``held_out`` blocks.

        Raises
        ------
        NotEnoughPixels
            If fewer than `FEWEST` pixels can be trained on.
        """
        names = listed(self.scenes.names)
        try:
            sample, context = self._draw(held_out)
            detector = fit_detector(
                sample,
                self.scenes.bands,
                self.plan,
                self.seed,
                fewest=FEWEST,
                context=context,
                progress=self.progress,
            )
        except NotEnoughPixels as error:
            raise NotEnoughPixels(f"{names}: {error}") from error
        pixels = detector.card.training.pixels
        if pixels < FEW:
            log.warning("%s: only %d pixels to train on; expect a rough detector", names, pixels)
        return detector

    def in_sample(self) -> Detector:
        """Fit a detector, and its threshold, to all pixels."""
        detector = self.detector()
        scores = score_blocks(detector, self.scenes, None, self.seed, self.progress)
        return calibrate(detector, self.plan.threshold, scores, held_out=False)

    def _draw(self, held_out: Sequence[Blocks] | None) -> tuple[Sample, Context | None]:
        """Draw examples, with their context where the model is conditioned on one.

        A context is known only once bands and classes are: then scenes are read a second time.
        """
        view, count = self.plan.view, self.plan.training.max_pixels
        sample = draw_sample(self.scenes, view, count, held_out, self.seed, self.progress)
        bands, covariates = self.scenes.bands, self.scenes.covariates
        context = fit_surroundings(sample, bands, self.plan, FEWEST, covariates)
        if context is not None:
            view = conditioned(view, context)
            sample = draw_sample(self.scenes, view, count, held_out, self.seed, self.progress)
        return sample, context

    def without_dates(self, newest: int) -> Fit:
        """Leave the newest dates of the one place out."""
        (place,) = self.scenes.scenes
        earlier = replace(self.scenes, scenes=(place.without_newest(newest),))
        return replace(self, scenes=earlier)


def score_blocks(
    detector: Detector,
    scenes: TrainingScenes,
    blocks: Sequence[Blocks] | None,
    seed: int,
    progress: Progress,
    newest: int = 0,
) -> NDArray[np.float32]:
    """Score the pixels in chosen blocks, up to a million.

    Parameters
    ----------
    detector : Detector
        Without or with a threshold.
    scenes : TrainingScenes
        Read in the bands of the detector.
    blocks : sequence of Blocks, or None
        Per scene, the blocks to score; None: all.
    seed : int
        Decides which blocks are skipped where they hold over a million pixels.
    progress : Progress
        Called for every tile.
    newest : int, default 0
        Only the scores of so many of the newest dates count; 0: of all.

    Returns
    -------
    array of float32, shape (n,)
        Finite scores of the normal pixels.
    """
    if blocks is None:
        blocks = [cut_blocks(shape, detector.radius) for shape in scenes.shapes]
    scenes = replace(scenes, bands=detector.bands)
    parts = [np.empty(0, np.float32)]
    total, done = sum(int(cut.chosen.sum()) * cut.side**2 for cut in blocks), 0
    for tile, block, wanted in draw_blocks(scenes, blocks, THRESHOLD_PIXELS, detector.radius, seed):
        scores = detector.score(block).total[-newest:][wanted[-newest:]]
        parts.append(scores[np.isfinite(scores)])
        done = min(total, done + math.prod(tile.shape))
        progress("threshold", done, total)
    return np.concatenate(parts)


def calibrate(
    detector: Detector, rule: Rule, scores: NDArray[np.float32], *, held_out: bool
) -> Detector:
    """Choose the threshold by a rule; ``held_out``: training did not read the pixels."""
    calibrated = detector.with_threshold(rule, scores, held_out=held_out)
    if scores.size < FEW:
        log.warning("the threshold rests on %d pixels only; expect it to be rough", scores.size)
    return calibrated
