"""Metrics of scores against labels: how well they separate anomalous from normal pixels.

Scores and labels have one entry per pixel, any shape; a NaN score or label is no data and does not
count.  Rates are shares in [0, 1].  scikit-learn computes them; a detection rate at a false-alarm
rate is read from its ROC without interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")


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


def measure(
    labels: NDArray[np.floating], scores: NDArray[np.floating], threshold: float | None = None
) -> Metrics:
    """Compare scores with labels: above 0 is anomalous, 0 normal, NaN unknown.

    Scores above the threshold are flagged; without one, the metrics at the threshold are NaN.
    Where labels of one class leave a metric undefined, it is NaN, and the reason is given.
    """
    valid = np.isfinite(labels) & np.isfinite(scores)
    truth, score = labels[valid] > 0, scores[valid]
    values = _ranking(truth, score)
    if threshold is not None:
        values |= _decisions(truth, score, threshold)
    return Metrics(pixels=int(truth.size), anomalous=int(truth.sum()), **values)


def _ranking(truth: NDArray[np.bool_], score: NDArray[np.floating]) -> dict[str, Any]:
    from sklearn import metrics

    if truth.all() or not truth.any():
        return {"reason": _one_class(truth)}
    fpr, tpr, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(truth, score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return {
        "roc_auc": float(metrics.roc_auc_score(truth, score)),
        "average_precision": float(metrics.average_precision_score(truth, score)),
        "tpr_at_fpr_1e2": float(tpr[fpr <= 1e-2].max()),
        "tpr_at_fpr_1e3": float(tpr[fpr <= 1e-3].max()),
        "best_f1": float(f1.max()),
    }


def _decisions(
    truth: NDArray[np.bool_], score: NDArray[np.floating], threshold: float
) -> dict[str, Any]:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    if not truth.size:
        return {"threshold": threshold}
    flagged = score > threshold
    (tn, fp), (fn, tp) = confusion_matrix(truth, flagged, labels=[False, True])
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, flagged, average="binary", pos_label=True, zero_division=np.nan
    )
    return {
        "threshold": threshold,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "true_positive": int(tp),
        "false_positive": int(fp),
        "false_negative": int(fn),
        "true_negative": int(tn),
    }


def _one_class(truth: NDArray[np.bool_]) -> str:
    if not truth.size:
        return "no pixel has both a score and a label"
    if truth.all():
        return f"all {truth.size} labelled pixels are anomalous (is 0 the labels' nodata value?)"
    return f"all {truth.size} labelled pixels are normal"


def table(rows: Mapping[str, Metrics]) -> pd.DataFrame:
    """Return the metrics of several detectors as a table, one row each, in their order."""
    import pandas as pd

    data = [asdict(metrics) for metrics in rows.values()]
    return pd.DataFrame(data, index=pd.Index(rows, name="detector"))
