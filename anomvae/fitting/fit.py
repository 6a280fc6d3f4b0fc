"""From rasters to a fitted detector.

`train` learns the normal pixels of any number of scenes and fits the threshold on held-out blocks;
`detect` learns one scene, anomalies and all, robustly, to score that same scene.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..config import resolve_config
from ..detector import Detector, available
from ..errors import ConfigError, NotEnoughPixels
from ..files import PathText, as_paths
from ..models.plan import ModelPlan
from ..parallel import Progress, quiet
from ..pixels.views import require_dates
from ..stats.thresholds import parse_rule
from ..training.sampling import HELD_OUT, held_out_blocks
from .run import Fit, calibrate, score_blocks
from .scenes import EVERYTHING, Selection, select_scenes

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)


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
    fit = _fit([*as_paths(scenes)], config, seed, select, progress)
    if fit.plan.view.compares_dates:
        return _train_dates(fit)
    held_out = [
        held_out_blocks(shape, seed, number, fit.plan.radius)
        for number, shape in enumerate(fit.scenes.shapes)
    ]
    scores = np.empty(0, np.float32)
    try:
        detector = fit.detector(held_out)
        scores = score_blocks(detector, fit.scenes, held_out, seed, progress)
    except NotEnoughPixels as error:
        log.info("%s", error)
    if scores.size:
        return calibrate(detector, fit.plan.threshold, scores, held_out=True)
    log.warning("too little data to hold some out; the threshold is fitted in-sample")
    return fit.in_sample()


def _train_dates(fit: Fit) -> Detector:
    """Learn the dates of a place; the threshold is that of a twin that lacks the newest fifth.

    New dates differ from those learnt in season, sun and air: the threshold must know by how much.
    """
    dates = fit.scenes.dates
    newest = max(1, round(HELD_OUT * dates))
    if dates - newest > 1:
        twin = fit.without_dates(newest).detector()
        scores = score_blocks(twin, fit.scenes, None, fit.seed, fit.progress, newest=newest)
        if scores.size:
            return calibrate(fit.detector(), fit.plan.threshold, scores, held_out=True)
    log.warning("too few dates to hold some out; the threshold is fitted in-sample")
    return fit.in_sample()


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
    return _fit([scene], config, seed, select, progress, in_sample=True).in_sample()


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
    chosen = parse_rule(rule)  # before the work
    paths = as_paths(scenes)
    detector.require_dates(len(paths))
    found = select_scenes(
        paths,
        replace(select, bands=None),
        one_place=detector.compares_dates,
        bands=detector.bands,
        covariates=detector.covariates,
    )
    scores = score_blocks(detector, found, None, seed, progress)
    return calibrate(detector, chosen, scores, held_out=True)


def _fit(
    paths: Sequence[PathText],
    config: str | Config,
    seed: int,
    select: Selection,
    progress: Progress,
    *,
    in_sample: bool = False,
) -> Fit:
    """Resolve the plan, so that what does not fit is found before the scenes are read."""
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
    require_dates(plan.view, len(paths), plan.name)
    scenes = select_scenes(paths, select, one_place=plan.view.compares_dates)
    return Fit(scenes, plan, seed, progress)
