"""How normal pixels rank among anomalous ones: all that a ranking metric needs of many pixels.

The distinct scores of the anomalous pixels, ascending, are edges; every pixel is counted at an edge
or in a gap between two, below the first, or above the last.  The detection rate changes only at
edges, so the metrics of these counts are those of the pixels: exactly, whatever their number.

The bits of a float, read as an integer and turned where it is negative, rise with it; the first 18
of them are its bin.  A first pass counts the pixels of each bin (`count_bins`), a second those at
each edge (`rank_ranges`): only pixels whose bin has an edge are searched for.  Where there are more
edges than memory holds, bins are ranked in ranges, highest first, each in passes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

MAX_EDGES = 2**21
"""Edges that are held at a time."""
BITS = 18
BINS = 2**BITS
PIECE = 2**18
"""Pixels of a part that are counted at a time."""
FEW = 2**14
"""Up to so many numbers are counted by sorting them, more by a table of all bins."""

Pairs = Callable[[], Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]]]
"""Starts to read labels and scores in parts, each pair of one shape; each call gives the same."""


@dataclass(frozen=True)
class RankCounts:
    """Numbers of pixels at each rank, lowest score first: a gap, an edge, a gap, ..., a gap."""

    normal: Numbers
    """Normal pixels at each rank."""
    anomalous: Numbers
    """Anomalous pixels at each rank."""
    edges: NDArray[np.floating]
    """The scores of the edges."""


@dataclass(frozen=True, eq=False)
class BinCounts:
    """Numbers of pixels in each bin of scores, lowest first."""

    counts: Numbers
    """Of normal and of anomalous pixels, axes (class, bin)."""
    kind: np.dtype[np.floating]
    """Type of the scores."""
    edges: NDArray[np.floating] | None
    """The edges; None where they are more than are held at a time."""

    @property
    def normal(self) -> int:
        """Number of normal pixels."""
        return int(self.counts[0].sum())

    @property
    def anomalous(self) -> int:
        """Number of anomalous pixels."""
        return int(self.counts[1].sum())

    @property
    def of_one_class(self) -> bool:
        """Whether there is no normal or no anomalous pixel."""
        return not (self.normal and self.anomalous)


def valid_parts(
    pairs: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.floating]]]:
    """Yield of pieces of each part which pixels are anomalous, and their scores, axes (pixel,).

    Pixels without a label or a score are dropped.
    """
    for both in pairs:
        flat = [values.reshape(-1) for values in both]
        for first in range(0, flat[0].size, PIECE):
            labels, scores = (values[first : first + PIECE] for values in flat)
            valid = np.isfinite(labels) & np.isfinite(scores)
            yield labels[valid] > 0, scores[valid]


def bins_of(scores: NDArray[np.floating]) -> Numbers:
    """Return the bin of each score, from 0; a higher score has no lower bin.

    Examples
    --------
    >>> bins = bins_of(np.array([-np.inf, -1, -0.0, 0.0, 1e-45, 1], np.float32))
    >>> bool((np.diff(bins) >= 0).all()), bool(bins[2] == bins[3])
    (True, True)
    """
    values = as_ranked(scores) + 0.0  # of -0.0 the bits differ
    width = 8 * values.dtype.itemsize
    signed: NDArray[np.signedinteger] = values.view(np.int32 if width == 32 else np.int64)
    # From the lowest to the highest signed integer, then from 0 on.
    turned = np.where(signed < 0, signed ^ np.iinfo(signed.dtype).max, signed)
    return np.asarray((turned >> (width - BITS)) + BINS // 2, np.int64)


def lowest_of_bins(kind: np.dtype[np.floating]) -> NDArray[np.floating]:
    """Return the lowest number of each bin, shape (bin,); NaN in those of NaN."""
    width = 8 * kind.itemsize
    signed = np.dtype(np.int32 if width == 32 else np.int64)
    turned = np.left_shift(np.arange(BINS) - BINS // 2, width - BITS)
    bits = np.where(turned < 0, turned ^ (2 ** (width - 1) - 1), turned)
    return np.asarray(bits.astype(signed).view(kind))


def as_ranked(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return scores in the type in which they are ranked: float32 as it is, others as float64."""
    return scores if scores.dtype == np.float32 else scores.astype(np.float64)


class BinCounter:
    """Counts the pixels of each bin, and collects the edges while they are few."""

    def __init__(self, max_edges: int = MAX_EDGES) -> None:
        """Begin."""
        self._counts = np.zeros(2 * BINS, np.int64)
        self._edges: NDArray[np.floating] | None = np.empty(0, np.float32)
        self._more: list[NDArray[np.floating]] = []
        self._waiting, self._most = 0, max_edges
        self._kind: np.dtype[np.floating] = np.dtype(np.float32)

    def add(self, truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> None:
        """Count pixels: which are anomalous, and their scores."""
        self._kind = as_ranked(scores[:0]).dtype
        add_counts(self._counts, bins_of(scores) + truth * BINS)
        if self._edges is not None and truth.any():
            self._more.append(np.unique(as_ranked(scores[truth])))
            self._waiting += len(self._more[-1])
            if self._waiting > self._most:
                self._join()

    def _join(self) -> None:
        if self._edges is not None and self._more:
            self._edges = np.unique(np.concatenate([self._edges.astype(self._kind), *self._more]))
            self._more, self._waiting = [], 0
            self._edges = None if len(self._edges) > self._most else self._edges

    def finish(self) -> BinCounts:
        """Return the counts."""
        self._join()
        return BinCounts(self._counts.reshape(2, BINS), self._kind, self._edges)


@dataclass(frozen=True, eq=False)
class Ranker:
    """Finds the rank of scores: 0 below the first edge, 1 at it, 2 above it, 3 at the second."""

    edges: NDArray[np.floating]
    """Distinct scores, ascending."""
    below: NDArray[np.int32]
    """Number of edges in lower bins, shape (bin + 1,)."""

    @classmethod
    def of(cls, edges: NDArray[np.floating]) -> Ranker:
        """Prepare the search for edges, which are distinct and ascend."""
        held = np.bincount(bins_of(edges), minlength=BINS)
        return cls(edges, np.concatenate([[0], np.cumsum(held)]).astype(np.int32))

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return 2 * len(self.edges) + 1

    def of_scores(self, scores: NDArray[np.floating]) -> Numbers:
        """Return the rank of each score."""
        scores = as_ranked(scores)
        bins = bins_of(scores)
        lower = self.below[bins]
        rank = 2 * lower.astype(np.int64)
        shared = np.flatnonzero(self.below[bins + 1] > lower)
        part = scores[shared]
        rank[shared] = np.searchsorted(self.edges, part) + np.searchsorted(
            self.edges, part, "right"
        )
        return rank


def count_bins(pairs: Pairs, max_edges: int = MAX_EDGES) -> BinCounts:
    """Count the pixels of each bin, reading the stream once."""
    counter = BinCounter(max_edges)
    for truth, scores in valid_parts(pairs()):
        counter.add(truth, scores)
    return counter.finish()


def rank_ranges(pairs: Pairs, bins: BinCounts, max_edges: int = MAX_EDGES) -> Iterator[RankCounts]:
    """Count the pixels at each rank, in ranges of scores, highest first; mostly there is one.

    In memory are one part and about 40 bytes for each edge of a range.  A range reads the stream
    once, and twice where there are several.
    """
    if bins.edges is not None:
        yield _counted(pairs, bins.edges, 0, BINS)
        return
    for low, high in _ranges(bins, max_edges):
        yield _counted(pairs, _edges_in(pairs, low, high), low, high)


def count_ranks(pairs: Pairs, max_edges: int = MAX_EDGES) -> RankCounts:
    """Count the pixels at each rank of all scores at once.

    Memory grows with the edges; `rank_ranges` holds a part of them at a time.
    """
    ranges = list(rank_ranges(pairs, count_bins(pairs, max_edges), max_edges))[::-1]
    normal, anomalous, edges = (
        np.concatenate([getattr(part, name) for part in ranges])
        for name in ("normal", "anomalous", "edges")
    )
    return RankCounts(normal, anomalous, edges)


def add_counts(counts: Numbers, numbers: Numbers) -> None:
    """Add how often each number occurs to counts, shape (number,)."""
    if numbers.size > FEW:
        counts += np.bincount(numbers, minlength=len(counts))
    else:
        at, times = np.unique(numbers, return_counts=True)
        counts[at] += times


def _counted(pairs: Pairs, edges: NDArray[np.floating], low: int, high: int) -> RankCounts:
    """Count the pixels of a range of bins at the edges in it."""
    ranker = Ranker.of(edges)
    counts = np.zeros(2 * ranker.ranks, np.int64)
    for truth, scores in valid_parts(pairs()):
        if high - low < BINS:
            inside = _between(scores, low, high)
            truth, scores = truth[inside], scores[inside]
        add_counts(counts, ranker.of_scores(scores) + truth * ranker.ranks)
    return RankCounts(counts[: ranker.ranks], counts[ranker.ranks :], edges)


def _edges_in(pairs: Pairs, low: int, high: int) -> NDArray[np.floating]:
    """Return the edges in a range of bins, ascending."""
    found = [
        np.unique(as_ranked(scores[truth & _between(scores, low, high)]))
        for truth, scores in valid_parts(pairs())
    ]
    return np.unique(np.concatenate(found))


def _between(scores: NDArray[np.floating], low: int, high: int) -> NDArray[np.bool_]:
    bins = bins_of(scores)
    return np.asarray((bins >= low) & (bins < high))


def _ranges(bins: BinCounts, most: int) -> list[tuple[int, int]]:
    """Cut the bins into ranges of at most ``most`` edges, or of one bin; highest first."""
    held = bins.counts[1]
    if bins.kind == np.float32:  # a bin has no more different numbers
        held = np.minimum(held, 2 ** (32 - BITS))
    total = np.cumsum(held)
    cuts = [0]
    while cuts[-1] < BINS:
        before = total[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(total, before + most, "right"))))
    return list(pairwise(cuts))[::-1]
