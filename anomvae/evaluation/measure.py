"""Measure a map, or a detector on a scene, against labels, with baselines beside it.

Labels are rasters on the scene's grid: above 0 = anomalous, 0 = normal, no data = unknown.  All
rasters are read window by window, and scores that no map holds are stored in a temporary file (see
`scored`), so that memory does not grow with the scene.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..addresses import displayed, file_name
from ..documents import to_json
from ..files import PathText, SceneText
from ..identity import unchanged
from ..mapping import (
    MapResult,
    QuickLookSpec,
    ScoreOptions,
    Scorer,
    score_tiles,
    summary_of_map,
)
from ..parallel import Progress, quiet
from ..pixels.bands import Bands
from ..pixels.tiling import Window, fitting_size, tiles
from ..raster import Access, Dataset, OpenMap, OpenScene, Scene, open_labels, open_map, open_mask
from ..raster.access import DEFAULT
from ..stats.metrics import Metrics, measure_stream, table
from ..stats.moments import stream_statistics
from .baselines import BASELINES, Score, Spectra, require_baselines
from .chosen import chosen_threshold, evaluated_rule, three_sigma
from .scored import ScoredWindow, Stream, pairs_of, stored

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

OURS = "anomvae"
"""Name of the row of the evaluated detector."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a detector and its baselines on one scene."""

    scene: str
    """The scene as it was named, without secrets."""
    labels: str
    """The labels as they were named, without secrets."""
    rows: Mapping[str, Metrics]
    """Metrics by detector; the first row is the evaluated one."""

    def table(self) -> pd.DataFrame:
        """Return one row per detector, one column per metric."""
        return table(self.rows)

    def to_json(self) -> str:
        """Return all metrics as JSON; an undefined one is null, with the reason beside it."""
        rows = {name: asdict(metrics) for name, metrics in self.rows.items()}
        data = {"scene": self.scene, "labels": self.labels, "detectors": rows}
        return to_json(data, indent=2) + "\n"


def evaluate(  # noqa: PLR0913 - one argument per option
    result: MapResult | PathText,
    labels: PathText,
    scene: SceneText | Scene | None = None,
    *,
    mask: PathText | None = None,
    nodata: Sequence[float] = (),
    baselines: Sequence[str] = ("rx",),
    threshold: str | None = None,
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
    mask : path, optional
        Raster on the scene's grid; 0 = ignore.
    nodata : sequence of float, optional
        Further values of the scene that are no data, as for `Scene.of`.
    baselines : sequence of str, default ("rx",)
        Names in `BASELINES`.
    threshold : str, optional
        A rule for another threshold than the map's: ``f1`` or ``fpr:RATE``, chosen with the labels,
        ``budget:N`` or ``fixed:VALUE``.
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
    path = result.path if isinstance(result, MapResult) else result
    if scene is None and isinstance(result, MapResult):
        scene = result.scene
    require_baselines(baselines)
    rule = evaluated_rule(threshold)
    # A Scene has options of its own, and takes no others.
    own, access = (DEFAULT, scene.access) if isinstance(scene, Scene) else (access, access)
    with ExitStack() as files:
        scored = files.enter_context(open_map(path, access))
        truth = files.enter_context(open_labels(labels, scored.grid, str(path), access))
        files.enter_context(unchanged((*scored.dataset.files, *truth.files)))
        keep = None
        if mask is not None:
            keep = files.enter_context(open_mask(mask, scored.grid, str(path), access))

        def windows() -> Iterator[ScoredWindow]:
            for window in _windows(scored.dataset, values=3):
                known = truth.read_first(window)
                if keep is not None:
                    known[~keep.read(window)] = np.nan
                yield ScoredWindow(window, known, scored.dataset.read_first(window))

        value = _threshold(result, scored)
        value = chosen_threshold(rule, value, windows, None, scored.georeference)
        rows = {OURS: measure_stream(pairs_of(windows), value)}
        if scene is None:
            return Evaluation(displayed(path), displayed(labels), rows)
        closed = Scene.of(scene, mask=mask, nodata=nodata, access=own)
        with closed.open() as opened:
            opened.grid.require_same(scored.grid, opened.name, str(path))
            source = scored.tags.get("ANOMVAE_SCENE")
            if source and source != file_name(opened.name):
                log.warning(
                    "%s was made from %s, not from %s", displayed(path), source, opened.name
                )
            bands = _bands_with_data(opened)
            files.enter_context(unchanged(opened.files))
        rows |= _baseline_rows(closed, bands, windows, baselines, progress)
        return Evaluation(displayed(closed.name), displayed(labels), rows)


def _threshold(result: MapResult | PathText, scored: OpenMap) -> float:
    """Return the threshold of a map, which `rethreshold` may have changed since it was made."""
    known = result if isinstance(result, MapResult) else summary_of_map(Path(result), scored.tags)
    made_with = float(scored.tags.get("ANOMVAE_THRESHOLD", "nan"))
    return made_with if known is None else known.threshold.value


def evaluate_detector(
    detector: Scorer,
    scene: SceneText | Scene,
    labels: PathText,
    *,
    baselines: Sequence[str] = ("rx",),
    threshold: str | None = None,
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
    rule = evaluated_rule(threshold)
    closed = Scene.of(scene)
    detector.require_dates(len(closed.dates))
    with ExitStack() as files:
        opened = files.enter_context(closed.open(detector.bands, detector.covariates))
        truth = files.enter_context(open_labels(labels, opened.grid, opened.name, closed.access))
        files.enter_context(unchanged((*opened.files, *truth.files)))
        windows = files.enter_context(stored(_scored(detector, opened, truth, progress)))
        own, normal = detector.threshold.value, detector.scores
        value = chosen_threshold(rule, own, windows, normal, opened.georeference)
        rows = {OURS: measure_stream(pairs_of(windows), value)}
        plain = replace(closed, covariates=())
        rows |= _baseline_rows(plain, detector.bands, windows, baselines, progress)
        return Evaluation(displayed(closed.name), displayed(labels), rows)


def _scored(
    detector: Scorer, opened: OpenScene, truth: Dataset, progress: Progress
) -> Iterator[ScoredWindow]:
    spec = QuickLookSpec.of(opened.grid.shape, opened.bands)
    with closing(score_tiles(detector, opened, spec, ScoreOptions())) as scored_tiles:
        for scored in scored_tiles:
            keep = scored.tile.keep
            yield ScoredWindow(keep, truth.read_first(keep), scored.scores.total[-1])
            progress("score", keep[0].stop, opened.grid.shape[0])


def _baseline_rows(
    scene: Scene, bands: Bands, windows: Stream, names: Sequence[str], progress: Progress
) -> dict[str, Metrics]:
    """Measure baselines on the pixels of ``windows`` that have a label and a score."""
    with scene.open(bands) as opened:

        def spectra() -> Iterator[Spectra]:
            for window in _windows(opened.newest.dataset, values=opened.values_per_pixel):
                block = opened.read(window)[-1]
                yield block[np.isfinite(block).all(axis=-1)]

        empty = not any(len(part) for part in spectra())
        rows = {}
        for done, name in enumerate(names):
            progress("baselines", done, len(names))
            score = _no_score if empty else BASELINES[name](spectra)
            with stored(_scored_by(score, opened, windows)) as scored:
                rows[name] = measure_stream(pairs_of(scored), three_sigma(scored))
        progress("baselines", len(names), len(names))
        return rows


def _scored_by(score: Score, opened: OpenScene, windows: Stream) -> Iterator[ScoredWindow]:
    for one in windows():
        block = opened.read(one.window)[-1]
        where = np.isfinite(block).all(axis=-1)
        scores = np.full(where.shape, np.nan)
        if where.any():
            scores[where] = score(block[where])
        yield one.known()._replace(scores=scores)


def _no_score(spectra: Spectra) -> NDArray[np.float64]:
    return np.full(len(spectra), np.nan)


def _bands_with_data(opened: OpenScene) -> Bands:
    """Leave out bands without data: one of them would leave no pixel valid."""
    windows = _windows(opened.newest.dataset, values=opened.values_per_pixel)
    count = stream_statistics(opened.read(window) for window in windows).count
    filled = [band for band, values in zip(opened.bands, count, strict=True) if values]
    return opened.bands.keep(filled) if filled else opened.bands


def _windows(dataset: Dataset, values: int) -> Iterator[Window]:
    """Yield windows that cover a raster of which ``values`` numbers are read per pixel."""
    shape = dataset.grid.shape
    return (tile.keep for tile in tiles(shape, fitting_size(shape, dataset.block_shape, values)))
