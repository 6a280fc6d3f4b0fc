"""From rasters to a fitted detector.

`train` learns normal pixels of any number of scenes and fits the threshold on held-out blocks;
`detect` learns one scene, anomalies and all, robustly, to score that same scene.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..config import TRIM, resolve_config
from ..detector import Detector, available, context_plan, fit_detector, fit_surroundings
from ..errors import ConfigError, NotEnoughPixels, listed
from ..files import PathText, as_paths
from ..models.families import family_named, require_dates
from ..parallel import Progress, quiet
from ..pixels.annulus import Annulus
from ..pixels.covariates import Covariates
from ..stats.context import ConditionedView, Context
from ..stats.thresholds import parse_rule
from ..training.sampling import HELD_OUT, Blocks, Sample, draw_sample, held_out_blocks
from .selection import EVERYTHING, SceneFile, Selection, found_scenes
from .threshold import FEW, all_blocks, cut_at, scores_of

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)

FEWEST = 32
"""Valid pixels below which nothing is fitted."""


def train(
    scenes: Sequence[PathText],
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector to the normal pixels of one or many scenes.

    Parameters
    ----------
    scenes : sequence of path
        Rasters of the same bands; for a family of time series the dates of one place, oldest first.
    config : str or Config, default "default"
        A shipped name, a path, or a configuration.
    seed : int, default 0
        Same seed, same detector, to the bit, on one machine.
    select : Selection, optional
        Bands, masks, normal areas and covariates; without normal areas all valid pixels are taken
        as mostly normal, and the worst of each batch is not learnt.
    progress : Progress, optional
        Told how far each step is.

    Returns
    -------
    Detector
        With a threshold fitted on held-out blocks, or dates of a time series.

    Raises
    ------
    RasterError, BandMismatch, GridMismatch, NotEnoughPixels, ConfigError
        What is wrong with which scene, and what to do.
    """
    settings = _checked(config, seed, select)
    settings = settings.settled(in_sample=False, trim=0.0 if select.normal else TRIM)
    found = _found(scenes, select, settings.model.family)
    if len(found[0].dates) > 1:
        return _train_dates(found[0], settings, seed, progress)
    radius = _radius(settings, select)
    held_out = [
        held_out_blocks(scene.shape, seed, number, radius) for number, scene in enumerate(found)
    ]
    scores = np.empty(0, np.float32)
    try:
        detector = _fitted(found, held_out, settings, seed, progress)
        scores = scores_of(detector, found, held_out, seed, progress)
    except NotEnoughPixels as error:
        log.info("%s", error)
    if scores.size:
        return cut_at(detector, settings.threshold, scores, held_out=True)
    log.warning("too little data to hold some out; the threshold is fitted in-sample")
    return _in_sample(found, settings, seed, progress)


def _train_dates(scene: SceneFile, config: Config, seed: int, progress: Progress) -> Detector:
    """Learn the dates of a place; the threshold is that of a twin that lacks the newest fifth.

    New dates differ from those learnt in season, sun and air: the threshold must know by how much.
    """
    newest = max(1, round(HELD_OUT * len(scene.dates)))
    earlier = replace(scene, dates=scene.dates[:-newest])
    if len(earlier.dates) > 1:
        twin = _fitted([earlier], None, config, seed, progress)
        scores = scores_of(twin, [scene], all_blocks([scene], twin), seed, progress, newest=newest)
        if scores.size:
            detector = _fitted([scene], None, config, seed, progress)
            return cut_at(detector, config.threshold, scores, held_out=True)
    log.warning("too few dates to hold some out; the threshold is fitted in-sample")
    return _in_sample([scene], config, seed, progress)


def detect(
    scene: PathText,
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector to one scene, anomalies and all, in order to score that scene.

    The noise of the score is the covariance of the scene's own residuals, and the threshold is
    fitted in-sample by clipping: both hold for this scene only.

    Parameters
    ----------
    scene : path
        The raster; needs no labels.
    config, seed, select, progress
        As for `train`.

    Returns
    -------
    Detector
        Score the scene with it: ``score_scene(detector, scene, folder)``.

    Raises
    ------
    RasterError, GridMismatch, NotEnoughPixels, ConfigError
        What is wrong with the scene, and what to do.
    """
    settings = _checked(config, seed, select)
    settings = settings.settled(in_sample=True, trim=0.0 if select.normal else TRIM)
    return _in_sample(_found([scene], select, settings.model.family), settings, seed, progress)


def refit_threshold(
    detector: Detector,
    scenes: Sequence[PathText],
    rule: str,
    *,
    select: Selection = EVERYTHING,
    seed: int = 0,
    progress: Progress = quiet,
) -> Detector:
    """Choose the threshold anew on normal scenes that the detector was not trained on.

    Parameters
    ----------
    detector : Detector
        Stays as it is.
    scenes : sequence of path
        Rasters with the detector's bands; for a detector of time series the dates of one place,
        oldest first.
    rule : str
        A rule of `anomvae.stats.thresholds`, such as ``sigma:3``.
    select : Selection, optional
        Masks, normal areas, and the detector's covariates; the bands are the detector's.
    seed : int, default 0
        Decides which blocks are left out when the scenes hold over a million pixels.
    progress : Progress, optional
        Told how far the step is.

    Raises
    ------
    RasterError, BandMismatch, GridMismatch, NotEnoughPixels, ConfigError
        What is wrong with which scene, and what to do.
    """
    parse_rule(rule)  # before the work
    chosen = replace(select, bands=None)
    found = _found(scenes, chosen, detector.card.family, detector.covariates)
    scores = scores_of(detector, found, all_blocks(found, detector), seed, progress)
    return cut_at(detector, rule, scores, held_out=True)


def _checked(config: str | Config, seed: int, select: Selection) -> Config:
    """Find what does not fit before the scenes are read."""
    if not 0 <= seed < 2**63:
        raise ConfigError(f"seed = {seed}: give a whole number from 0 to 2**63 - 1.")
    found = resolve_config(config).config if isinstance(config, str) else config
    available(found.device)
    context_plan(found, covariates=bool(select.covariates))
    return found


def _found(
    scenes: Sequence[PathText],
    select: Selection,
    family: str,
    expected: Covariates | None = None,
) -> list[SceneFile]:
    """Look at the scenes; a family of time series takes them for dates of one."""
    paths = as_paths(scenes)
    require_dates(family, len(paths))
    return found_scenes(paths, select, expected, of_dates=family_named(family).of_dates)


def _radius(config: Config, select: Selection) -> int:
    """Say how far an example looks sideways, pixels."""
    plan = context_plan(config, covariates=bool(select.covariates))
    patch = family_named(config.model.family).seen(Annulus(*config.model.patch))
    return patch.radius + (0 if plan is None else plan.radius)


def _in_sample(
    scenes: Sequence[SceneFile], config: Config, seed: int, progress: Progress
) -> Detector:
    """Fit a detector, and its threshold, to all pixels."""
    detector = _fitted(scenes, None, config, seed, progress)
    scores = scores_of(detector, scenes, all_blocks(scenes, detector), seed, progress)
    return cut_at(detector, config.threshold, scores, held_out=False)


def _drawn(
    scenes: Sequence[SceneFile],
    held_out: Sequence[Blocks] | None,
    config: Config,
    seed: int,
    progress: Progress,
) -> tuple[Sample, Context | None]:
    """Draw examples, with their surroundings and covariates where the model is told them.

    These are known only once bands and classes are: then scenes are read a second time.
    """
    view = family_named(config.model.family).seen(Annulus(*config.model.patch))
    count = config.training.max_pixels
    sample = draw_sample(scenes, view, count, held_out, seed, progress)
    first = scenes[0]
    context = fit_surroundings(sample, first.bands, config, FEWEST, first.covariates)
    if context is not None:
        view = ConditionedView(view, context)
        sample = draw_sample(scenes, view, count, held_out, seed, progress)
    return sample, context


def _fitted(
    scenes: Sequence[SceneFile],
    held_out: Sequence[Blocks] | None,
    config: Config,
    seed: int,
    progress: Progress,
) -> Detector:
    names = listed([str(scene.path) for scene in scenes])
    try:
        sample, context = _drawn(scenes, held_out, config, seed, progress)
        detector = fit_detector(
            sample,
            scenes[0].bands,
            config,
            seed,
            fewest=FEWEST,
            progress=progress,
            context=context,
        )
    except NotEnoughPixels as error:
        raise NotEnoughPixels(f"{names}: {error}") from error
    pixels = detector.card.training.pixels
    if pixels < FEW:
        log.warning("%s: only %d pixels to train on; expect a rough detector", names, pixels)
    return detector
