"""Rules that choose the threshold of a scene from all of its scores.

They read the scores as a stream, several times, in constant memory, and exactly: the threshold does
not depend on how the scene is cut into tiles.

``budget`` flags the highest scores, at most so many: where too many tie, none of those that tie.

``fdr`` flags by the procedure of Benjamini & Hochberg (1995): of the m pixels of the scene, those
with a p-value up to the largest p that at least ``m p / rate`` pixels reach.  With conformal
p-values (`anomvae.stats.pvalues`) the expected share of normal pixels among the flagged ones is at
most the rate (Bates et al. 2023), for pixels exchangeable with the held-out ones.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pvalues import reached
from .scores import ScoreDistribution

Floats = NDArray[np.floating]
Counts = NDArray[np.int64]

HALF = 16
"""Bits of a float32 that are sorted at a time."""
CHANCE = 5
"""Pixels above all held-out scores that are no sign of anomalies, however few are expected."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneScores:
    """The scores of a scene."""

    stream: Callable[[], Iterable[Floats]]
    """Starts to read them in parts of any shape; each call gives the same; NaN = no data."""
    pixel_area_m2: float | None = None
    """Mean area of a pixel, m2; None where the scene has no georeference."""

    def parts(self) -> Iterator[NDArray[np.float32]]:
        """Yield the finite scores, parts of shape (n,)."""
        for part in self.stream():
            scores = np.asarray(part, np.float32)
            yield scores[np.isfinite(scores)]

    def counts(self, levels: NDArray[np.float32]) -> Counts:
        """Count the scores between ascending levels, shape (levels + 1,): (l0, l1] and so on."""
        counts = np.zeros(len(levels) + 1, np.int64)
        for part in self.parts():
            counts += np.bincount(np.searchsorted(levels, part), minlength=len(counts))
        return counts

    def largest(self, rank: int) -> float:
        """Return the score of a rank, 1 = the largest; 0 where there are fewer scores.

        Non-negative float32 numbers are in the order of their bits: one pass counts the upper half
        of these, another the lower half.
        """
        high, before = _bin_of_rank(self._histogram(), rank)
        if high is None:
            return 0.0
        low, _ = _bin_of_rank(self._histogram(high), rank - before)
        bits = np.uint32((high << HALF) | (low or 0))
        return float(bits.view(np.float32))

    def _histogram(self, high: int | None = None) -> Counts:
        """Count scores by the upper half of their bits; given one, by the lower half of those."""
        counts = np.zeros(1 << HALF, np.int64)
        for part in self.parts():
            bits = (np.maximum(part, 0) + np.float32(0)).view(np.uint32)  # -0 sorts as 0
            upper = bits >> HALF
            digits = upper if high is None else bits[upper == high] & ((1 << HALF) - 1)
            counts += np.bincount(digits, minlength=len(counts))
        return counts


def _bin_of_rank(counts: Counts, rank: int) -> tuple[int | None, int]:
    """Return the bin that holds the rank-th largest, and how many lie in the bins above."""
    reached = np.cumsum(counts[::-1])
    position = int(np.searchsorted(reached, rank))
    if position == len(counts):
        return None, int(reached[-1])
    return len(counts) - 1 - position, int(reached[position - 1]) if position else 0


def budget(scene: SceneScores, pixels: float) -> float:
    """Return the score that at most so many pixels of the scene exceed, as many as possible."""
    return scene.largest(int(pixels) + 1)


def false_discoveries(scene: SceneScores, held_out: ScoreDistribution, rate: float) -> float:
    """Return the threshold of Benjamini & Hochberg for a scene; its largest score, if none is."""
    levels = held_out.values.astype(np.float32)
    p_values = (1 + reached(held_out)) / (1 + held_out.count)
    counts = scene.counts(levels)
    pixels = np.cumsum(counts[::-1])[::-1]  # with at most each p-value
    significant = p_values * counts.sum() <= rate * pixels * (1 + 1e-12)
    flagging = np.flatnonzero((significant & (pixels > 0))[1:])  # a p-value of 1 never is
    if len(flagging):
        return float(levels[flagging[0]])
    _warn_of_few(int(pixels[-1]), int(counts.sum()), held_out.count, rate)
    return float(max(scene.largest(1), levels[-1]))


def _warn_of_few(beyond: int, pixels: int, held_out: int, rate: float) -> None:
    """Warn that scores beyond all held-out ones are no discoveries, because these are too few."""
    if beyond > CHANCE + 2 * pixels / (1 + held_out):  # more than a normal scene has
        log.warning(
            "fdr:%g flags nothing: %d pixels score above all %d held-out ones, but among %d pixels "
            "that takes %d held-out ones. Train on more pixels, or choose conformal:0.001",
            *(rate, beyond, held_out, pixels, math.ceil(pixels / (rate * beyond)) - 1),
        )
