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
from ..parallel import Progress, quiet
from ..pixels.tiling import Tile, Window

Labels = NDArray[np.floating]
Flags = NDArray[np.bool_]
Codes = NDArray[np.uint8]
"""What is known of pixels: a sum of the bits below."""
SCORED, LABELLED, ANOMALOUS, FLAGGED = 1, 2, 4, 8
"""The pixel has a score; a label; an anomalous label; it is flagged."""


@dataclass(frozen=True)
class Flagger:
    """Flags the kept pixels of a tile, given the scores of those that are read."""

    threshold: float
    """The threshold."""
    flags: Callable[[Tile, NDArray[np.float32]], Flags]
    """Flags the pixels of a tile."""
    radius: int = 0
    """Receptive radius, pixels."""

    @classmethod
    def of(cls, decision: Decision | None) -> Flagger | None:
        """Flag as a decision does; None: there is no decision."""
        if decision is None:
            return None
        return cls(decision.threshold.value, decision.flags, decision.radius)

    @classmethod
    def above(cls, threshold: float | None) -> Flagger | None:
        """Flag the scores above a threshold; None: there is no threshold."""
        if threshold is None:
            return None
        return cls(threshold, lambda tile, scores: np.asarray(scores[tile.inner] > threshold))


@dataclass(frozen=True)
class LabelledMap:
    """A map of scores, finished, and labels on its grid."""

    scored: ScoredMap
    """The scores."""
    labels: Callable[[Window], Labels]
    """Reads the labels of a window."""
    progress: Progress = quiet
    """Called for every window that is read to measure."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.scored.where.grid.shape

    def known(self, window: Window) -> Labels:
        """Return the labels of a window, NaN where there is no score."""
        return np.where(np.isfinite(self.scored.read(window)), self.labels(window), np.nan)

    def parts(self, step: str = "") -> Iterator[tuple[Window, Labels, NDArray[np.float32]]]:
        """Yield windows with their labels and scores; ``step`` names what reads them."""
        for tile in self.scored.windows():
            yield tile.keep, self.labels(tile.keep), self.scored.read(tile.keep)
            if step:
                self.progress(step, tile.keep[0].stop, self.shape[0])

    def pairs(self, step: str = "") -> Iterator[tuple[Labels, NDArray[np.float32]]]:
        """Yield labels and scores."""
        return ((labels, scores) for _, labels, scores in self.parts(step))

    def flagged(self, decision: Decision) -> Iterator[tuple[Labels, Flags]]:
        """Yield the labels of pixels that have a score, and which are flagged."""
        for tile in self.scored.windows(decision.radius):
            flags = decision.flags(tile, self.scored.read(tile.read))
            yield self.known(tile.keep), flags

    def codes(self, flagger: Flagger) -> Iterator[Codes]:
        """Yield what is known of the pixels of whole rows, top to bottom."""
        width = self.shape[1]
        for tile in self.scored.windows(flagger.radius):
            rows, cols = tile.keep
            if cols.start == 0:
                codes = np.empty((rows.stop - rows.start, width), np.uint8)
            around, labels = self.scored.read(tile.read), self.labels(tile.keep)
            part = codes[:, cols]
            scored, known = np.isfinite(around[tile.inner]), np.isfinite(labels)
            part[...] = scored * np.uint8(SCORED)
            part += known * np.uint8(LABELLED)
            part += (known & (labels > 0)) * np.uint8(ANOMALOUS)
            part += (scored & flagger.flags(tile, around)) * np.uint8(FLAGGED)
            if cols.stop == width:
                yield codes
                self.progress("objects", rows.stop, self.shape[0])
