"""Labels beside the scores of a map, and what a decision flags, window by window.

Axes are (row, col).  Labels: above 0 = anomalous, 0 = normal, NaN = unknown; a NaN score is no
data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mapping.flagging import Decision, ScoredMap
from ..pixels.tiling import Window
from ..stats.metrics import Measured, measure_with_curve

Labels = NDArray[np.floating]


@dataclass(frozen=True)
class LabelledMap:
    """A map of scores, finished, and labels on its grid."""

    scored: ScoredMap
    """The scores."""
    labels: Callable[[Window], Labels]
    """Reads the labels of a window."""

    def known(self, window: Window) -> Labels:
        """Return the labels of a window, NaN where there is no score."""
        return self._known(window, self.scored.read(window))

    def pairs(self) -> Iterator[tuple[Labels, NDArray[np.float32]]]:
        """Yield labels and scores."""
        for tile in self.scored.windows():
            yield self.labels(tile.keep), self.scored.read(tile.keep)

    def flagged(self, decision: Decision) -> Iterator[tuple[Labels, NDArray[np.bool_]]]:
        """Yield the labels of pixels that have a score, and which are flagged."""
        for tile in self.scored.windows(decision.radius):
            scores = self.scored.read(tile.read)
            yield self._known(tile.keep, scores[tile.inner]), decision.flags(tile, scores)

    def _known(self, window: Window, scores: NDArray[np.float32]) -> Labels:
        return np.where(np.isfinite(scores), self.labels(window), np.nan)

    def measured(self, decision: Decision | None) -> Measured:
        """Measure the scores, and what a decision flags; None: there is no decision."""
        if decision is None:
            return measure_with_curve(self.pairs)
        return measure_with_curve(
            self.pairs, decision.threshold.value, flagged=lambda: self.flagged(decision)
        )
