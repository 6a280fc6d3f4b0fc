"""From rasters to a fitted detector, as users call it.

`train` learns the normal pixels of any number of scenes and measures the rate of its threshold on
held-out blocks; `detect` learns one scene, anomalies and all, robustly, to score that same scene.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..addresses import file_name
from ..detector import Detector
from ..errors import listed
from ..files import PathText, SceneText, as_paths
from ..identity import require_unchanged
from ..models.plan import resolved_rule
from ..parallel import Progress, quiet
from ..parallel.isolation import isolated
from ..raster import EVERYTHING, Product, Scene, Selection
from ..stats.radiometry import Training
from ..stats.rule_text import condition_of
from ..stats.thresholds import AUTO, Rule, parse_rule
from ..training.sampling import Blocks
from ..training.scenes import TrainingScenes
from .block_scores import all_blocks, calibrate, score_blocks
from .run import Fit
from .scenes import config_for, select_scenes, site_of

if TYPE_CHECKING:
    from ..config import Config

log = logging.getLogger(__name__)


@isolated()
def train(
    scenes: Sequence[PathText | Product],
    config: str | Config = "default",
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector to the normal pixels of one or many scenes.

    Parameters
    ----------
    scenes : sequence of path or Product
        Rasters of the same bands; for a family that compares dates, the dates of one site, oldest
        first.
    config : str or Config, default "default"
        A shipped name, the path of a TOML file, or a configuration.
    seed : int, default 0
        The same seed gives the same detector, to the bit, on one machine.
    select : Selection, optional
        Bands, masks, normal areas and covariates.  Without normal areas all valid pixels count as
        mostly normal, and the worst of each batch are not learnt.
    progress : Progress, optional
        Called with the progress of each step.

    Returns
    -------
    Detector
        With a threshold fitted on all normal pixels, of which blocks were held out of training, or
        on held-out dates of a family that compares dates; on the training pixels where there are
        too few (a warning reports it).  ``card.held_out`` is its rate on held-out pixels.
        The rules ``conformal`` and ``fdr`` take five trainings: each block is held out once.

    Raises
    ------
    RasterError
        When a scene, mask, normal area or covariate does not exist or cannot be read.
    InputChanged
        When one of them was overwritten meanwhile.
    BandMismatch
        When a scene lacks a band of the first scene, or its values cannot be in the same units.
    GridMismatch
        When a mask, normal area or date is on another grid than its scene.
    CovariateMismatch
        When the covariates of the scenes differ, or a scene has no date in its name for ``day``.
    NotEnoughPixels
        When fewer than 32 pixels have data in every band, or every band has one value.
    ConfigError
        When a setting, band, device or seed is unknown or impossible, training diverges, or the
        family is fitted to the scene that it scores, see `detect`.

    Examples
    --------
    >>> from anomvae.config import resolve_config, shipped
    >>> config = resolve_config("default", ["training.max_steps=20"]).config
    >>> detector = train([shipped("data_samples") / "normal.tif"], config)
    >>> detector.threshold.rule, detector.card.held_out.pixels < detector.threshold.pixels
    ('log-sigma:3', True)
    """
    recognised = isinstance(scenes, Sequence) and any(isinstance(one, Product) for one in scenes)
    fit = Fit.of(scenes if recognised else as_paths(scenes), config, seed, select, progress)
    detector = fit.by_dates() if fit.plan.view.compares_dates else fit.by_blocks()
    require_unchanged(fit.scenes.files)
    return detector


@isolated()
def detect(
    scene: SceneText | Product | Sequence[Product] | Scene,
    config: str | Config | None = None,
    seed: int = 0,
    *,
    select: Selection = EVERYTHING,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector to one scene, anomalies and all, in order to score that scene.

    Given the dates of one site, it learns the newest one given those before it.

    The noise of the score is the covariance of the scene's own residuals, and the threshold is
    fitted in-sample, by ``log-sigma:3``: both hold for this scene only.

    Parameters
    ----------
    scene : path or Product, sequence of them, or Scene
        The product or raster, or one for each date, oldest first; needs no labels.  A `Scene` has
        masks and the like of its own, and takes no ``select``.
    config : str or Config, optional
        As for `train`; by default ``default``, and ``timeseries`` for several dates.
    seed, select, progress
        As for `train`.

    Returns
    -------
    Detector
        Score the scene with it: ``score_scene(detector, scene, folder)``.

    Raises
    ------
    RasterError, InputChanged, GridMismatch, CovariateMismatch, NotEnoughPixels
        As for `train`.
    ConfigError
        As for `train`, when the family compares dates and there is one, and when there are several
        and it does not.

    Examples
    --------
    >>> from anomvae.config import resolve_config, shipped
    >>> config = resolve_config("default", ["training.max_steps=20"]).config
    >>> detector = detect(shipped("data_samples") / "scene_a.tif", config)
    >>> detector.threshold.rule, detector.threshold.held_out
    ('log-sigma:3', False)
    """
    site = site_of(scene, select)
    config = config_for(len(site.dates)) if config is None else config
    fit = Fit.of_site(site, config, seed, select, progress)
    detector = fit.in_sample()
    require_unchanged(fit.scenes.files)
    return detector


@isolated()
def refit_threshold(
    detector: Detector,
    scenes: Sequence[PathText],
    rule: str | None = None,
    *,
    select: Selection = EVERYTHING,
    seed: int = 0,
    progress: Progress = quiet,
) -> Detector:
    """Choose the threshold anew on normal scenes that the detector was not trained on.

    A scene that has the name of a training scene counts as learnt, and a warning reports it.

    Parameters
    ----------
    detector : Detector
        Is not changed.
    scenes, progress
        As for `train`, with the detector's bands.
    rule : str, optional
        A rule of `anomvae.stats.thresholds`, such as ``sigma:3``; by default as in `train`:
        ``gaussian:3`` where there are normal areas, else ``log-sigma:3``, with the condition
        ``+local:K`` of the detector's own rule, if it has one.
    select : Selection, optional
        Masks, normal areas, and the detector's covariates; the bands are the detector's.
    seed : int, default 0
        Decides which blocks are skipped where the scenes hold over a million pixels, and is that of
        the interval of the held-out rate.

    Returns
    -------
    Detector
        The same but for its threshold and the scores that it keeps.

    Raises
    ------
    RasterError, InputChanged, GridMismatch
        As for `train`.
    BandMismatch, CovariateMismatch
        When a scene lacks a band of the detector, its values cannot be in the same units, or the
        covariates are not the detector's.
    NotEnoughPixels
        When no pixel has a score, or too few for the rule.
    ConfigError
        When the rule is unknown, or one date is given to a detector that compares dates.
    """
    # An unknown rule is refused before the work.
    parsed = _rule_like(detector, select) if rule is None else parse_rule(rule)
    selected = select_scenes(
        as_paths(scenes),
        replace(select, bands=None),
        family=detector.card.family,
        view=detector.view,
        bands=detector.bands,
        covariates=detector.covariates,
        training=Training.of(detector.domain, detector.bands.storage),
    )
    scores = score_blocks(detector, selected, _held_out(detector, selected), seed, progress)
    require_unchanged(selected.files)
    return calibrate(detector, parsed, scores, seed)


def _rule_like(detector: Detector, select: Selection) -> Rule:
    """Return the rule that `train` chooses itself, with the condition of a detector's own rule."""
    own = detector.card.threshold
    rule = resolved_rule(AUTO, promising=bool(select.normal))
    return rule if own is None else rule.with_local(condition_of(own.rule))


def _held_out(detector: Detector, scenes: TrainingScenes) -> list[Blocks | None]:
    """Return the blocks of each scene; None for one with the name of a training scene."""
    learnt = set(detector.card.training.scenes)
    blocks: list[Blocks | None] = []
    for scene, cut in zip(scenes.scenes, all_blocks(scenes, detector.radius), strict=True):
        known = sorted(learnt & {file_name(date.name) for date in scene.dates})
        if known:
            log.warning(
                "the model was trained on a scene called %s, so its pixels do not count as held "
                "out; rename the file if it is another scene",
                listed(known),
            )
        blocks.append(None if known else cut)
    return blocks
