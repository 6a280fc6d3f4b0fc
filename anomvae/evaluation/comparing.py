"""Compare several maps, or folders of maps, against the same labels.

A scene is measured on the pixels that have a label and a score in every map, so that no map gains
by leaving out what is hard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ..files import PathText, as_path
from ..identity import unchanged
from ..mapping import MapResult
from ..mapping.flagging import ScoredMap
from ..mapping.stored import StoredScores, stored
from ..parallel import Progress, quiet
from ..pixels.tiling import Window
from ..raster import Scene, Selection, open_labels
from ..raster.maps import OpenMap, open_scores
from ..raster.selection import EVERYTHING
from .comparison import Comparison
from .decisions import decision_of_map
from .evaluation import Evaluation
from .labelled import Flagger, LabelledMap, Labels
from .options import DEFAULT as DEFAULT_OPTIONS
from .options import EvaluateOptions
from .pairing import ComparedScene, names_of, scenes_to_compare
from .row import Row, measured_row

UNKNOWN = -1


def compare(
    maps: Sequence[MapResult | PathText],
    labels: PathText,
    *,
    select: Selection = EVERYTHING,
    options: EvaluateOptions = DEFAULT_OPTIONS,
    progress: Progress = quiet,
) -> Comparison:
    """Compare maps of one scene, or folders of maps of several, against the same labels.

    Parameters
    ----------
    maps : sequence of MapResult or path
        Anomaly maps, or rasters of one band that hold scores, higher = more anomalous, on one grid;
        or folders of them, in which the maps of a scene have the same stem.  Differences are to the
        first one.
    labels : path
        Labels as for `evaluate`; of folders, the folder of the labels, called ``<stem>.tif``,
        ``<stem>_labels.tif`` or ``<stem>/labels.tif``.
    select : Selection, optional
        Masks, dilation of masks, and values that are no data: a pixel that they hide is not
        measured.  Drivers and limits are those of every file.
    options : EvaluateOptions, optional
        How objects, intervals and the 3D ROC are measured.
    progress : Progress, optional
        Called for every window that is read.

    Returns
    -------
    Comparison
        Over the pixels that have a label, and a score in every map.  F1 and objects are measured
        at the threshold of a map; a raster of scores has none.

    Raises
    ------
    RasterError
        When a file does not exist, cannot be read, changes meanwhile, or holds no scores.
    GridMismatch
        When maps or labels are on different grids.
    ConfigError
        When maps and folders are mixed.
    FileError
        When a folder holds no maps, or labels are missing.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from anomvae import map_baseline
    >>> from anomvae.config import shipped
    >>> samples = shipped("data_samples")
    >>> with TemporaryDirectory() as folder:
    ...     maps = [
    ...         map_baseline(samples / "scene_a.tif", f"{folder}/{name}", name)
    ...         for name in ("rx", "pca")
    ...     ]
    ...     comparison = compare(maps, samples / "scene_a_labels.tif")
    >>> list(comparison.summaries)
    ['rx', 'pca']
    """
    paths = [as_path(each.path if isinstance(each, MapResult) else each) for each in maps]
    names = names_of(paths)
    how = _How(names, select, options, progress)
    scenes = scenes_to_compare(paths, as_path(labels))
    return Comparison.of(tuple(how.measured(scene) for scene in scenes), options)


@dataclass(frozen=True)
class _How:
    """How each scene is measured."""

    names: Sequence[str]
    select: Selection
    options: EvaluateOptions
    progress: Progress

    def measured(self, scene: ComparedScene) -> Evaluation:
        """Measure the maps of a scene."""
        with ExitStack() as files:
            maps = [
                files.enter_context(open_scores(path, self.select.access)) for path in scene.maps
            ]
            first, title = maps[0], maps[0].dataset.name
            for other in maps[1:]:
                first.grid.require_same(other.grid, title, other.dataset.name)
            truth = files.enter_context(
                open_labels(scene.labels, first.grid, title, self.select.access)
            )
            # The first map has the grid of the masks.
            closed = Scene.selected(scene.maps[0], self.select)
            opened = files.enter_context(closed.open())
            read = [file for each in maps for file in each.dataset.files]
            files.enter_context(unchanged((*read, *truth.files, *opened.files)))
            known = files.enter_context(stored(first.grid.shape, np.int8))

            def shown(window: Window) -> Labels:
                values = truth.read_first(window)
                values[~opened.shown(window)] = np.nan
                return values

            ours = [self._map(each, shown) for each in maps]
            _store_common(ours, known)
            rows: dict[str, Row] = {}
            for name, path, each, opened_map in zip(
                self.names, scene.maps, ours, maps, strict=True
            ):
                flagger = Flagger.of(decision_of_map(path, opened_map.tags, each))
                common = LabelledMap(each.scored, _reading(known), self.progress)
                before = next(iter(rows.values()), None)
                rows[name] = measured_row(common, flagger, self.options, before)
            return Evaluation.of(scene.stem, scene.labels, rows)

    def _map(self, opened: OpenMap, labels: Callable[[Window], Labels]) -> LabelledMap:
        scored = ScoredMap(opened.georeference, opened.dataset.read_first)
        return LabelledMap(scored, labels, self.progress)


def _store_common(maps: Sequence[LabelledMap], known: StoredScores[np.int8]) -> None:
    """Store the labels of the pixels that have a score in every map."""
    first = maps[0]
    for tile in first.scored.windows():
        labels = first.labels(tile.keep)
        scored = [np.isfinite(each.scored.read(tile.keep)) for each in maps]
        valid = np.logical_and.reduce([np.isfinite(labels), *scored])
        with np.errstate(invalid="ignore"):
            known.write(tile.keep, np.where(valid, labels > 0, UNKNOWN))
        first.progress("labels", tile.keep[0].stop, first.shape[0])


def _reading(known: StoredScores[np.int8]) -> Callable[[Window], Labels]:
    def read(window: Window) -> Labels:
        codes = known.read(window).astype(np.float32)
        return np.where(codes == UNKNOWN, np.float32(np.nan), codes)

    return read
