"""How normal pixels rank among anomalous ones: all that a ranking metric needs of many pixels.

The distinct scores of the anomalous pixels, ascending, are edges; every pixel is counted at an edge
or in a gap between two, below the first, or above the last.  The detection rate changes only at
edges, so the metrics of these counts are those of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

MAX_EDGES = 2**21
"""Beyond, every other edge is dropped: pixels between two kept edges tie, which changes an area by
less than 1e-6."""

Pairs = Callable[[], Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]]]
"""Starts to read labels and scores in parts, each pair of one shape; each call gives the same."""


@dataclass(frozen=True)
class RankCounts:
    """Numbers of pixels at each rank, lowest score first: a gap, an edge, a gap, ..., a gap."""

    normal: NDArray[np.int64]
    """Normal pixels at each rank."""
    anomalous: NDArray[np.int64]
    """Anomalous pixels at each rank."""
    edges: NDArray[np.floating]
    """The scores of the edges."""


def count_ranks(pairs: Pairs, max_edges: int = MAX_EDGES) -> RankCounts:
    """Count the pixels at each rank, reading the stream twice.

    In memory are one part and about 40 bytes for each distinct score of an anomalous pixel, at most
    ``max_edges`` of them.
    """
    edges = _edges(pairs(), max_edges)
    counts = np.zeros((2, 2 * len(edges) + 1), np.int64)
    for truth, score in valid_parts(pairs()):
        rank = np.searchsorted(edges, score) + np.searchsorted(edges, score, "right")
        at, pixels = np.unique(rank + truth * counts.shape[1], return_counts=True)
        counts.reshape(-1)[at] += pixels
    return RankCounts(counts[0], counts[1], edges)


def valid_parts(
    pairs: Iterable[tuple[NDArray[np.floating], NDArray[Value]]],
) -> Iterator[tuple[NDArray[np.bool_], NDArray[Value]]]:
    """Yield of each part which pixels are anomalous, and their scores; no data is dropped.

    Flags may stand for scores.
    """
    for labels, scores in pairs:
        valid = np.isfinite(labels) & np.isfinite(scores)
        yield labels[valid] > 0, scores[valid]


def _edges(
    pairs: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]], most: int
) -> NDArray[np.floating]:
    edges: NDArray[np.floating] = np.empty(0, np.float32)
    for truth, score in valid_parts(pairs):
        if truth.any():
            edges = np.union1d(edges, score[truth])
            edges = edges[:: len(edges) // most + 1]
    return edges
