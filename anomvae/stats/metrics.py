"""Metrics of scores against labels: how well they separate anomalous from normal pixels.

Scores and labels have one entry per pixel, any shape; a NaN score or label is no data and does not
count.  Rates are shares in [0, 1].  They are computed from the numbers of pixels at each rank
(`ranks`), which stand for any number of pixels, as scikit-learn defines them: an area is that of
``roc_auc_score``, the average precision that of ``average_precision_score``.  A detection rate at a
false-alarm rate is read from the ROC without interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, CurveCollector
from .ranks import (
    MAX_EDGES,
    BinCounts,
    Pairs,
    RankCounts,
    count_bins,
    rank_ranges,
    valid_parts,
)

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")

RATES = (1e-2, 1e-3)
"""False-alarm rates at which the detection rate is given."""


@dataclass(frozen=True)
class Metrics:
    """Metrics of scores against labels."""

    pixels: int
    """Pixels that have a score and a label."""
    anomalous: int
    """Pixels among them with an anomalous label."""
    roc_auc: float = NAN
    """Area under the receiver operating characteristic."""
    average_precision: float = NAN
    """Area under precision against recall; compare it with ``anomalous / pixels``."""
    tpr_at_fpr_1e2: float = NAN
    """Detection rate at a false-alarm rate of at most 1e-2."""
    tpr_at_fpr_1e3: float = NAN
    """Detection rate at a false-alarm rate of at most 1e-3."""
    best_f1: float = NAN
    """Largest F1 of any threshold: an upper bound, chosen with the labels."""
    threshold: float = NAN
    """The threshold of the metrics that follow."""
    precision: float = NAN
    """Share of flagged pixels that are anomalous."""
    recall: float = NAN
    """Share of anomalous pixels that are flagged."""
    f1: float = NAN
    """Harmonic mean of precision and recall."""
    true_positive: int = 0
    """Anomalous pixels flagged."""
    false_positive: int = 0
    """Normal pixels flagged."""
    false_negative: int = 0
    """Anomalous pixels missed."""
    true_negative: int = 0
    """Normal pixels not flagged."""
    reason: str = ""
    """Why a metric is NaN."""

    def at(self, threshold: float, counts: NDArray[np.int64]) -> Metrics:
        """Return these metrics with those at a threshold.

        ``counts`` are numbers of pixels, axes (anomalous, flagged), each (no, yes).
        """
        (true_negative, false_positive), (false_negative, true_positive) = counts.tolist()
        flagged, anomalous = true_positive + false_positive, true_positive + false_negative
        return replace(
            self,
            threshold=threshold,
            precision=ratio(true_positive, flagged),
            recall=ratio(true_positive, anomalous),
            f1=ratio(2 * true_positive, flagged + anomalous),
            true_positive=true_positive,
            false_positive=false_positive,
            false_negative=false_negative,
            true_negative=true_negative,
        )


class Measured(NamedTuple):
    """What scores are worth, given labels."""

    metrics: Metrics
    """The metrics."""
    curve: Curve | None
    """The curve; None where the labels are of one class."""


def measure(
    labels: NDArray[np.floating], scores: NDArray[np.floating], threshold: float | None = None
) -> Metrics:
    """Compare scores with labels: above 0 is anomalous, 0 normal, NaN unknown.

    Scores above the threshold are flagged; without one, the metrics at the threshold are NaN.
    Where labels of one class leave a metric undefined, it is NaN, and the reason is given.
    """
    return measure_stream(lambda: [(labels, scores)], threshold)


def measure_stream(
    pairs: Pairs, threshold: float | None = None, *, max_edges: int = MAX_EDGES
) -> Metrics:
    """Compare a stream of labels and scores, as `measure` compares two arrays."""
    return measure_with_curve(pairs, threshold, max_edges=max_edges).metrics


def measure_with_curve(
    pairs: Pairs, threshold: float | None = None, *, max_edges: int = MAX_EDGES
) -> Measured:
    """Compare a stream of labels and scores as `measure_stream` does, and return the curve, too.

    The stream is read three times, and more often where anomalous pixels have more distinct scores
    than are held at a time (see `rank_ranges`).  Memory does not grow with it.
    """
    measured = measure_ranks(pairs, count_bins(pairs, max_edges), max_edges)
    if threshold is None:
        return measured
    counts = np.zeros((2, 2), np.int64)  # axes (anomalous, flagged)
    for truth, score in valid_parts(pairs()):
        counts += np.bincount(2 * truth + (score > threshold), minlength=4).reshape(2, 2)
    return Measured(measured.metrics.at(threshold, counts), measured.curve)


def measure_ranks(pairs: Pairs, bins: BinCounts, max_edges: int = MAX_EDGES) -> Measured:
    """Return what ranks alone give, of a stream whose bins are counted, and the curve."""
    normal, anomalous = bins.normal, bins.anomalous
    if bins.of_one_class:
        reason = _one_class(normal + anomalous, anomalous)
        return Measured(Metrics(normal + anomalous, anomalous, reason=reason), None)
    walk = _Walk(normal, anomalous)
    for counts in rank_ranges(pairs, bins, max_edges):
        walk.add(counts)
    return Measured(walk.metrics(), walk.curve.curve())


class _Walk:
    """Walks through ranks from the highest score down, and adds up what metrics need."""

    def __init__(self, normal: int, anomalous: int) -> None:
        self.normal, self.anomalous = normal, anomalous
        self.curve = CurveCollector(normal, anomalous)
        self._false = self._true = 0
        self._won = 0  # twice the pairs in which the anomalous pixel ranks higher
        self._precision = self._best_f1 = 0.0
        self._detected = dict.fromkeys(RATES, 0)

    def add(self, counts: RankCounts) -> None:
        normal, anomalous = counts.normal[::-1], counts.anomalous[::-1]
        false, true = self._false + np.cumsum(normal), self._true + np.cumsum(anomalous)
        self._won += int((anomalous * (2 * (self.normal - false) + normal)).sum())
        at = np.flatnonzero(anomalous)
        self._precision += float((anomalous[at] * (true[at] / (true[at] + false[at]))).sum())
        f1 = 2 * true / (true + false + self.anomalous)
        self._best_f1 = max(self._best_f1, float(f1.max()))
        for rate in RATES:
            few = int(np.searchsorted(false / self.normal, rate, "right"))
            if few:
                self._detected[rate] = int(true[few - 1])
        self.curve.add(false, true)
        self._false, self._true = int(false[-1]), int(true[-1])

    def metrics(self) -> Metrics:
        one, other = (self._detected[rate] / self.anomalous for rate in RATES)
        return Metrics(
            pixels=self.normal + self.anomalous,
            anomalous=self.anomalous,
            roc_auc=self._won / (2 * self.normal * self.anomalous),
            average_precision=self._precision / self.anomalous,
            tpr_at_fpr_1e2=one,
            tpr_at_fpr_1e3=other,
            best_f1=self._best_f1,
        )


def ratio(part: int, whole: int) -> float:
    """Return a part of a whole; NaN of nothing."""
    return part / whole if whole else NAN


def _one_class(pixels: int, anomalous: int) -> str:
    if not pixels:
        return "no pixel has both a score and a label"
    if anomalous:
        return f"all {pixels} labelled pixels are anomalous (is 0 the labels' nodata value?)"
    return f"all {pixels} labelled pixels are normal"


def table(rows: Mapping[str, Metrics]) -> pd.DataFrame:
    """Return the metrics of several detectors as a table, one row each, in their order.

    Counts of pixels follow the metrics, so that these are what a narrow print shows.
    """
    import pandas as pd

    data = [asdict(metrics) for metrics in rows.values()]
    frame = pd.DataFrame(data, index=pd.Index(rows, name="detector"))
    counts = ["pixels", "anomalous"]
    return frame[[name for name in frame if name not in {*counts, "reason"}] + [*counts, "reason"]]
