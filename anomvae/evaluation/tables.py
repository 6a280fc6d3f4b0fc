"""The tables of evaluations and comparisons: what their rows and columns are."""

from __future__ import annotations

from collections.abc import Iterator

from ..stats.intervals import Difference
from .comparison import Comparison
from .evaluation import Evaluation
from .table import Cells, Table, interval_text, number_text, short_name

METRICS = {
    "roc_auc": "ROC AUC",
    "average_precision": "AP",
    "tpr_at_fpr_1e2": "TPR@1e-2",
    "tpr_at_fpr_1e3": "TPR@1e-3",
    "best_f1": "best F1",
    "precision": "prec.",
    "recall": "recall",
    "f1": "F1",
}
"""Metrics of pixels, with their titles."""
MEASURES = {
    "auc_d_f": "D,F",
    "auc_d_tau": "D,tau",
    "auc_f_tau": "F,tau",
    "td": "TD",
    "bs": "BS",
    "tdbs": "TDBS",
    "od": "OD",
    "odp": "ODP",
    "snpr": "SNPR",
}
"""Measures of the 3D ROC, with their titles."""


def tables_of(result: Evaluation | Comparison) -> list[Table]:
    """Return the tables of a result, the most important one first."""
    if isinstance(result, Evaluation):
        return list(_of_scene(result))
    if len(result.scenes) == 1:
        rest = [table for table in _of_scene(result.scenes[0]) if "AUC - first" not in table.header]
        return [_one_scene(result), *rest]
    return [_several_scenes(result), _areas(result)]


def _of_scene(scene: Evaluation) -> Iterator[Table]:
    first = next(iter(scene.rows.values()))
    yield Table(
        "",
        ("", *METRICS.values()),
        [
            (name, *(number_text(getattr(row, metric)) for metric in METRICS))
            for name, row in scene.rows.items()
        ],
        (
            f"{first.anomalous} of {first.pixels} labelled pixels are anomalous",
            *([f"NaN: {first.reason}"] if first.reason else []),
        ),
    )
    if scene.intervals:
        yield _intervals(scene)
    if any(each.labelled or each.flagged for each in scene.objects.values()):
        yield _objects(scene)
    if any(not each.reason for each in scene.roc3d.values()):
        yield _roc3d(scene)


def _intervals(scene: Evaluation) -> Table:
    apart = scene.differences
    return Table(
        f"95 % intervals, by {_draws(scene)}",
        ("", "ROC AUC", "AP", *(["AUC - first", "interval"] if apart else [])),
        [
            (
                name,
                interval_text(each.roc_auc),
                interval_text(each.average_precision),
                *(_apart(apart.get(name)) if apart else ()),
            )
            for name, each in scene.intervals.items()
        ],
        _missing_intervals(scene),
    )


def _draws(scene: Evaluation) -> str:
    """Return how the intervals of a scene were drawn."""
    first = next(iter(scene.intervals.values()))
    noun = "block" if first.blocks == 1 else "blocks"
    return (
        f"{first.draws} draws of {first.blocks} {noun} of {first.side} x {first.side} pixels "
        f"(seed {first.seed})"
    )


def _missing_intervals(scene: Evaluation) -> list[str]:
    """Return why there are no intervals, once where the reason is the same for all."""
    reasons = {name: each.reason for name, each in scene.intervals.items()}
    if len(set(reasons.values())) == 1:
        return [f"no interval: {reason}" for reason in set(reasons.values()) if reason]
    return [f"no interval of {name}: {reason}" for name, reason in reasons.items() if reason]


def _apart(difference: Difference | None) -> Cells:
    if difference is None:
        return "", ""
    interval = interval_text(difference.roc_auc_interval, sign=True)
    return number_text(difference.roc_auc, sign=True), interval


def _objects(scene: Evaluation) -> Table:
    overlap = next(iter(scene.objects.values())).overlap
    least = f"{overlap:g} of their pixels" if overlap else "one pixel"
    return Table(
        f"Objects that overlap by {least} or more",
        ("", "found", "recall", "true", "precision", "F1", "IoU F1", "mean overlap"),
        [
            (
                name,
                f"{each.found}/{each.labelled}",
                number_text(each.recall),
                f"{each.true}/{each.flagged}",
                number_text(each.precision),
                number_text(each.f1),
                number_text(each.iou_f1),
                number_text(each.mean_overlap),
            )
            for name, each in scene.objects.items()
        ],
    )


def _roc3d(scene: Evaluation) -> Table:
    kind = next(iter(scene.roc3d.values())).normalisation
    reasons = [f"{name}: {each.reason}" for name, each in scene.roc3d.items() if each.reason]
    return Table(
        f"3D ROC (Chang 2021), scores normalised by {kind}",
        ("", *MEASURES.values()),
        [
            (name, *(number_text(value, places=3) for value in each.measures().values()))
            for name, each in scene.roc3d.items()
        ],
        reasons,
    )


def _one_scene(result: Comparison) -> Table:
    scene = result.scenes[0]
    by = f", 95 % intervals by {_draws(scene)}" if scene.intervals else ""
    return Table(
        f"{scene.scene}: difference of the ROC AUC to {next(iter(scene.rows))}{by}",
        ("", "ROC AUC", "interval", "AP", "F1", "difference", "interval"),
        [
            (
                name,
                number_text(row.roc_auc),
                interval_text(scene.intervals[name].roc_auc if name in scene.intervals else None),
                number_text(row.average_precision),
                number_text(row.f1),
                *_apart(scene.differences.get(name)),
            )
            for name, row in scene.rows.items()
        ],
        _missing_intervals(scene),
    )


def _several_scenes(result: Comparison) -> Table:
    first = next(iter(result.summaries))
    reasons = {each.reason for name, each in result.summaries.items() if name != first}
    return Table(
        f"{len(result.scenes)} scenes: means, and differences of the ROC AUC to {first}",
        ("", "rank", "ROC AUC", "AP", "F1", "recall", "prec.", "diff.", "95 % interval"),
        [
            (
                name,
                number_text(each.rank, places=2),
                number_text(each.roc_auc),
                number_text(each.average_precision),
                number_text(each.f1),
                number_text(each.object_recall, places=3),
                number_text(each.object_precision, places=3),
                number_text(each.difference, sign=True) if number else "",
                interval_text(each.interval, sign=True) if number else "",
            )
            for number, (name, each) in enumerate(result.summaries.items())
        ],
        ("recall, prec.: of the objects of all scenes", *filter(None, sorted(reasons))),
    )


def _areas(result: Comparison) -> Table:
    return Table(
        "ROC AUC of each scene",
        ("", *map(short_name, result.summaries)),
        [
            (scene.scene, *(number_text(row.roc_auc) for row in scene.rows.values()))
            for scene in result.scenes
        ],
    )
