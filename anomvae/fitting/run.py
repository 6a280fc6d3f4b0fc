"""One fit: draw examples, train a detector on them, score normal pixels, choose the threshold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..config import resolve_config
from ..detector import Detector, fit_detector, fit_surroundings
from ..detector.batches import available
from ..errors import ConfigError, NotEnoughPixels, listed
from ..files import PathText
from ..models.plan import ModelPlan
from ..parallel import Progress
from ..stats.context import conditioned
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule
from ..training.sampling import HELD_OUT, Blocks, draw_blocks, draw_sample
from ..training.sampling import held_out_blocks as hold_out
from ..training.scenes import TrainingScenes
from .scenes import Selection, select_scenes

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)

FEWEST = 32
"""Valid pixels below which nothing is fitted."""
FEW = 1000
"""Pixels below which a warning reports a rough fit or threshold."""
THRESHOLD_PIXELS = 1_000_000


@dataclass(frozen=True)
class Fit:
    """A fit of a plan to scenes."""

    scenes: TrainingScenes
    """The scenes; for a family that compares dates, one scene with all dates of a site."""
    plan: ModelPlan
    """What is built, and how it is trained and scored."""
    seed: int
    """Seed of examples, initial weights, shuffling and held-out blocks."""
    progress: Progress
    """Called for every step."""

    @classmethod
    def of(
        cls,
        paths: Sequence[PathText],
        config: str | Config,
        seed: int,
        select: Selection,
        progress: Progress,
        *,
        in_sample: bool = False,
    ) -> Fit:
        """Resolve the plan, then open the scenes: wrong settings are refused before scenes."""
        if not 0 <= seed < 2**63:
            raise ConfigError(f"seed = {seed}: give a whole number from 0 to 2**63 - 1.")
        settings = resolve_config(config).config if isinstance(config, str) else config
        available(settings.device)
        plan = ModelPlan.of(
            settings,
            in_sample=in_sample,
            clean=bool(select.normal),
            covariates=bool(select.covariates),
        )
        scenes = select_scenes(paths, select, family=plan.name, view=plan.view)
        return cls(scenes, plan, seed, progress)

    def by_blocks(self) -> Detector:
        """Fit a detector, and its threshold to held-out blocks of the scenes."""
        held_out = [
            hold_out(shape, self.seed, number, self.plan.radius)
            for number, shape in enumerate(self.scenes.shapes)
        ]
        scores = np.empty(0, np.float32)
        try:
            detector = self.detector(held_out)
            scores = score_blocks(detector, self.scenes, held_out, self.seed, self.progress)
        except NotEnoughPixels as error:
            log.info("%s", error)
        if scores.size:
            return calibrate(detector, self.plan.threshold, scores, held_out=True)
        log.warning("too little data to hold some out; the threshold is fitted in-sample")
        return self.in_sample()

    def by_dates(self) -> Detector:
        """Fit a detector to all dates; the threshold is that of a twin without the newest fifth.

        New dates differ from training dates in season, sun and atmosphere: the scores that the twin
        gives to dates that it was not trained on contain that difference.
        """
        dates = self.scenes.dates
        newest = max(1, round(HELD_OUT * dates))
        if dates - newest > 1:
            (site,) = self.scenes.scenes
            older = replace(self.scenes, scenes=(site.without_newest(newest),))
            twin = replace(self, scenes=older).detector()
            scores = score_blocks(twin, self.scenes, None, self.seed, self.progress, newest=newest)
            if scores.size:
                return calibrate(self.detector(), self.plan.threshold, scores, held_out=True)
        log.warning("too few dates to hold some out; the threshold is fitted in-sample")
        return self.in_sample()

    def in_sample(self) -> Detector:
        """Fit a detector, and its threshold, to all pixels."""
        detector = self.detector()
        scores = score_blocks(detector, self.scenes, None, self.seed, self.progress)
        return calibrate(detector, self.plan.threshold, scores, held_out=False)

    def detector(self, held_out: Sequence[Blocks] | None = None) -> Detector:
        """Fit a detector without a threshold; training does not read the ``held_out`` blocks.

        A context is fitted to a first sample, so a conditioned family reads the scenes twice.
        """
        names, bands = listed(self.scenes.names), self.scenes.bands
        plan, seed, progress = self.plan, self.seed, self.progress
        view, count = plan.view, plan.training.max_pixels
        try:
            sample = draw_sample(self.scenes, view, count, held_out, seed, progress)
            context = fit_surroundings(sample, bands, plan, FEWEST, self.scenes.covariates)
            if context is not None:
                view = conditioned(view, context)
                sample = draw_sample(self.scenes, view, count, held_out, seed, progress)
            detector = fit_detector(
                sample, bands, plan, seed, fewest=FEWEST, context=context, progress=progress
            )
        except NotEnoughPixels as error:
            raise NotEnoughPixels(f"{names}: {error}") from error
        pixels = detector.card.training.pixels
        if pixels < FEW:
            log.warning("%s: only %d pixels to train on; expect a rough detector", names, pixels)
        return detector


def score_blocks(
    detector: Detector,
    scenes: TrainingScenes,
    blocks: Sequence[Blocks] | None,
    seed: int,
    progress: Progress,
    newest: int = 0,
) -> NDArray[np.float32]:
    """Return the finite scores of the normal pixels in chosen blocks, shape (n,).

    ``blocks`` are those of each scene; None: all.  The seed decides which are skipped where they
    hold over a million pixels.  Scores of the ``newest`` dates count; 0: of all.
    """
    scenes, radius = replace(scenes, bands=detector.bands), detector.radius
    parts = [np.empty(0, np.float32)]
    for _, block, wanted in draw_blocks(scenes, blocks, THRESHOLD_PIXELS, radius, seed, progress):
        scores = detector.score(block).total[-newest:][wanted[-newest:]]  # -0: all dates
        parts.append(scores[np.isfinite(scores)])
    return np.concatenate(parts)


def calibrate(
    detector: Detector, rule: Rule, scores: NDArray[np.float32], *, held_out: bool
) -> Detector:
    """Choose the threshold by a rule; ``held_out``: training did not read the pixels."""
    calibrated = detector.with_threshold(rule, NormalScores.of(scores, held_out=held_out))
    if scores.size < FEW:
        log.warning("the threshold rests on %d pixels only; expect it to be rough", scores.size)
    return calibrated
