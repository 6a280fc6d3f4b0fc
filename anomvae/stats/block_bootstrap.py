"""Intervals of the area under the ROC and of the average precision, by a spatial block bootstrap.

Neighbouring pixels are alike, so pixels are no independent draws, but blocks of them nearly are.
The scene is cut into square blocks; a draw takes as many of the blocks that hold labelled pixels,
with replacement, and measures their pixels together (Efron & Tibshirani 1993, chapter 8; blocks:
Hall 1985; Lahiri 2003, chapter 12).  Of a block only the numbers of its pixels at each rank are
kept: with ``w_b`` the number of times that block ``b`` is drawn, and ``n_br``, ``a_br`` its normal
and anomalous pixels at rank ``r``, a draw has ``sum_b w_b n_br`` and ``sum_b w_b a_br`` pixels
there.  Ranks are those among at most 1,024 scores of anomalous pixels, at even shares of them; what
a statistic of all pixels loses by that is added to each draw.

The ends of a 95 % interval are quantiles of the draws.  Those of few blocks are too narrow by the
factor ``sqrt((m - 1) / m)`` of a standard deviation and by the tails of a normal distribution, so
the levels are those of the expanded percentile interval (Hesterberg 2015)::

    Phi(-sqrt(m / (m - 1)) t),   t = the 97.5 % quantile of Student's t with m - 1 degrees

with ``m`` the number of blocks that hold anomalous pixels, or of objects of the labels where these
are fewer: a large one lies in several blocks.  Below `FEWEST` of either, or of blocks with normal
pixels, there is no interval; nor where every draw gives one value.

The difference of two maps is measured on the same draws of the same blocks, so that what makes a
block hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..pixels.tiling import Window
from .intervals import LEVEL, Difference, Interval, Intervals, RocBand
from .ranks import BinCounts, Ranker, add_counts, lowest_of_bins

Numbers = NDArray[np.int64]
Rates = NDArray[np.float64]
Windows = Iterable[tuple[Window, NDArray[np.floating], NDArray[np.floating]]]
"""Windows with their labels and scores."""

DRAWS = 1000
FEWEST = 5
"""Blocks that must hold anomalous pixels, and normal ones; and objects of the labels."""
MOST_BLOCKS = 4096
MAX_EDGES = 1024
"""Scores of anomalous pixels among which blocks are ranked."""
SMALLEST_SIDE, PER_SIDE = 16, 32
"""Side of a block by default: the longer side of a scene over 32, at least 16 pixels."""
TOGETHER = 100
"""Draws that are measured together."""
BAND_POINTS = 160


@dataclass(frozen=True)
class BlockGrid:
    """A grid cut into square blocks; those at the far edges are smaller."""

    shape: tuple[int, int]
    """Rows and columns of the grid, pixels."""
    side: int
    """Side of a block, pixels."""

    @classmethod
    def of(cls, shape: tuple[int, int], side: int | None = None) -> BlockGrid:
        """Cut a grid into blocks of a side, by default that of its shape.

        Raises
        ------
        ConfigError
            If there would be too many blocks.
        """
        wanted = max(SMALLEST_SIDE, -(-max(shape) // PER_SIDE)) if side is None else side
        grid = cls(shape, wanted)
        if grid.blocks > MOST_BLOCKS:
            least = next(
                side
                for side in range(wanted, max(shape) + 1)
                if cls(shape, side).blocks <= MOST_BLOCKS
            )
            raise ConfigError(
                f"Blocks of {side} x {side} pixels cut a scene of {shape[0]} x {shape[1]} into "
                f"{grid.blocks}, but at most {MOST_BLOCKS} are resampled. Give a side of {least} "
                f"or more (--block)."
            )
        return grid

    @property
    def across(self) -> int:
        """Blocks side by side."""
        return -(-self.shape[1] // self.side)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.shape[0] // self.side) * self.across

    def numbers(self, window: Window) -> Numbers:
        """Return the number of the block of each pixel of a window, axes (row, col)."""
        rows, cols = (np.arange(part.start, part.stop) // self.side for part in window)
        return np.asarray(rows[:, np.newaxis] * self.across + cols)


@dataclass(frozen=True, eq=False)
class BlockCounts:
    """Numbers of pixels at each rank in each block, from the highest rank down."""

    grid: BlockGrid
    """The blocks."""
    counts: NDArray[np.int32]
    """Of normal and of anomalous pixels, axes (block, class, rank)."""

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which blocks hold labelled pixels."""
        return np.asarray(self.counts.any(axis=(1, 2)))


def count_blocks(parts: Windows, edges: NDArray[np.floating], grid: BlockGrid) -> BlockCounts:
    """Count the pixels at each rank in each block, reading the stream once.

    ``edges`` are distinct scores of anomalous pixels, ascending; of many, some are used.
    """
    ranker = Ranker.of(edges)
    counts = np.zeros((grid.blocks, 2, ranker.ranks), np.int32)
    for window, labels, scores in parts:
        valid = np.isfinite(labels) & np.isfinite(scores)
        if not valid.any():
            continue
        blocks, at = _compressed(grid.numbers(window)[valid])
        index = 2 * at + (labels[valid] > 0)
        local = np.zeros(2 * len(blocks) * ranker.ranks, np.int64)
        add_counts(local, index * ranker.ranks + ranker.of_scores(scores[valid]))
        counts[blocks] += local.reshape(len(blocks), 2, -1).astype(np.int32)
    return BlockCounts(grid, np.ascontiguousarray(counts[..., ::-1]))


def edges_of(bins: BinCounts) -> NDArray[np.floating]:
    """Return at most `MAX_EDGES` scores at even shares of the anomalous pixels, ascending.

    They are all scores of anomalous pixels where these are as few.
    """
    if bins.edges is not None:
        edges = bins.edges
        few = np.linspace(0, len(edges) - 1, min(len(edges), MAX_EDGES)).round().astype(int)
        return np.asarray(edges[few])
    total = np.cumsum(bins.counts[1])
    shares = np.searchsorted(total, np.linspace(1, total[-1], MAX_EDGES))
    return lowest_of_bins(bins.kind)[np.unique(shares)]


@dataclass(frozen=True, eq=False)
class Draws:
    """The metrics of each draw of a map's blocks; `draw` makes them."""

    intervals: Intervals
    """What they give."""
    estimates: tuple[float, float]
    """Area under the ROC and average precision of all pixels."""
    used: NDArray[np.bool_]
    """The blocks that are drawn."""
    values: Rates | None = None
    """The same of each draw, axes (metric, draw); None where there are too few blocks."""

    def difference(self, first: Draws) -> Difference:
        """Return how the map differs from the first one, drawn from the same blocks."""
        auc, precision = np.subtract(self.estimates, first.estimates).tolist()
        if self.values is None or first.values is None:
            return Difference(auc, precision)
        apart = self.values - first.values
        ends = (_interval(each, self.intervals.independent) for each in apart)
        return Difference(auc, precision, *ends)


def draw(
    counted: BlockCounts,
    estimates: tuple[float, float],
    draws: int,
    seed: int,
    *,
    objects: int,
    first: Draws | None = None,
) -> Draws:
    """Draw blocks with replacement, and measure each draw.

    Parameters
    ----------
    counted : BlockCounts
        The pixels of each block.
    estimates : tuple of float
        Area under the ROC and average precision of all pixels.
    draws, seed : int
        How many draws, and their seed.
    objects : int
        Number of objects of the labels.
    first : Draws, optional
        Those of the map that this one is compared with: the same blocks are drawn.
    """
    used = counted.used if first is None else first.used
    counts = counted.counts[used]
    held = counts.any(axis=2).sum(axis=0)
    known = Intervals(counted.grid.side, len(counts), int(held[1]), objects, draws, seed)
    reason = _too_few(known, int(held[0]))
    if reason:
        return Draws(replace(known, reason=reason), estimates, used)
    rates = np.geomspace(max(1 / counts[:, 0].sum(), 1e-6), 1, BAND_POINTS)
    drawn = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=draws
    )
    normal_counts, anomalous_counts = (counts[:, kind].astype(np.float64) for kind in (0, 1))
    values, bands = [], []
    for start in range(0, draws, TOGETHER):
        weights = drawn[start : start + TOGETHER].astype(np.float64)
        metrics, band = _measured(weights @ normal_counts, weights @ anomalous_counts, rates)
        values.append(metrics)
        bands.append(band)
    every = np.ones((1, len(counts)))
    coarse, _ = _measured(every @ normal_counts, every @ anomalous_counts, rates)
    moved = np.hstack(values) + (np.array(estimates)[:, np.newaxis] - coarse)
    moved = np.clip(moved, 0, 1)
    auc, precision = (_interval(each, known.independent) for each in moved)
    low, high = _quantiles(np.vstack(bands), known.independent)
    missing = auc is None or precision is None
    intervals = replace(
        known,
        roc_auc=auc,
        average_precision=precision,
        reason="every draw of blocks gives the same value" if missing else "",
        band=RocBand(rates, low, high),
    )
    return Draws(intervals, estimates, used, moved)


def interval_of_mean(values: Rates, draws: int, seed: int) -> Interval | None:
    """Return the interval of the mean of independent values, at least 2; None where all agree."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    return _interval(values[drawn].mean(axis=1), len(values))


def _too_few(known: Intervals, normal: int) -> str:
    """Return why blocks give no interval; empty if they do."""
    if known.objects < FEWEST:
        noun = "object" if known.objects == 1 else "objects"
        return f"the labels mark {known.objects} {noun}, and an interval needs {FEWEST}"
    for name, blocks in (("anomalous", known.anomalous_blocks), ("normal", normal)):
        if blocks < FEWEST:
            noun = "block" if blocks == 1 else "blocks"
            return (
                f"the {name} pixels lie in {blocks} {noun} of {known.side} x {known.side} pixels, "
                f"and an interval needs {FEWEST}"
            )
    return ""


def _measured(normal: Rates, anomalous: Rates, rates: Rates) -> tuple[Rates, Rates]:
    """Measure draws from their pixels at each rank, axes (draw, rank), highest first.

    Returns areas and average precisions, axes (metric, draw), and detection rates at false-alarm
    rates, axes (draw, rate); NaN where a draw has pixels of one class.
    """
    false, true = np.cumsum(normal, axis=1), np.cumsum(anomalous, axis=1)
    all_false, all_true = false[:, -1:], true[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        won = (anomalous * (all_false - false + 0.5 * normal)).sum(axis=1)
        auc = won / (all_false * all_true)[:, 0]
        found = np.where(anomalous > 0, anomalous * (true / (true + false)), 0.0).sum(axis=1)
        precision = np.where(all_false[:, 0] > 0, found / all_true[:, 0], np.nan)
        alarms, detected = false / all_false, true / all_true
    band = np.full((len(normal), len(rates)), np.nan)
    for number in np.flatnonzero(np.isfinite(auc)):
        few = np.searchsorted(alarms[number], rates * (1 + 1e-12), "right")
        band[number] = np.append(0.0, detected[number])[few]
    return np.stack([auc, precision]), band


def _quantiles(values: Rates, blocks: int) -> tuple[Rates, Rates]:
    """Return the ends of the intervals of draws, axes (draw, ...); undefined ones do not count."""
    from scipy.special import ndtr, stdtrit

    t = stdtrit(blocks - 1, (1 + LEVEL) / 2)
    tail = float(ndtr(-np.sqrt(blocks / (blocks - 1)) * t))
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return np.asarray(low), np.asarray(high)


def _interval(values: Rates, blocks: int) -> Interval | None:
    low, high = map(float, _quantiles(values, blocks))
    return Interval(low, high) if low < high else None


def _compressed(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distinct numbers, ascending, and which of them each one is."""
    held = np.flatnonzero(np.bincount(numbers))
    place = np.zeros(held[-1] + 1, np.int64)
    place[held] = np.arange(len(held))
    return held, place[numbers]
