"""One fit: draw examples, train a detector on them, score normal pixels, choose the threshold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..config import resolve_config
from ..detector import Detector, fit_detector, fit_surroundings
from ..detector.batches import require_device
from ..errors import ConfigError, NotEnoughPixels, listed
from ..files import PathText
from ..models.plan import ModelPlan, require_one_date
from ..parallel import Progress
from ..raster import Product, Scene, Selection
from ..stats.context import conditioned
from ..training.sampling import (
    HELD_OUT,
    Blocks,
    draw_sample,
    fold_blocks,
)
from ..training.scenes import TrainingScenes
from .block_scores import FEW, BlockScores, all_blocks, calibrate, score_blocks
from .scenes import require_compared, select_scenes, training_scenes

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)

FEWEST_PIXELS = 32
"""Valid pixels below which nothing is fitted."""


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
        paths: Sequence[PathText | Product],
        config: str | Config,
        seed: int,
        select: Selection,
        progress: Progress,
    ) -> Fit:
        """Resolve the plan, then open the scenes: wrong settings are refused before scenes."""
        clean, covariates = bool(select.normal), bool(select.covariates)
        plan = _plan(config, seed, in_sample=False, clean=clean, covariates=covariates)
        if plan.view.most_dates is not None:
            raise ConfigError(
                f"model.family = {plan.name!r} is fitted to the dates that it scores, and not "
                f"trained before: anomvae detect DATES (--save-model keeps it). To train on dates, "
                f"take -c sequential."
            )
        scenes = select_scenes(paths, select, family=plan.name, view=plan.view)
        return cls(scenes, plan, seed, progress)

    @classmethod
    def of_site(
        cls, site: Scene, config: str | Config, seed: int, select: Selection, progress: Progress
    ) -> Fit:
        """Resolve the plan of a fit to the scene that is scored, its dates in order."""
        clean, covariates = site.normal is not None, bool(site.covariates)
        plan = _plan(config, seed, in_sample=True, clean=clean, covariates=covariates)
        require_compared(select.dates, compares_dates=plan.view.compares_dates, family=plan.name)
        require_one_date(plan, site.name, len(site.dates))
        scenes = training_scenes([site], family=plan.name, view=plan.view)
        return cls(scenes, plan, seed, progress)

    def by_blocks(self) -> Detector:
        """Fit a detector without a part of the blocks, and its threshold to all of them.

        Rare materials lie in few blocks, so the tail of a part of the blocks differs from that of
        the others.  The held-out blocks measure the rate of the threshold.  A rule that is chosen
        from held-out pixels needs those of all blocks, too: see `_crossed`.
        """
        of_scenes = [
            fold_blocks(shape, self.seed, number, self.plan.radius)
            for number, shape in enumerate(self.scenes.shapes)
        ]
        folds: list[tuple[Blocks, ...]] = list(zip(*of_scenes, strict=True))

        def without_blocks() -> tuple[Detector, BlockScores]:
            if self.plan.threshold.kind.held_out:
                return self._crossed(folds)
            detector = self.detector(folds[0])
            return detector, score_blocks(detector, self.scenes, folds[0], self.seed, self.progress)

        return self._calibrated(without_blocks, "too little data")

    def _crossed(self, folds: Sequence[Sequence[Blocks]]) -> tuple[Detector, BlockScores]:
        """Fit a detector without the first fold, and get held-out scores of the pixels of all.

        Cross-conformal prediction (Vovk 2015, Ann. Math. Artif. Intell.): each of the other folds
        is scored by a twin that was trained without it.  The detector is the twin of the first
        fold: it is the same for every rule, and learnt as much as the others.  One that learnt all
        blocks would score new pixels lower than twins do.
        """
        folds = [fold for fold in folds if any(blocks.chosen.any() for blocks in fold)]
        log.info(
            "threshold = %s: %d trainings, each without a fold", self.plan.threshold, len(folds)
        )
        detector, parts = None, []
        for number, fold in enumerate(folds):
            progress = _part(self.progress, number, len(folds))
            twin = replace(self, progress=progress).detector(fold)
            parts.append(
                score_blocks(twin, self.scenes, fold, self.seed, progress, folds=len(folds))
            )
            detector = detector or twin
        assert detector is not None  # every scene has a block, and `held_out_blocks` is never empty
        return detector, BlockScores.joined(parts)

    def by_dates(self) -> Detector:
        """Fit a detector to all dates; the threshold is that of a twin without the newest fifth.

        New dates differ from training dates in season, sun and atmosphere: the scores that the twin
        gives to dates that it was not trained on contain that difference.
        """
        dates = self.scenes.dates
        newest = max(1, round(HELD_OUT * dates))

        def without_dates() -> tuple[Detector, BlockScores]:
            if dates - newest < 2:
                raise NotEnoughPixels(f"{dates} dates: some are held out of four or more.")
            (site,) = self.scenes.scenes
            older = replace(self.scenes, scenes=(site.without_newest(newest),))
            twin = replace(self, scenes=older).detector()
            blocks = all_blocks(self.scenes, twin.radius)
            scores = score_blocks(
                twin, self.scenes, blocks, self.seed, self.progress, newest=newest
            )
            return self.detector(), scores

        return self._calibrated(without_dates, "too few dates")

    def in_sample(self) -> Detector:
        """Fit a detector, and its threshold, to all pixels."""
        detector, blocks = self.detector(), [None] * len(self.scenes.scenes)
        scores = score_blocks(detector, self.scenes, blocks, self.seed, self.progress)
        return calibrate(detector, self.plan.threshold, scores, self.seed)

    def _calibrated(self, fit: Callable[[], tuple[Detector, BlockScores]], lack: str) -> Detector:
        """Choose the threshold of a fit that holds pixels out; without any, fit in-sample."""
        try:
            detector, scores = fit()
        except NotEnoughPixels as error:
            log.info("%s", error)
        else:
            if scores.held_out.any():
                return calibrate(detector, self.plan.threshold, scores, self.seed)
        log.warning("%s to hold some out; the threshold is fitted in-sample", lack)
        return self.in_sample()

    def detector(self, held_out: Sequence[Blocks] | None = None) -> Detector:
        """Fit a detector without a threshold; training does not read the ``held_out`` blocks.

        A context is fitted to a first sample, so a conditioned family reads the scenes twice.
        """
        names, bands = listed(self.scenes.names), self.scenes.bands
        plan, seed, progress = self.plan, self.seed, self.progress
        view, count = plan.view, plan.training.max_pixels
        try:
            sample = draw_sample(self.scenes, view, count, held_out, seed, progress)
            context = fit_surroundings(sample, bands, plan, FEWEST_PIXELS, self.scenes.covariates)
            if context is not None:
                view = conditioned(view, context)
                sample = draw_sample(self.scenes, view, count, held_out, seed, progress)
            detector = fit_detector(
                sample, bands, plan, seed, fewest=FEWEST_PIXELS, context=context, progress=progress
            )
        except NotEnoughPixels as error:
            raise NotEnoughPixels(f"{names}: {error}") from error
        pixels = detector.card.training.pixels
        if pixels < FEW:
            log.warning("%s: only %d pixels to train on; expect a rough detector", names, pixels)
        return detector


def _plan(
    config: str | Config, seed: int, *, in_sample: bool, clean: bool, covariates: bool
) -> ModelPlan:
    if not 0 <= seed < 2**63:
        raise ConfigError(f"seed = {seed}: give a whole number from 0 to 2**63 - 1.")
    settings = resolve_config(config).config if isinstance(config, str) else config
    require_device(settings.device)
    return ModelPlan.of(settings, in_sample=in_sample, clean=clean, covariates=covariates)


def _part(progress: Progress, number: int, parts: int) -> Progress:
    """Return the progress of one of several equal parts, given that of the whole."""

    def of_part(step: str, done: int, total: int) -> None:
        progress(step, number * total + done, parts * total)

    return of_part
