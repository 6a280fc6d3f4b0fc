"""The maps of a scene, written and counted tile by tile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..detector import Scores
from ..files import Staging
from ..outputs import Outputs
from ..raster import Category, Georeference, Layout, MapWriter
from ..raster.maps import LAYERS
from ..thresholds import Threshold
from ..tiling import Tile
from .tally import Tally

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
    tally: Tally
    """Counts what goes by."""

    def write(self, part: tuple[Tile, Scores]) -> None:
        """Write and count the newest date of a tile."""
        tile, scores = part
        newest = np.stack([term[-1] for term in scores])
        flagged = self.threshold.flag(newest[0])
        self.scores.write(tile.keep, newest)
        classes = np.where(np.isfinite(newest[0]), flagged, NO_DATA).astype(np.uint8)
        self.flags.write(tile.keep, classes[np.newaxis])
        self.tally.add(tile, newest[0], flagged)


@contextmanager
def opened_maps(
    outputs: Outputs,
    stage: Staging,
    where: Georeference,
    tags: dict[str, str],
    threshold: Threshold,
) -> Iterator[Maps]:
    """Begin the maps of a scene in a staging folder; on a clean exit they are whole."""
    with (
        MapWriter(stage.path(outputs.scores.name), where, _score_layout(tags)) as scores,
        MapWriter(stage.path(outputs.flags.name), where, _flag_layout(tags)) as flags,
    ):
        yield Maps(scores, flags, threshold, Tally(where.grid.shape))


def _score_layout(tags: dict[str, str]) -> Layout:
    return Layout("float32", math.nan, LAYERS, tags)


def _flag_layout(tags: dict[str, str]) -> Layout:
    return Layout(
        "uint8", NO_DATA, ("flags",), tags, categories=FLAGS, overviews="mode", predictor=False
    )
