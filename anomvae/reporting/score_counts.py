"""Counts of scores, exact and streamed, from which histograms of any range are made.

Scores are counted in the bins of `anomvae.stats.ranks`, whose relative width is 2^-9 or less and
whose range need not be known before.  Those above the threshold are counted beside, so that a bin
that holds it is parted there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..stats.ranks import BINS, add_counts, bins_of, lowest_of_bins

BARS = 256
"""Bins of a histogram, about."""
LEAST = -0.999
"""The lowest score whose logarithm of 1 + score is an even place; those below share a bin."""
LOW_SHARE = 1e-4
"""Share of the scores that may lie below the histogram's even bins, in its first one."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bars:
    """A histogram; one of its edges is the threshold, so that the share above it is exact."""

    edges: NDArray[np.float64]
    """Ascending, shape (n + 1,)."""
    counts: Counts
    """Scores in (edge, next edge], shape (n,); the first bin holds its lower edge, too."""


class ScoreCounts:
    """The counts of the scores of a map, added window by window."""

    def __init__(self, threshold: float) -> None:
        """Count scores; those above ``threshold`` are counted beside."""
        self.threshold = float(np.float32(threshold))
        self.above = 0
        """Scores above the threshold."""
        self.low, self.high = np.inf, -np.inf
        self._bins: Counts = np.zeros(BINS, np.int64)

    @property
    def total(self) -> int:
        """Scores that are counted."""
        return int(self._bins.sum())

    def add(self, scores: NDArray[np.float32]) -> None:
        """Add the scores of a window; NaN = no data."""
        scores = np.ascontiguousarray(scores, np.float32).ravel()
        finite = np.isfinite(scores)
        if not finite.all():
            scores = scores[finite]
        if not scores.size:
            return
        add_counts(self._bins, bins_of(scores))
        self.above += int(np.count_nonzero(scores > np.float32(self.threshold)))
        self.low = min(self.low, float(scores.min()))
        self.high = max(self.high, float(scores.max()))

    def bars(self, most: int = BARS) -> Bars | None:
        """Return a histogram of about ``most`` bins, even in log(1 + score); None without scores.

        Its first bin holds the lowest scores, where few would make the others narrow.
        """
        used = np.flatnonzero(self._bins)
        if not len(used):
            return None
        counts, uppers = self._bins[used], _upper_of(used)
        uppers, counts = self._parted(np.minimum(uppers, self.high), counts)
        below = np.cumsum(counts)
        lowest = uppers[np.searchsorted(below, LOW_SHARE * below[-1])]
        start = max(float(lowest), LEAST)
        wanted = np.expm1(np.linspace(np.log1p(start), np.log1p(max(self.high, start)), most + 1))
        cuts = np.unique(np.append(np.searchsorted(uppers, wanted[1:-1], "right"), len(uppers)))
        edge = np.flatnonzero(uppers == self.threshold)
        cuts = np.unique(np.concatenate([cuts[cuts > 0], edge + 1]))
        edges = np.concatenate([[self.low], uppers[cuts - 1]])
        return Bars(edges, np.diff(below[cuts - 1], prepend=0))

    def _parted(
        self, uppers: NDArray[np.float64], counts: Counts
    ) -> tuple[NDArray[np.float64], Counts]:
        """Part the bin of the threshold there, given the upper ends of bins that hold scores."""
        if not self.low <= self.threshold <= self.high:
            return uppers, counts
        at = int(np.searchsorted(uppers, self.threshold))
        upper = self.above - int(counts[at + 1 :].sum())
        lower = int(counts[at]) - upper
        if upper and lower:
            uppers = np.insert(uppers, at, self.threshold)
            counts = np.concatenate([counts[:at], [lower, upper], counts[at + 1 :]])
        elif lower:  # the whole bin lies below: its end may as well be the threshold
            uppers = uppers.copy()
            uppers[at] = self.threshold
        else:
            uppers = np.insert(uppers, at, self.threshold)
            counts = np.insert(counts, at, 0)
        return uppers, counts


def _upper_of(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest score of each bin: the one before the lowest of the next bin."""
    above = lowest_of_bins(np.dtype(np.float32))[bins + 1]
    return np.asarray(np.nextafter(above, np.float32(-np.inf)), np.float64)
