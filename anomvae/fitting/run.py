"""One fit: draw examples, train a detector on them, score normal pixels, choose the threshold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..config import resolve_config
from ..detector import Detector, adapted_to, fit_detector, fit_surroundings
from ..detector.batches import available
from ..errors import ConfigError, NotEnoughPixels, listed
from ..files import PathText
from ..models.plan import ModelPlan, require_one_date
from ..parallel import Progress
from ..raster import Product, Scene, Selection
from ..stats.context import conditioned
from ..stats.held_out import held_out_rate
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule
from ..training.sampling import (
    HELD_OUT,
    Blocks,
    cut_blocks,
    draw_blocks,
    draw_sample,
    fold_blocks,
)
from ..training.scenes import TrainingScenes
from .scenes import require_compared, select_scenes, training_scenes

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)

FEWEST_PIXELS = 32
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
    available(settings.device)
    return ModelPlan.of(settings, in_sample=in_sample, clean=clean, covariates=covariates)


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


def _part(progress: Progress, number: int, parts: int) -> Progress:
    """Return the progress of one of several equal parts, given that of the whole."""

    def of_part(step: str, done: int, total: int) -> None:
        progress(step, number * total + done, parts * total)

    return of_part


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
