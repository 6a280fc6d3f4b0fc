"""Metrics of scores against labels: how well they separate anomalous from normal pixels.

Scores and labels have one entry per pixel, any shape; a NaN score or label is no data and does not
count.  Rates are shares in [0, 1].  scikit-learn computes them from `RankCounts`, which stand for
any number of pixels; a detection rate at a false-alarm rate is read from its ROC without
interpolation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, curve_of
from .ranks import MAX_EDGES, Pairs, RankCounts, count_ranks, valid_parts

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")

Flagged = Callable[[], Iterable[tuple[NDArray[np.floating], NDArray[np.bool_]]]]
"""Starts to read labels and flags in parts; a label is NaN where there is no score."""


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
    pairs: Pairs,
    threshold: float | None = None,
    *,
    flagged: Flagged | None = None,
    max_edges: int = MAX_EDGES,
) -> Metrics:
    """Compare a stream of labels and scores, as `measure` compares two arrays.

    ``flagged`` gives the flags at the threshold, where these are not all scores above it.

    The stream is read three times at most.  In memory are one part and the ranks of the anomalous
    pixels (see `count_ranks`), whatever the number of normal pixels.
    """
    return measure_with_curve(pairs, threshold, flagged=flagged, max_edges=max_edges).metrics


def measure_with_curve(
    pairs: Pairs,
    threshold: float | None = None,
    *,
    flagged: Flagged | None = None,
    max_edges: int = MAX_EDGES,
) -> Measured:
    """Compare a stream of labels and scores as `measure_stream` does, and return the curve, too."""
    counts = count_ranks(pairs, max_edges)
    values = _ranking(counts)
    if threshold is not None:
        parts = _above(pairs(), threshold) if flagged is None else valid_parts(flagged())
        values |= _decisions(parts, threshold)
    normal, anomalous = int(counts.normal.sum()), int(counts.anomalous.sum())
    metrics = Metrics(pixels=normal + anomalous, anomalous=anomalous, **values)
    return Measured(metrics, curve_of(counts))


def _ranking(counts: RankCounts) -> dict[str, Any]:
    from sklearn import metrics

    if not counts.normal.any() or not counts.anomalous.any():
        return {"reason": _one_class(counts)}
    pixels = np.concatenate([counts.normal, counts.anomalous])
    truth, rank = np.divmod(np.flatnonzero(pixels), len(counts.normal))
    weight = pixels[pixels > 0]
    fpr, tpr, _ = metrics.roc_curve(truth, rank, sample_weight=weight, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(truth, rank, sample_weight=weight)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return {
        "roc_auc": float(metrics.auc(fpr, tpr)),
        "average_precision": float(-np.sum(np.diff(recall) * precision[:-1])),
        "tpr_at_fpr_1e2": float(tpr[fpr <= 1e-2].max()),
        "tpr_at_fpr_1e3": float(tpr[fpr <= 1e-3].max()),
        "best_f1": float(f1.max()),
    }


def _above(
    pairs: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]], threshold: float
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    return ((truth, score > threshold) for truth, score in valid_parts(pairs))


def _decisions(
    parts: Iterable[tuple[NDArray[np.bool_], NDArray[Any]]], threshold: float
) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    counts = np.zeros((2, 2), np.int64)  # axes (anomalous, flagged)
    for truth, flags in parts:
        counts += np.bincount(2 * truth + flags, minlength=4).reshape(2, 2)
    if not counts.any():
        return {"threshold": threshold}
    precision, recall, f1, _ = precision_recall_fscore_support(
        [False, False, True, True],
        [False, True, False, True],
        sample_weight=counts.ravel(),
        average="binary",
        pos_label=True,
        zero_division=np.nan,
    )
    return {
        "threshold": threshold,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "true_positive": int(counts[1, 1]),
        "false_positive": int(counts[0, 1]),
        "false_negative": int(counts[1, 0]),
        "true_negative": int(counts[0, 0]),
    }


def _one_class(counts: RankCounts) -> str:
    pixels = int(counts.normal.sum() + counts.anomalous.sum())
    if not pixels:
        return "no pixel has both a score and a label"
    if counts.anomalous.any():
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
