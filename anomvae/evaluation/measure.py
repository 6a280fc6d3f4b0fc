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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..files import PathText
from ..mapping import MapResult, Scorer, plan_tiles, score_tiles
from ..parallel import Progress, quiet
from ..pixels.tiling import Window, fitting_size, tiles
from ..pixels.views import Mask, matched
from ..raster import RasterReader, read_labels, read_map, with_covariates
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
    scene: PathText | None = None,
    *,
    mask: PathText | None = None,
    baselines: Sequence[str] = ("rx",),
    progress: Progress = quiet,
) -> Evaluation:
    """Measure a finished map against labels.

    Parameters
    ----------
    result : MapResult or path
        What `score_scene` gave, or an anomaly map.
    labels : path
        Raster on the scene's grid.
    scene : path, optional
        The scene, for the baselines; taken from ``result`` where it says.  Without it there are
        none.
    mask : path, optional
        Raster on the scene's grid; 0 = ignore.
    baselines : sequence of str, default ("rx",)
        Names in `BASELINES`.
    progress : Progress, optional
        Told about every tile.

    Returns
    -------
    Evaluation
        Over the pixels that the map scored; a baseline sees all living bands of the scene, and
        its row counts the pixels among them that have data in all of these.

    Raises
    ------
    RasterError, GridMismatch, ConfigError
        What is wrong with which file, and what to do.
    """
    path = result.path if isinstance(result, MapResult) else result
    scene = result.scene if isinstance(result, MapResult) and scene is None else scene
    require_baselines(baselines)
    found = read_map(path)
    truth = read_labels(labels, found.grid, str(path))
    if mask is not None:
        used = read_labels(mask, found.grid, str(path))
        truth[~(np.isfinite(used) & (used != 0))] = np.nan
    threshold = float(found.tags.get("ANOMVAE_THRESHOLD", "nan"))
    rows = {OURS: measure(truth, found.score, threshold)}
    if scene is not None:
        with RasterReader(scene, mask=mask) as reader:
            reader.grid.require_same(found.grid, reader.name, str(path))
            _warn_of_another(reader.name, found.tags, str(path))
            seen = np.where(np.isfinite(found.score), truth, np.nan)
            rows |= _baseline_rows(_living(reader), seen, baselines, progress)
    return Evaluation(str(scene or path), str(labels), rows)


def evaluate_detector(
    detector: Scorer,
    scene: PathText,
    labels: PathText,
    *,
    mask: PathText | None = None,
    covariates: Sequence[PathText] = (),
    baselines: Sequence[str] = ("rx",),
    progress: Progress = quiet,
) -> Evaluation:
    """Score a scene in memory and measure the scores against labels.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path
        Raster with the detector's bands.
    labels, mask, baselines, progress
        As for `evaluate`; the baselines see the detector's bands.
    covariates
        As for `score_scene`; the baselines do not see them.

    Returns
    -------
    Evaluation

    Raises
    ------
    RasterError, BandMismatch, CovariateMismatch, GridMismatch, ConfigError
        What is wrong with which file, and what to do.
    """
    require_baselines(baselines)
    detector.require_dates(1)
    with (
        RasterReader(scene, mask=mask) as opened,
        with_covariates(opened, covariates, detector.covariates) as told,
    ):
        reader = matched(opened, detector.bands)
        truth = read_labels(labels, reader.grid, reader.name)
        scores = np.full(reader.grid.shape, np.nan, np.float32)
        told_bands = matched(told, detector.bands)
        with closing(score_tiles(detector, told_bands, plan_tiles(detector, told_bands))) as scored:
            for tile, found, _ in scored:
                scores[tile.keep] = found.total[-1]
                progress("score", tile.keep[0].stop, reader.grid.shape[0])
        rows = {OURS: measure(truth, scores, detector.threshold.value)}
        seen = np.where(np.isfinite(scores), truth, np.nan)
        rows |= _baseline_rows(reader, seen, baselines, progress)
        return Evaluation(reader.name, str(labels), rows)


def _baseline_rows(
    reader: RasterReader, truth: Array, names: Sequence[str], progress: Progress
) -> dict[str, Metrics]:
    """Fit baselines to a scene and measure them where ``truth`` is known."""

    def parts() -> Iterator[tuple[Window, Mask, Spectra]]:
        for tile in tiles(reader.grid.shape, _size(reader)):
            block = reader.read(tile.keep)[0]
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
        rows[name] = measure(truth, scores, _cut(scores))
    progress("baselines", len(names), len(names))
    return rows


def _warn_of_another(scene: str, tags: Mapping[str, str], path: str) -> None:
    made_of = tags.get("ANOMVAE_SCENE", "")
    if made_of and made_of != Path(scene).name:
        log.warning("%s was made from %s, not from %s", path, made_of, scene)


def _cut(scores: NDArray[np.float64]) -> float | None:
    """Give a baseline the plain threshold, mean + 3 sigma of its own scores of the scene."""
    return sigma(describe_scores(scores), 3.0) if np.isfinite(scores).any() else None


def _living(reader: RasterReader) -> RasterReader:
    """Leave out bands without data, which would leave no pixel valid."""
    windows = (tile.keep for tile in tiles(reader.grid.shape, _size(reader)))
    count = stream_statistics(reader.read(window) for window in windows).count
    living = [band for band, seen in zip(reader.bands, count, strict=True) if seen]
    return reader.using(reader.bands.keep(living)) if living else reader


def _size(reader: RasterReader) -> tuple[int, int]:
    return fitting_size(reader.grid.shape, reader.block_shape, len(reader.bands))


def _without_nan(figures: dict[str, Any]) -> dict[str, Any]:
    def undefined(value: object) -> bool:
        return isinstance(value, float) and math.isnan(value)

    return {key: None if undefined(value) else value for key, value in figures.items()}
