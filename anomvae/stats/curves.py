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


def curve_of(counts: RankCounts, points: int = POINTS) -> Curve | None:
    """Return the curve of ranked pixels, thinned to at most ``points``; None for one class.

    Points are kept at even steps of the detection rate and of the logarithm of the false-alarm
    rate, so that both ends stay; what is kept is exact.
    """
    if not counts.normal.any() or not counts.anomalous.any():
        return None
    used = (counts.normal + counts.anomalous)[::-1] > 0
    false, true = (
        np.concatenate([[0], np.cumsum(part[::-1])[used]])
        for part in (counts.normal, counts.anomalous)
    )
    kept = _thinned(false, true, points)
    false, true = false[kept], true[kept]
    precision = np.where(false + true > 0, true / np.maximum(false + true, 1), 1.0)
    return Curve(false / false[-1], true / true[-1], precision)


def _thinned(false: NDArray[np.int64], true: NDArray[np.int64], points: int) -> NDArray[np.int64]:
    """Return the indexes of the points that are kept, ascending, the ends among them."""
    if len(false) <= points:
        return np.arange(len(false))
    half = points // 2 - 1
    rates = np.searchsorted(true, np.linspace(0, true[-1], half))
    alarms = np.searchsorted(false, np.geomspace(1, false[-1], half))
    return np.unique(np.concatenate([[0], rates, alarms, [len(false) - 1]]))
