"""The second pass: decide which pixels of an anomaly map are anomalous, and write what follows.

A map is read in windows that depend on its shape alone, so that the decision is the same whatever
the tiles in which it was scored.  Scores and flags have axes (row, col); NaN is no data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..files import Staging
from ..objects import Listing, ScoredTile, write_objects
from ..parallel import Progress, ahead
from ..pixels.tiling import Tile, Window, tiles
from ..raster import Category, Georeference, Layout, MapWriter
from ..stats.thresholds import Threshold
from .deliverables import Deliverables
from .options import ScoreOptions
from .quicklook import QuickLook

WINDOW = (512, 2048)
"""Rows and columns that are decided at a time: whole blocks of a map."""
NO_DATA = 255
FLAGS = (
    Category(0, "normal", (230, 230, 230)),
    Category(1, "anomalous", (214, 26, 28)),
    Category(NO_DATA, "no data", (0, 0, 0)),
)

Scores = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoredMap:
    """An anomaly map whose pixels all have their scores, published or not yet."""

    where: Georeference
    """Shape and location."""
    read: Callable[[Window], Scores]
    """Reads the scores of a window."""

    def windows(self, halo: int = 0) -> Iterator[Tile]:
        """Cut the map into windows, row by row."""
        return tiles(self.where.grid.shape, WINDOW, halo)


@dataclass(frozen=True)
class Decision:
    """What makes a pixel anomalous."""

    threshold: Threshold
    """Scores above it are."""

    @property
    def radius(self) -> int:
        """Receptive radius, pixels."""
        return 0

    def flags(self, tile: Tile, scores: Scores) -> Flags:
        """Flag the kept pixels of a tile, given the scores of those that are read."""
        return self.threshold.flag(scores)[tile.inner]


@dataclass(frozen=True)
class Counts:
    """What a decision finds in a map."""

    flagged: int
    """Anomalous pixels."""
    objects: int
    """Objects that are listed."""


def write_decision(  # noqa: PLR0913 - each is another noun
    decision: Decision,
    scored: ScoredMap,
    stage: Staging,
    files: Deliverables,
    *,
    tags: Mapping[str, str],
    options: ScoreOptions,
    quicklook: QuickLook,
    progress: Progress,
) -> Counts:
    """Write flags and objects of a map into a staging folder, and fill its quick look.

    One thread decides and writes the map of flags; the caller's thread finds objects in the windows
    that are decided.

    Raises
    ------
    NotWritten
        If a file cannot be written.
    """
    classes = Layout("uint8", NO_DATA, ("flags",), tags, FLAGS, "mode", predictor=False)
    with MapWriter(stage.path(files.flags.name), scored.where, classes) as flags:
        write = _WindowWriter(decision, scored.read, flags, quicklook)
        with closing(ahead(write, scored.windows(decision.radius))) as decided:
            counted = _Counted(decided, scored.where.grid.shape, progress)
            listing = Listing(decision.threshold.value, min_area=options.min_area, top=options.top)
            path = stage.path(files.objects.name)
            objects = write_objects(path, counted, scored.where, tags, listing)
    return Counts(counted.flagged, objects)


@dataclass(frozen=True)
class _WindowWriter:
    """Decides a window, and writes its flags."""

    decision: Decision
    read: Callable[[Window], Scores]
    flags: MapWriter
    quicklook: QuickLook

    def __call__(self, tile: Tile) -> ScoredTile:
        around = self.read(tile.read)
        flagged, scores = self.decision.flags(tile, around), around[tile.inner]
        classes = np.where(np.isfinite(scores), flagged, NO_DATA).astype(np.uint8)
        self.flags.write(tile.keep, classes[np.newaxis])
        self.quicklook.add_scores(tile.keep, scores, flagged)
        return ScoredTile(tile.keep, scores, flagged)


class _Counted:
    """Windows that pass by, row by row, and the number of flagged pixels in them."""

    def __init__(
        self, windows: Iterator[ScoredTile], shape: tuple[int, int], progress: Progress
    ) -> None:
        self.flagged = 0
        self._windows, self._shape, self._progress = windows, shape, progress

    def __iter__(self) -> Iterator[ScoredTile]:
        for window in self._windows:
            yield window
            self.flagged += int(window.flagged.sum())
            report(self._progress, "flag", window.keep, self._shape)


def threshold_tags(threshold: Threshold) -> dict[str, str]:
    """Describe a threshold in the tags of a map."""
    return {
        "ANOMVAE_THRESHOLD": repr(threshold.value),
        "ANOMVAE_THRESHOLD_RULE": threshold.rule,
    }


def report(progress: Progress, step: str, keep: Window, shape: tuple[int, int]) -> None:
    """Report that all windows up to ``keep`` are done, row by row."""
    rows, cols = keep
    done = rows.start * shape[1] + (rows.stop - rows.start) * cols.stop
    progress(step, done, math.prod(shape))
