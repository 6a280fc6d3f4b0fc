"""Measure a map, or a detector on a scene, against labels, with baselines beside it.

Labels are rasters on the scene's grid: above 0 = anomalous, 0 = normal, no data = unknown.  All
rasters are read window by window, and scores that no map holds are stored in a temporary file
(`mapping.stored`), so that memory does not grow with the scene.  What counts as flagged is what the
files of the scored scene flag: the same decision over the whole map, a condition on the
surroundings of a pixel included.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

import numpy as np

from ..addresses import displayed, file_name
from ..files import PathText, SceneText, as_path
from ..fitting.baseline import bands_with_data
from ..identity import unchanged
from ..mapping import MapResult, QuickLookSpec, ScoreOptions, Scorer, score_tiles
from ..mapping.flagging import Decision, ScoredMap
from ..mapping.stored import StoredScores, stored
from ..mapping.tiles import adapted_scorer, in_units_of_training
from ..parallel import Progress, quiet
from ..pixels.tiling import Window
from ..raster import Access, OpenScene, Scene, open_labels, open_map
from ..raster.access import DEFAULT
from ..stats.baselines import require_baselines
from ..stats.thresholds import parse_rule
from .beside import baseline_rows
from .decisions import decision_by, decision_of_map
from .evaluation import Evaluation
from .labelled import Flagger, LabelledMap, Labels
from .options import DEFAULT as DEFAULT_OPTIONS
from .options import EvaluateOptions
from .row import measured_row

log = logging.getLogger(__name__)

OURS = "anomvae"
"""Name of the row of the evaluated detector."""


def evaluate(  # noqa: PLR0913 - one argument per option
    result: MapResult | PathText,
    labels: PathText,
    scene: SceneText | Scene | None = None,
    *,
    mask: PathText | None = None,
    mask_dilate: int = 0,
    nodata: Sequence[float] = (),
    baselines: Sequence[str] = ("rx",),
    threshold: str | None = None,
    options: EvaluateOptions = DEFAULT_OPTIONS,
    access: Access = DEFAULT,
    progress: Progress = quiet,
) -> Evaluation:
    """Measure an anomaly map against labels.

    Parameters
    ----------
    result : MapResult or path
        What `score_scene` returned, or an anomaly map.
    labels : path
        Raster on the scene's grid: above 0 = anomalous, 0 = normal, no data = unknown.
    scene : path or Scene, optional
        The scene, for the baselines; by default that of ``result`` if it is a `MapResult`.  Without
        a scene there are no baselines.
    mask, mask_dilate : optional
        Masks, as for `Scene.of`: a pixel that they hide is not measured.
    nodata : sequence of float, optional
        Further values of the scene that are no data, as for `Scene.of`.
    baselines : sequence of str, default ("rx",)
        Names in `BASELINES`.
    threshold : str, optional
        A rule for another threshold than the map's: ``f1`` or ``fpr:RATE``, chosen with the labels,
        ``budget:N`` or ``fixed:VALUE``, each with ``+local:K`` or without.
    options : EvaluateOptions, optional
        How objects, intervals and the 3D ROC are measured.
    access : Access, optional
        Drivers and limits of every file that is opened; those of ``scene`` if that is a `Scene`.
    progress : Progress, optional
        Called for every tile.

    Returns
    -------
    Evaluation
        Over the pixels that have a score and a label.  A baseline is fitted to all bands of the
        scene that have data; its row counts those of the pixels with data in all of these bands.

    Raises
    ------
    RasterError
        When a file does not exist, cannot be read or changes meanwhile, or ``result`` is no anomaly
        map.
    GridMismatch
        When labels, mask or scene are on another grid than the map.
    ConfigError
        When a baseline or rule is unknown.
    NotEnoughPixels
        When there are too few scores or labels for the rule, or it needs a model.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from anomvae import detect_scene
    >>> from anomvae.config import resolve_config, shipped
    >>> samples = shipped("data_samples")
    >>> config = resolve_config("default", ["training.max_steps=20"]).config
    >>> with TemporaryDirectory() as folder:
    ...     result = detect_scene(samples / "scene_a.tif", folder, config)
    ...     evaluation = evaluate(result, samples / "scene_a_labels.tif")
    >>> list(evaluation.table().index)
    ['anomvae', 'rx']
    """
    path = as_path(result.path if isinstance(result, MapResult) else result)
    labels = as_path(labels)
    if scene is None and isinstance(result, MapResult):
        scene = result.scene
    require_baselines(baselines)
    rule = None if threshold is None else parse_rule(threshold, labels=True)
    # A Scene has options of its own, and takes no others.
    own, access = (DEFAULT, scene.access) if isinstance(scene, Scene) else (access, access)
    with ExitStack() as files:
        scored = files.enter_context(open_map(path, access))
        truth = files.enter_context(open_labels(labels, scored.grid, path, access))
        # Without the scene, its map has the grid of the masks.
        named = path if scene is None else scene
        closed = Scene.of(named, mask=mask, mask_dilate=mask_dilate, nodata=nodata, access=own)
        opened = files.enter_context(closed.open())
        opened.grid.require_same(scored.grid, opened.name, path)
        files.enter_context(unchanged((*scored.dataset.files, *truth.files, *opened.files)))

        def known(window: Window) -> Labels:
            values = truth.read_first(window)
            values[~opened.shown(window)] = np.nan
            return values

        ours = LabelledMap(
            ScoredMap(scored.georeference, scored.dataset.read_first), known, progress
        )
        if rule is None:
            decision = decision_of_map(result, scored.tags, ours)
        else:
            decision = decision_by(rule, ours, None)
        rows = {OURS: measured_row(ours, Flagger.of(decision), options)}
        if scene is None:
            return Evaluation.of(path, labels, rows)
        source = scored.tags.get("ANOMVAE_SCENE")
        if source and source != file_name(opened.name):
            log.warning("%s was made from %s, not from %s", displayed(path), source, opened.name)
        bands = bands_with_data(opened)
        rows |= baseline_rows(closed, bands, ours, rows[OURS], baselines, options)
        return Evaluation.of(closed.name, labels, rows)


def evaluate_detector(
    detector: Scorer,
    scene: SceneText | Scene,
    labels: PathText,
    *,
    baselines: Sequence[str] = ("rx",),
    threshold: str | None = None,
    options: EvaluateOptions = DEFAULT_OPTIONS,
    progress: Progress = quiet,
) -> Evaluation:
    """Score a scene, without a map, and measure the scores against labels.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path or Scene
        Raster with the detector's bands; a `Scene` may have a mask, covariates and dates.
    labels, baselines, progress
        As for `evaluate`; the baselines are fitted to the detector's bands, without covariates.
    threshold : str, optional
        Any rule for another threshold than the detector's.
    options : EvaluateOptions, optional
        How objects, intervals and the 3D ROC are measured.

    Returns
    -------
    Evaluation
        Over the pixels that have a score and a label.

    Raises
    ------
    RasterError
        When a file does not exist, cannot be read, or changes meanwhile.
    BandMismatch, CovariateMismatch
        When bands, their radiometry or covariates of the scene are not those of the detector.
    GridMismatch
        When labels, mask or a date are on another grid than the scene.
    ConfigError
        When a baseline or rule is unknown, the detector has no threshold, or it compares dates and
        the scene has one date.
    NotEnoughPixels
        When there are too few scores or labels for the rule.

    Examples
    --------
    >>> from anomvae import detect
    >>> from anomvae.config import resolve_config, shipped
    >>> scene, labels = (shipped("data_samples") / f"scene_a{end}.tif" for end in ("", "_labels"))
    >>> detector = detect(scene, resolve_config("default", ["training.max_steps=20"]).config)
    >>> evaluate_detector(detector, scene, labels, baselines=()).rows["anomvae"].roc_auc > 0.5
    True
    """
    require_baselines(baselines)
    rule = None if threshold is None else parse_rule(threshold, labels=True)
    closed = Scene.of(scene)
    detector.require_dates(len(closed.dates))
    with ExitStack() as files:
        as_stored = files.enter_context(closed.open(detector.bands, detector.covariates))
        opened = in_units_of_training(detector, as_stored)
        truth = files.enter_context(open_labels(labels, opened.grid, opened.name, closed.access))
        files.enter_context(unchanged((*opened.files, *truth.files)))
        scores = files.enter_context(stored(opened.grid.shape, np.float32))
        _score(detector, opened, scores, progress)
        scored = ScoredMap(opened.georeference, scores.read)
        ours = LabelledMap(scored, truth.read_first, progress)
        if rule is None:
            decision = Decision.of(detector.threshold, ours.scored, detector.scores)
        else:
            decision = decision_by(rule, ours, detector.scores)
        rows = {OURS: measured_row(ours, Flagger.of(decision), options)}
        plain = replace(opened.scene, covariates=())
        rows |= baseline_rows(plain, detector.bands, ours, rows[OURS], baselines, options)
        return Evaluation.of(closed.name, labels, rows)


def _score(
    detector: Scorer, opened: OpenScene, out: StoredScores[np.float32], progress: Progress
) -> None:
    spec = QuickLookSpec.of(opened.grid.shape, opened.bands)
    adapted = adapted_scorer(detector, opened)
    with closing(score_tiles(adapted, opened, spec, ScoreOptions())) as scored_tiles:
        for scored in scored_tiles:
            out.write(scored.tile.keep, scored.layers[0][-1])
            progress("score", scored.tile.keep[0].stop, opened.grid.shape[0])
