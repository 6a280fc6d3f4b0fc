"""The maps of a scene, written and counted tile by tile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..files import Staging
from ..objects import ScoredTile
from ..raster import Category, Georeference, Layout, MapWriter
from ..raster.maps import LAYERS
from ..stats.thresholds import Threshold
from .outputs import Outputs
from .statistics import RunningStatistics
from .tiles import QuickLookSpec, Scored

NO_DATA = 255
FLAGS = (
    Category(0, "normal", (230, 230, 230)),
    Category(1, "anomalous", (214, 26, 28)),
    Category(NO_DATA, "no data", (0, 0, 0)),
)


@dataclass(frozen=True)
class Maps:
    """Scores and flags that are being written."""

    scores: MapWriter
    """Takes the scores and their terms."""
    flags: MapWriter
    """Takes the flags."""
    threshold: Threshold
    """What is flagged."""
    statistics: RunningStatistics
    """Counts what goes by."""
    picture: QuickLookSpec
    """What a picture shows."""
    image: NDArray[np.float32]
    """The scene as it is shown, axes (row, col, band)."""

    def write(self, part: Scored) -> ScoredTile:
        """Write and count the newest date of a tile."""
        tile, scores, shown = part
        newest = np.stack([term[-1] for term in scores])
        seen = np.isfinite(newest[0])
        flagged = self.threshold.flag(newest[0]) & seen
        self.scores.write(tile.keep, newest)
        classes = np.where(seen, flagged, NO_DATA).astype(np.uint8)
        self.flags.write(tile.keep, classes[np.newaxis])
        self.statistics.add(tile, newest[0], flagged)
        self.image[self.picture.lattice.part(tile.keep)[0]] = shown
        return ScoredTile(tile.keep, newest[0], flagged)


@contextmanager
def opened_maps(
    outputs: Outputs,
    stage: Staging,
    where: Georeference,
    tags: dict[str, str],
    threshold: Threshold,
    picture: QuickLookSpec,
) -> Iterator[Maps]:
    """Begin the maps of a scene in a staging folder; on a clean exit they are whole."""
    image = np.full((*picture.lattice.shape, len(picture.bands)), np.nan, np.float32)
    with (
        MapWriter(stage.path(outputs.scores.name), where, _score_layout(tags)) as scores,
        MapWriter(stage.path(outputs.flags.name), where, _flag_layout(tags)) as flags,
    ):
        yield Maps(scores, flags, threshold, RunningStatistics(where.grid.shape), picture, image)


def _score_layout(tags: dict[str, str]) -> Layout:
    return Layout("float32", math.nan, LAYERS, tags)


def _flag_layout(tags: dict[str, str]) -> Layout:
    return Layout(
        "uint8", NO_DATA, ("flags",), tags, categories=FLAGS, overviews="mode", predictor=False
    )
