"""Scored tiles on their way into the maps of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..pixels.tiling import Window
from ..raster import MapWriter
from .near_pixels import NearStore
from .quicklook import QuickLook
from .statistics import RunningStatistics
from .stored import StoredScores

if TYPE_CHECKING:
    from .tiles import TileScores


@dataclass(frozen=True)
class TileWriter:
    """Writes the newest date of a tile into the anomaly map and its explanation, and counts it."""

    scores: MapWriter
    """The anomaly map."""
    explanation: MapWriter | None
    """The map of why pixels score as they do; None: it is not written."""
    measures: slice
    """Layers of a tile that the anomaly map holds."""
    explaining: slice
    """Those that its explanation holds."""
    masked: StoredScores[np.bool_]
    """Which pixels are masked."""
    statistics: RunningStatistics
    """Counts of the scene."""
    quicklook: QuickLook
    """Its images."""
    near: NearStore
    """Keeps pixels for explanations."""

    def __call__(self, scored: TileScores) -> Window:
        """Return the window that is written."""
        keep, newest = scored.tile.keep, np.stack([layer[-1] for layer in scored.layers])
        self.scores.write(keep, newest[self.measures])
        if self.explanation is not None:
            self.explanation.write(keep, newest[self.explaining])
        self.statistics.add(keep, newest[0])
        if scored.masked is not None:
            masked = scored.masked & ~np.isfinite(newest[0])
            self.masked.write(keep, masked)
            self.statistics.add_masked(masked)
        self.statistics.add_spectra(scored.sample, scored.sampled)
        self.quicklook.add_preview(keep, scored.preview)
        if scored.near is not None:
            self.near.add(keep, scored.near)
        return keep
