"""Measure a map, or a detector on a scene, against labels, with baselines beside it.

Labels are rasters on the scene's grid: above 0 = anomalous, 0 = normal, no data = unknown.  Whole
scores and labels are held in memory, 8 bytes a pixel, because ranks need them all; spectra are not.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..files import PathText, SceneText, file_name
from ..mapping import MapResult, QuickLookSpec, ScoreOptions, Scorer, score_tiles
from ..parallel import Progress, quiet
from ..pixels.bands import Bands
from ..pixels.tiling import Window, fitting_size, tiles
from ..pixels.views import Mask
from ..raster import OpenScene, Scene, read_labels, read_map
from ..stats.metrics import Metrics, measure, table
from ..stats.moments import stream_statistics
from ..stats.thresholds import describe_scores, sigma
from .baselines import Spectra, baseline, require_baselines

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

OURS = "anomvae"
"""Name of the evaluated detector's row."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a detector and its baselines on one scene."""

    scene: str
    """The scene as it was named."""
    labels: str
    """The labels as they were named."""
    rows: Mapping[str, Metrics]
    """Metrics by detector; the first row is the evaluated one."""

    def table(self) -> pd.DataFrame:
        """Give one row per detector, one column per metric."""
        return table(self.rows)

    def to_json(self) -> str:
        """Write all figures; one that is not defined is null, with the reason beside it."""
        rows = {name: _without_nan(asdict(metrics)) for name, metrics in self.rows.items()}
        data = {"scene": self.scene, "labels": self.labels, "detectors": rows}
        return json.dumps(data, indent=2, allow_nan=False) + "\n"


def evaluate(
    result: MapResult | PathText,
    labels: PathText,
    scene: SceneText | Scene | None = None,
    *,
    mask: PathText | None = None,
    baselines: Sequence[str] = ("rx",),
    progress: Progress = quiet,
) -> Evaluation:
    """Measure a finished map against labels.

    Parameters
    ----------
    result : MapResult or path
        What `score_scene` returned, or an anomaly map.
    labels : path
        Raster on the scene's grid.
    scene : path or Scene, optional
        The scene, for the baselines; taken from ``result`` where that is a `MapResult`.  Without it
        there are none.
    mask : path, optional
        Raster on the scene's grid; 0 = ignore.
    baselines : sequence of str, default ("rx",)
        Names in `BASELINES`.
    progress : Progress, optional
        Called for every tile.

    Returns
    -------
    Evaluation
        Over the pixels that the map scored; a baseline is fitted to all bands of the scene that
        have data, and its row counts the pixels among them that have data in all of these.

    Raises
    ------
    RasterError, GridMismatch, ConfigError
        What is wrong with which file, and what to do.
    """
    path = result.path if isinstance(result, MapResult) else result
    if scene is None and isinstance(result, MapResult):
        scene = result.scene
    require_baselines(baselines)
    scored = read_map(path)
    truth = read_labels(labels, scored.grid, str(path))
    if mask is not None:
        used = read_labels(mask, scored.grid, str(path))
        truth[~(np.isfinite(used) & (used != 0))] = np.nan
    threshold = float(scored.tags.get("ANOMVAE_THRESHOLD", "nan"))
    rows = {OURS: measure(truth, scored.score, threshold)}
    if scene is None:
        return Evaluation(str(path), str(labels), rows)
    closed = Scene.of(scene, mask=mask)
    with closed.open() as opened:
        opened.grid.require_same(scored.grid, opened.name, str(path))
        _warn_of_another(opened.name, scored.tags, str(path))
        living = _bands_with_data(opened)
    known = np.where(np.isfinite(scored.score), truth, np.nan)
    rows |= _baseline_rows(closed, living, known, baselines, progress)
    return Evaluation(closed.name, str(labels), rows)


def evaluate_detector(
    detector: Scorer,
    scene: SceneText | Scene,
    labels: PathText,
    *,
    baselines: Sequence[str] = ("rx",),
    progress: Progress = quiet,
) -> Evaluation:
    """Score a scene in memory and measure the scores against labels.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path or Scene
        Raster with the detector's bands; a `Scene` has a mask and covariates.
    labels, baselines, progress
        As for `evaluate`; the baselines are fitted to the detector's bands, without covariates.

    Returns
    -------
    Evaluation

    Raises
    ------
    RasterError, BandMismatch, CovariateMismatch, GridMismatch, ConfigError
        What is wrong with which file, and what to do.
    """
    require_baselines(baselines)
    closed = Scene.of(scene)
    detector.require_dates(len(closed.dates))
    with closed.open(detector.bands, detector.covariates) as opened:
        truth = read_labels(labels, opened.grid, opened.name)
        scores = np.full(opened.grid.shape, np.nan, np.float32)
        spec = QuickLookSpec.of(opened.grid.shape, opened.bands)
        with closing(score_tiles(detector, opened, spec, ScoreOptions())) as scored:
            for part in scored:
                scores[part.tile.keep] = part.scores.total[-1]
                progress("score", part.tile.keep[0].stop, opened.grid.shape[0])
    rows = {OURS: measure(truth, scores, detector.threshold.value)}
    known = np.where(np.isfinite(scores), truth, np.nan)
    plain = replace(closed, covariates=())
    rows |= _baseline_rows(plain, detector.bands, known, baselines, progress)
    return Evaluation(closed.name, str(labels), rows)


def _baseline_rows(
    scene: Scene, bands: Bands, truth: Array, names: Sequence[str], progress: Progress
) -> dict[str, Metrics]:
    """Fit baselines to bands of a scene and measure them where ``truth`` is known."""
    with scene.open(bands) as opened:

        def parts() -> Iterator[tuple[Window, Mask, Spectra]]:
            for tile in tiles(opened.grid.shape, _tile_size(opened)):
                block = opened.read(tile.keep)[-1]
                where = np.isfinite(block).all(axis=-1)
                yield tile.keep, where, block[where]

        def stream() -> Iterator[Spectra]:
            return (spectra for _, _, spectra in parts())

        if not any(len(spectra) for spectra in stream()):
            return {name: measure(truth, np.full(truth.shape, np.nan)) for name in names}
        rows = {}
        for done, name in enumerate(names):
            progress("baselines", done, len(names))
            score = baseline(name)(stream)
            scores = np.full(truth.shape, np.nan)
            for window, where, spectra in parts():
                if len(spectra):
                    scores[window][where] = score(spectra)
            rows[name] = measure(truth, scores, _plain_threshold(scores))
        progress("baselines", len(names), len(names))
        return rows


def _warn_of_another(scene: str, tags: Mapping[str, str], path: str) -> None:
    scored = tags.get("ANOMVAE_SCENE", "")
    if scored and scored != file_name(scene):
        log.warning("%s was made from %s, not from %s", path, scored, scene)


def _plain_threshold(scores: NDArray[np.float64]) -> float | None:
    """Return mean + 3 sigma of a baseline's own scores of the scene."""
    return sigma(describe_scores(scores), 3.0) if np.isfinite(scores).any() else None


def _bands_with_data(opened: OpenScene) -> Bands:
    """Drop bands without data, which would leave no pixel valid."""
    windows = (tile.keep for tile in tiles(opened.grid.shape, _tile_size(opened)))
    count = stream_statistics(opened.read(window) for window in windows).count
    living = [band for band, values in zip(opened.bands, count, strict=True) if values]
    return opened.bands.keep(living) if living else opened.bands


def _tile_size(opened: OpenScene) -> tuple[int, int]:
    return fitting_size(opened.grid.shape, opened.block_shape, opened.values_per_pixel)


def _without_nan(figures: dict[str, Any]) -> dict[str, Any]:
    def undefined(value: object) -> bool:
        return isinstance(value, float) and math.isnan(value)

    return {key: None if undefined(value) else value for key, value in figures.items()}
