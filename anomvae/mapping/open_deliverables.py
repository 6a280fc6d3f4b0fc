"""The files of a scored scene while they are made: begun, written tile by tile, published whole.

All files are made in a hidden folder; a lock keeps other runs from making the same files.  One
thread writes the maps, while the caller's thread finds objects in the tiles that are written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np

from .. import __version__
from ..addresses import file_name
from ..files import Staging, staging, writing
from ..identity import FileIdentity, require_unchanged
from ..objects import Listing, ScoredTile, write_objects
from ..parallel import Progress, ahead
from ..raster import Category, Layout, MapWriter, OpenScene
from ..raster.maps import LAYERS
from ..stats.thresholds import Threshold
from .deliverables import CacheKey, Deliverables, MapResult, cached_result
from .options import ScoreOptions
from .quicklook import QuickLook, drawn
from .statistics import RunningStatistics
from .tiles import Scorer, TileScores

NO_DATA = 255
FLAGS = (
    Category(0, "normal", (230, 230, 230)),
    Category(1, "anomalous", (214, 26, 28)),
    Category(NO_DATA, "no data", (0, 0, 0)),
)


@contextmanager
def begin(
    files: Deliverables,
    key: CacheKey,
    *,
    overwrite: bool,
    inputs: Sequence[FileIdentity] = (),
) -> Iterator[MapResult | OpenDeliverables]:
    """Yield the result of an equal key where it is up to date, else the files to write.

    The ``inputs`` are those of the key: they are identified once more before files are published.

    Raises
    ------
    OutputExists
        If other files are in the way.
    LockHeld
        If another run makes the same files.
    NotWritten
        If the folder cannot be written.
    """
    start = time.perf_counter()
    cached = cached_result(files, key, overwrite=overwrite)
    if cached is not None:
        yield cached
        return
    with staging(files.folder, files.stem) as stage:
        # Another run may have been faster; from here on the lock keeps it out.
        cached = cached_result(files, key, overwrite=overwrite)
        new = OpenDeliverables(files, key, stage, start, tuple(inputs))
        yield new if cached is None else cached


@dataclass(frozen=True)
class OpenDeliverables:
    """The files of a scene while they are made; `begin` makes one."""

    files: Deliverables
    """Where they go."""
    key: CacheKey
    """What decides them."""
    stage: Staging
    """The hidden folder in which they are made."""
    start: float
    """When the work began, by `time.perf_counter`."""
    inputs: tuple[FileIdentity, ...] = ()
    """The files that are read, as they were then."""

    def write(
        self,
        detector: Scorer,
        opened: OpenScene,
        tiles: Generator[TileScores, None, None],
        *,
        quicklook: QuickLook,
        options: ScoreOptions,
        progress: Progress,
    ) -> MapResult:
        """Write every deliverable of the ``tiles`` of a whole scene, and publish them.

        Raises
        ------
        NotWritten
            If a file cannot be written; no file stays behind.
        InputChanged
            If an input is not what it was when the work began; nothing is published.
        """
        stage, files, where = self.stage, self.files, opened.georeference
        statistics, tags = RunningStatistics(opened.grid.shape), self._tags(detector, opened)
        listing = Listing(detector.threshold.value, min_area=options.min_area, top=options.top)
        measures = Layout("float32", math.nan, LAYERS, tags)
        classes = Layout("uint8", NO_DATA, ("flags",), tags, FLAGS, "mode", predictor=False)
        with (
            MapWriter(stage.path(files.scores.name), where, measures) as scores,
            MapWriter(stage.path(files.flags.name), where, classes) as flags,
            closing(tiles),
        ):
            write = _TileWriter(detector.threshold, scores, flags, statistics, quicklook)
            with closing(ahead(write, tiles)) as written:
                counted = _counted(written, opened.grid.shape, progress)
                path = stage.path(files.objects.name)
                objects = write_objects(path, counted, where, tags, listing)
        png = drawn(file_name(opened.name), quicklook, detector.threshold)
        with writing(files.quicklook):
            if png is None:
                files.quicklook.unlink(missing_ok=True)  # it would be of an earlier run
            else:
                stage.path(files.quicklook.name).write_bytes(png)
        result = self._result(detector, opened, statistics, objects, drawn=png is not None)
        with writing(files.summary):
            stage.path(files.summary.name).write_text(result.to_json(), encoding="utf-8")
        require_unchanged(self.inputs)
        stage.publish(*(path.name for path in result.written))
        return result

    def _tags(self, detector: Scorer, opened: OpenScene) -> dict[str, str]:
        """Describe the provenance; no times, so that the same run gives the same bytes."""
        threshold = detector.threshold
        return {
            "ANOMVAE_VERSION": __version__,
            "ANOMVAE_DETECTOR": detector.id,
            "ANOMVAE_DIGEST": self.key.digest,
            "ANOMVAE_SCENE": file_name(opened.name),
            "ANOMVAE_SCORE": detector.meaning,
            "ANOMVAE_THRESHOLD": repr(threshold.value),
            "ANOMVAE_THRESHOLD_RULE": threshold.rule,
        }

    def _result(
        self,
        detector: Scorer,
        opened: OpenScene,
        statistics: RunningStatistics,
        objects: int,
        *,
        drawn: bool,
    ) -> MapResult:
        return MapResult(
            scene=opened.scene.name,
            files=self.files,
            detector=detector.id,
            settings=self.key.settings,
            input=self.key.input,
            digest=self.key.digest,
            threshold=detector.threshold,
            pixels=statistics.pixels,
            valid=statistics.valid,
            flagged=statistics.flagged,
            objects=objects,
            quantiles=statistics.quantiles,
            seconds=time.perf_counter() - self.start,
            drawn=drawn,
        )


@dataclass(frozen=True)
class _TileWriter:
    """Writes the newest date of a tile into both maps, and counts it."""

    threshold: Threshold
    scores: MapWriter
    flags: MapWriter
    statistics: RunningStatistics
    quicklook: QuickLook

    def __call__(self, scored: TileScores) -> ScoredTile:
        tile, newest = scored.tile, np.stack([term[-1] for term in scored.scores])
        total, valid = newest[0], np.isfinite(newest[0])
        flagged = self.threshold.flag(total) & valid
        self.scores.write(tile.keep, newest)
        classes = np.where(valid, flagged, NO_DATA).astype(np.uint8)
        self.flags.write(tile.keep, classes[np.newaxis])
        self.statistics.add(tile, total, flagged)
        self.quicklook.add(tile, scored.preview, total)
        return ScoredTile(tile.keep, total, flagged)


def _counted(
    tiles: Iterator[ScoredTile], shape: tuple[int, int], progress: Progress
) -> Iterator[ScoredTile]:
    for tile in tiles:
        yield tile
        rows, cols = tile.keep
        done = rows.start * shape[1] + (rows.stop - rows.start) * cols.stop
        progress("score", done, math.prod(shape))
