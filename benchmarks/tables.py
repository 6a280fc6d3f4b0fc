"""Rows of a ledger as Markdown: a table for each metric, with a line for each scene.

The metric of a scene is the mean over the seeds; a mean over scenes has its standard deviation over
the seeds after ``±``, if there are several.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.ledger import Row
from benchmarks.published import NOTE, PUBLISHED, PublishedAuc

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "roc_auc": "AUC",
    "average_precision": "AP (average precision)",
    "tpr_at_fpr_1e3": "TPR at FPR 1e-3",
    "tpr_at_fpr_1e2": "TPR at FPR 1e-2",
}
TIMES_NOTE = (
    "Seconds: to fit and to score a scene. Flagged: share of the pixels above the detector's own "
    "threshold (configurations: their rule; baselines: mean + 3 sigma; PyOD: a tenth of what it "
    "is fitted on)."
)


def markdown(rows: Sequence[Row], excluded: Collection[str] = ()) -> str:
    """Write all tables.

    Parameters
    ----------
    rows : sequence of Row
        At least one, of one mode.
    excluded : collection of str
        Scenes that a second mean excludes.
    """
    import pandas as pd

    table = pd.DataFrame([asdict(row) for row in rows])
    parts = [f"### {title}\n\n{_metric(table, name, excluded)}" for name, title in METRICS.items()]
    parts.append(f"### Threshold and time\n\n{_times(table)}\n\n{TIMES_NOTE}")
    return "\n\n".join(parts)


def beside_published(rows: Sequence[Row], ours: Sequence[str]) -> str:
    """Write the published AUC of the same scenes beside those of our configurations.

    Parameters
    ----------
    rows : sequence of Row
        Of mode ``whole``.
    ours : sequence of str
        Names of our configurations.
    """
    import pandas as pd

    table = pd.DataFrame([asdict(row) for row in rows])
    means = table.groupby(["scene", "detector"], sort=False)["roc_auc"].mean()
    head = ["scene", "RX here", "RX there", "best classical", "best deep", *ours, "behind"]
    scenes = table["scene"].unique()
    lines = [_published_line(scene, means[scene].to_dict(), ours) for scene in scenes]
    return f"### Beside published figures, AUC\n\n{as_table(head, lines)}\n\n{NOTE}"


def _published_line(scene: str, aucs: Mapping[str, float], ours: Sequence[str]) -> list[str]:
    own = [_number(aucs[name]) for name in ours]
    here = _number(aucs.get("rx", math.nan))
    if scene not in PUBLISHED:
        return [scene, here, "", "none known", "none known", *own, ""]
    published = PUBLISHED[scene]
    best = max(figure.value for figure in (*published.classical, *published.deep))
    behind = best - max(aucs[name] for name in ours)
    bests = [_best(published.classical), _best(published.deep)]
    return [scene, here, ", ".join(published.rx), *bests, *own, f"{behind:+.4f}"]


def _best(figures: Iterable[PublishedAuc]) -> str:
    ordered = sorted(figures, key=lambda figure: -figure.value)
    return (
        f"{ordered[0].method} {ordered[0].auc} ({ordered[0].source})" if ordered else "none known"
    )


def _metric(table: pd.DataFrame, name: str, excluded: Collection[str]) -> str:
    detectors = list(table["detector"].unique())
    cells = table.groupby(["scene", "detector"], sort=False)[name].mean().unstack("detector")
    lines = [[scene, *map(_number, cells.loc[scene, detectors])] for scene in cells.index]
    lines.append([f"**mean of {len(cells)}**", *_means(table, name)])
    lines.append(["**worst**", *map(_number, cells[detectors].min())])
    rest = table[~table["scene"].isin(excluded)]
    if 0 < len(rest) < len(table):
        without = ", ".join(scene for scene in cells.index if scene in excluded)
        label = f"**mean of {rest['scene'].nunique()}**, without {without}"
        lines.append([label, *_means(rest, name)])
    return as_table(["scene", *detectors], lines)


def _means(table: pd.DataFrame, name: str) -> list[str]:
    """Write the mean of each detector over scenes, then over seeds."""
    by_seed = table.groupby(["detector", "seed"], sort=False)[name].mean()
    return [mean_and_std(by_seed[detector]) for detector in table["detector"].unique()]


def mean_and_std(values: pd.Series[float]) -> str:
    """Write the mean over seeds, and the standard deviation if there are several."""
    return _number(values.mean()) + (f" ± {values.std():.4f}" if len(values) > 1 else "")


def _times(table: pd.DataFrame) -> str:
    head = ["detector", "seeds", "flagged, median", "flagged, range", "seconds, median", "to fit"]
    lines = []
    for detector, rows in table.groupby("detector", sort=False):
        flagged, seeds = rows["flagged"], str(rows["seed"].nunique())
        between = f"{flagged.min():.1%} to {flagged.max():.1%}"
        seconds = [f"{rows[name].median():.2f}" for name in ("seconds", "fit_seconds")]
        lines.append([str(detector), seeds, f"{flagged.median():.1%}", between, *seconds])
    return as_table(head, lines)


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.4f}"


def as_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
