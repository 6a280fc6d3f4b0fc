"""Everything that is measured of one map of scores: a row of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..stats.block_bootstrap import BlockGrid, Draws, count_blocks, draw, edges_of
from ..stats.curves import Curve
from ..stats.intervals import Intervals
from ..stats.metrics import Metrics, measure_ranks
from ..stats.ranks import BinCounter, BinCounts, valid_parts
from ..stats.roc3d import Roc3D, TauSums
from .found import ObjectMetrics, count_objects
from .labelled import ANOMALOUS, FLAGGED, LABELLED, SCORED, Codes, Flagger, LabelledMap
from .options import EvaluateOptions


@dataclass(frozen=True, eq=False)
class Row:
    """What was measured of a map."""

    metrics: Metrics
    """Metrics of its pixels."""
    curve: Curve | None
    """ROC and precision-recall; None where the labels are of one class."""
    roc3d: Roc3D
    """Areas under the projections of its 3D ROC."""
    objects: ObjectMetrics | None
    """Metrics of its objects; None without a threshold."""
    drawn: Draws | None
    """Its draws of blocks; None where the labels are of one class, or none are wanted."""

    @property
    def intervals(self) -> Intervals | None:
        """Intervals of its metrics; None where the labels are of one class."""
        return None if self.drawn is None else self.drawn.intervals


def measured_row(
    ours: LabelledMap,
    flagger: Flagger | None,
    options: EvaluateOptions,
    first: Row | None = None,
) -> Row:
    """Measure a map; it is read four times, and memory does not grow with it.

    ``first`` is the row that this one is compared with, of the same pixels.
    """
    bins, taus = _counted(ours, options)
    measured = measure_ranks(lambda: ours.pairs("rank"), bins)
    metrics, objects = measured.metrics, None
    if flagger is not None:
        counter = _Confusion(ours.codes(flagger))
        objects = count_objects(counter, ours.shape[1], options.overlap)
        metrics = metrics.at(flagger.threshold, counter.counts)
    drawn = None
    if options.draws and not bins.of_one_class:
        before = None if first is None else first.drawn
        drawn = _drawn(ours, bins, metrics, options, before, objects)
    roc3d = taus.measures(bins, metrics.roc_auc)
    return Row(metrics, measured.curve, roc3d, objects, drawn)


def _counted(ours: LabelledMap, options: EvaluateOptions) -> tuple[BinCounts, TauSums]:
    counter, taus = BinCounter(), TauSums(options.tau)
    for truth, scores in valid_parts(ours.pairs("survey")):
        counter.add(truth, scores)
        taus.add(truth, scores)
    return counter.finish(), taus


def _drawn(
    ours: LabelledMap,
    bins: BinCounts,
    metrics: Metrics,
    options: EvaluateOptions,
    first: Draws | None,
    objects: ObjectMetrics | None,
) -> Draws:
    """Draw blocks; without a threshold the objects of the labels are counted for it."""
    if objects is None:
        nothing = Flagger(np.inf, lambda tile, scores: np.zeros(tile.shape, np.bool_))
        objects = count_objects(ours.codes(nothing), ours.shape[1], options.overlap)
    grid = BlockGrid.of(ours.shape, options.block)
    counts = count_blocks(ours.parts("resample"), edges_of(bins), grid)
    estimates = metrics.roc_auc, metrics.average_precision
    return draw(
        counts, estimates, options.draws, options.seed, objects=objects.labelled, first=first
    )


class _Confusion:
    """Codes of whole rows that pass by, counted: which labelled pixels are flagged."""

    def __init__(self, strips: Iterator[Codes]) -> None:
        self._strips = strips
        self.counts = np.zeros((2, 2), np.int64)
        """Numbers of pixels, axes (anomalous, flagged)."""

    def __iter__(self) -> Iterator[Codes]:
        for codes in self._strips:
            number = np.bincount(codes.ravel(), minlength=16)
            known = SCORED + LABELLED
            self.counts += number[
                [[known, known + FLAGGED], [known + ANOMALOUS, known + ANOMALOUS + FLAGGED]]
            ]
            yield codes
