"""The files of a scored scene while they are made: begun, written tile by tile, published whole.

Everything is made in a hidden folder; a lock keeps other runs from making the same results.  One
thread writes the maps, while the caller's finds the objects in the tiles that are written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager

import numpy as np

from .. import __version__
from ..errors import ConfigError
from ..files import Staging, file_name, staging, writing
from ..objects import ScoredTile, write_objects
from ..parallel import Progress, ahead
from ..raster import Category, Layout, MapWriter, OpenScene
from ..raster.maps import LAYERS
from ..stats.thresholds import Threshold
from .deliverables import CacheKey, Deliverables, MapResult, cached_result
from .quicklook import QuickLook, draw
from .statistics import RunningStatistics
from .tiles import Scorer, TileScores

NO_DATA = 255
FLAGS = (
    Category(0, "normal", (230, 230, 230)),
    Category(1, "anomalous", (214, 26, 28)),
    Category(NO_DATA, "no data", (0, 0, 0)),
)


@contextmanager
def begin(files: Deliverables, key: CacheKey, *, overwrite: bool) -> Iterator[OpenDeliverables]:
    """Begin the deliverables of a scene, unless they are up to date.

    Parameters
    ----------
    files : Deliverables
        Where they go.
    key : CacheKey
        What decides them.
    overwrite : bool
        Whether to replace results of other settings.

    Yields
    ------
    OpenDeliverables
        With ``cached`` set where nothing need be done.

    Raises
    ------
    OutputExists
        If other files are in the way.
    LockHeld
        If another run makes the same results.
    NotWritten
        If the folder cannot be written.
    """
    start = time.perf_counter()
    with ExitStack() as stack:
        cached, stage = cached_result(files, key, overwrite=overwrite), None
        if cached is None:
            stage = stack.enter_context(staging(files.folder, files.stem))
            # Another run may have come first; from here on the lock keeps it out.
            cached = cached_result(files, key, overwrite=overwrite)
        yield OpenDeliverables(files, key, stage, cached, start)


class OpenDeliverables:
    """The files of a scene while they are made; `begin` makes one."""

    cached: MapResult | None
    """A result that is up to date; None where it is to be made."""

    def __init__(
        self,
        files: Deliverables,
        key: CacheKey,
        stage: Staging | None,
        cached: MapResult | None,
        start: float,
    ) -> None:
        """Make files in a staging folder; without one nothing can be written."""
        self.cached = cached
        self._files, self._key, self._stage, self._start = files, key, stage, start

    def write(
        self,
        detector: Scorer,
        opened: OpenScene,
        tiles: Generator[TileScores, None, None],
        *,
        quicklook: QuickLook,
        min_area: int,
        progress: Progress,
    ) -> MapResult:
        """Write every deliverable, and publish them.

        Parameters
        ----------
        detector : Detector
            Made the scores.
        opened : OpenScene
            The scene.
        tiles : generator of TileScores
            The whole scene, row by row; closed in the end.
        quicklook : QuickLook
            Collects what the quick look shows.
        min_area : int
            Objects of fewer pixels are left out.
        progress : Progress
            Called for every tile.

        Raises
        ------
        NotWritten
            If a file cannot be written; nothing is left behind.
        """
        stage, files, threshold = self._staging(), self._files, detector.threshold
        statistics = RunningStatistics(opened.grid.shape)
        tags, where = self._tags(detector, opened), opened.georeference
        with (
            MapWriter(stage.path(files.scores.name), where, _score_layout(tags)) as scores,
            MapWriter(stage.path(files.flags.name), where, _flag_layout(tags)) as flags,
            closing(tiles),
        ):

            def write_tile(part: TileScores) -> ScoredTile:
                """Write and count the newest date of a tile."""
                newest = np.stack([term[-1] for term in part.scores])
                valid = np.isfinite(newest[0])
                flagged = threshold.flag(newest[0]) & valid
                scores.write(part.tile.keep, newest)
                classes = np.where(valid, flagged, NO_DATA).astype(np.uint8)
                flags.write(part.tile.keep, classes[np.newaxis])
                statistics.add(part.tile, newest[0], flagged)
                quicklook.add(part.tile, part.preview, newest[0])
                return ScoredTile(part.tile.keep, newest[0], flagged)

            with closing(ahead(write_tile, tiles)) as written:
                counted = _counted(written, opened.grid.shape, progress)
                path = stage.path(files.objects.name)
                objects = write_objects(path, counted, where, tags, min_area)
        result = self._result(detector, opened, statistics, objects)
        self._publish(result, quicklook, threshold, file_name(opened.name))
        return result

    def _publish(
        self, result: MapResult, quicklook: QuickLook, threshold: Threshold, title: str
    ) -> None:
        """Draw the quick look, write the summary, and give all files their names."""
        stage, files = self._staging(), self._files
        with writing(files.quicklook):
            stage.path(files.quicklook.name).write_bytes(draw(title, quicklook, threshold))
        with writing(files.summary):
            stage.path(files.summary.name).write_text(result.to_json(), encoding="utf-8")
        stage.publish(*(path.name for path in files.all))

    def _staging(self) -> Staging:
        if self._stage is None:
            raise ConfigError("The deliverables are up to date: nothing is to be written.")
        return self._stage

    def _tags(self, detector: Scorer, opened: OpenScene) -> dict[str, str]:
        """Describe the provenance; no times, so that the same run gives the same bytes."""
        threshold = detector.threshold
        return {
            "ANOMVAE_VERSION": __version__,
            "ANOMVAE_DETECTOR": detector.id,
            "ANOMVAE_DIGEST": self._key.digest,
            "ANOMVAE_SCENE": file_name(opened.name),
            "ANOMVAE_SCORE": detector.meaning,
            "ANOMVAE_THRESHOLD": repr(threshold.value),
            "ANOMVAE_THRESHOLD_RULE": threshold.rule,
        }

    def _result(
        self, detector: Scorer, opened: OpenScene, statistics: RunningStatistics, objects: int
    ) -> MapResult:
        return MapResult(
            scene=opened.name,
            files=self._files,
            detector=detector.id,
            settings=self._key.settings,
            input=self._key.input,
            digest=self._key.digest,
            threshold=detector.threshold,
            pixels=statistics.pixels,
            valid=statistics.valid,
            flagged=statistics.flagged,
            objects=objects,
            quantiles=statistics.quantiles,
            seconds=time.perf_counter() - self._start,
        )


def _counted(
    tiles: Iterator[ScoredTile], shape: tuple[int, int], progress: Progress
) -> Iterator[ScoredTile]:
    """Report how many rows of the scene are done."""
    for tile in tiles:
        yield tile
        rows, cols = tile.keep
        done = rows.start * shape[1] + (rows.stop - rows.start) * cols.stop
        progress("score", done, math.prod(shape))


def _score_layout(tags: dict[str, str]) -> Layout:
    return Layout("float32", math.nan, LAYERS, tags)


def _flag_layout(tags: dict[str, str]) -> Layout:
    return Layout(
        "uint8", NO_DATA, ("flags",), tags, categories=FLAGS, overviews="mode", predictor=False
    )
