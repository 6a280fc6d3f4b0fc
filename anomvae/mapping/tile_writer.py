"""Write scored tiles into the anomaly map, and count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..pixels.tiling import Window
from ..raster import MapWriter
from .quicklook import QuickLook
from .statistics import RunningStatistics
from .stored import StoredScores

if TYPE_CHECKING:
    from .tiles import TileScores


@dataclass(frozen=True)
class TileWriter:
    """Writes the newest date of a tile into the anomaly map, and counts it."""

    scores: MapWriter
    """The map."""
    masked: StoredScores[np.bool_]
    """Which of its pixels are masked."""
    statistics: RunningStatistics
    """Those of all scores."""
    quicklook: QuickLook
    """Its images."""

    def __call__(self, scored: TileScores) -> Window:
        """Write a tile; return its window."""
        keep, newest = scored.tile.keep, np.stack([layer[-1] for layer in scored.layers])
        self.scores.write(keep, newest)
        self.statistics.add(keep, newest[0])
        if scored.masked is not None:
            masked = scored.masked & ~np.isfinite(newest[0])
            self.masked.write(keep, masked)
            self.statistics.add_masked(masked)
        self.statistics.add_spectra(scored.sample)
        self.quicklook.add_preview(keep, scored.preview)
        return keep
