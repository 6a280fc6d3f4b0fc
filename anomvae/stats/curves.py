"""Curves of scores against labels: receiver operating characteristic, and precision-recall.

From the counts at each rank, highest score first, with TP anomalous and FP normal pixels at or
above it::

    detection rate = recall = TP / anomalous     false-alarm rate = FP / normal
    precision = TP / (TP + FP)

These are the points of scikit-learn's ``roc_curve`` and ``precision_recall_curve``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranks import RankCounts

Rates = NDArray[np.float64]
Numbers = NDArray[np.int64]

POINTS = 1000
"""Points of a curve, at most."""


@dataclass(frozen=True, eq=False)
class Curve:
    """How many anomalous and normal pixels lie at or above thresholds, from high to low."""

    false_alarms: Rates
    """Share of the normal pixels, ascending from 0 to 1, shape (n,)."""
    detected: Rates
    """Share of the anomalous pixels, the recall, ascending from 0 to 1, shape (n,)."""
    precision: Rates
    """Share of anomalous ones among all pixels; 1 at the first point, above all scores."""


@dataclass
class CurveCollector:
    """Collects the points of a curve from ranges of ranks, highest first.

    Points are kept at even steps of the detection rate and of the logarithm of the false-alarm
    rate, so that both ends stay; what is kept is exact.
    """

    normal: int
    """Number of normal pixels, not 0."""
    anomalous: int
    """Number of anomalous pixels, not 0."""
    points: int = POINTS
    """Points, at most."""

    def __post_init__(self) -> None:
        """Begin above all scores."""
        self._kept = [np.zeros((2, 1), np.int64)]
        self._before = np.zeros(2, np.int64)
        half = self.points // 2 - 1
        self._detected = np.linspace(0, self.anomalous, half)
        self._alarms = np.geomspace(1, self.normal, half)

    def add(self, false: Numbers, true: Numbers) -> None:
        """Add FP and TP at each rank of a range, from its highest score down."""
        if not len(false):
            return
        before, self._before = self._before, np.array([false[-1], true[-1]])
        steps = np.flatnonzero(np.diff(false + true, prepend=before.sum()) > 0)
        false, true = false[steps], true[steps]
        ends = len(false) > 0 and (false[-1], true[-1]) == (self.normal, self.anomalous)
        if len(false) >= self.points or before.any() or not ends:
            false, true = self._thinned(false, true, before, ends=ends)
        if len(false):
            self._kept.append(np.stack([false, true]))

    def _thinned(
        self, false: Numbers, true: Numbers, before: Numbers, *, ends: bool
    ) -> tuple[Numbers, Numbers]:
        """Keep the points that are wanted of a range, and the last one of all."""
        kept = [np.array([len(false) - 1] if ends else [], np.int64)]
        for values, targets, first in (
            (true, self._detected, before[1]),
            (false, self._alarms, before[0]),
        ):
            reached = values[-1] if len(values) else first
            inside = targets[(targets > first) & (targets <= reached)]
            kept.append(np.searchsorted(values, inside))
        some = np.unique(np.concatenate(kept))
        return false[some], true[some]

    def curve(self) -> Curve:
        """Return the curve of all that was added."""
        false, true = np.concatenate(self._kept, axis=1)
        precision = np.where(false + true > 0, true / np.maximum(false + true, 1), 1.0)
        return Curve(false / self.normal, true / self.anomalous, precision)


def curve_of(counts: RankCounts, points: int = POINTS) -> Curve | None:
    """Return the curve of ranked pixels, thinned to at most ``points``; None for one class."""
    if not counts.normal.any() or not counts.anomalous.any():
        return None
    collector = CurveCollector(int(counts.normal.sum()), int(counts.anomalous.sum()), points)
    collector.add(np.cumsum(counts.normal[::-1]), np.cumsum(counts.anomalous[::-1]))
    return collector.curve()
