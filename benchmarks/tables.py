"""Rows of a ledger as Markdown: a table for each figure, scenes below each other.

Figures of a scene are means over the seeds; a mean over scenes comes with its standard deviation
over the seeds, after ``±``, where there are several.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.ledger import Row
from benchmarks.published import NOTE, PUBLISHED, Figure

if TYPE_CHECKING:
    import pandas as pd

FIGURES = {
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


def markdown(rows: Sequence[Row], aside: Collection[str] = ()) -> str:
    """Write all tables.

    Parameters
    ----------
    rows : sequence of Row
        At least one, of one mode.
    aside : collection of str
        Scenes that a second mean leaves out.
    """
    import pandas as pd

    table = pd.DataFrame([asdict(row) for row in rows])
    parts = [f"### {title}\n\n{_figure(table, name, aside)}" for name, title in FIGURES.items()]
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


def _published_line(scene: str, found: Mapping[str, float], ours: Sequence[str]) -> list[str]:
    own = [_number(found[name]) for name in ours]
    here = _number(found.get("rx", math.nan))
    if scene not in PUBLISHED:
        return [scene, here, "", "none seen", "none seen", *own, ""]
    known = PUBLISHED[scene]
    best = max(figure.value for figure in (*known.classical, *known.deep))
    behind = best - max(found[name] for name in ours)
    there = ", ".join(known.rx)
    return [scene, here, there, _best(known.classical), _best(known.deep), *own, f"{behind:+.4f}"]


def _best(figures: Iterable[Figure]) -> str:
    ordered = sorted(figures, key=lambda figure: -figure.value)
    return f"{ordered[0].method} {ordered[0].auc} ({ordered[0].source})" if ordered else "none seen"


def _figure(table: pd.DataFrame, name: str, aside: Collection[str]) -> str:
    detectors = list(table["detector"].unique())
    cells = table.groupby(["scene", "detector"], sort=False)[name].mean().unstack("detector")
    lines = [[scene, *map(_number, cells.loc[scene, detectors])] for scene in cells.index]
    lines.append([f"**mean of {len(cells)}**", *_means(table, name)])
    lines.append(["**worst**", *map(_number, cells[detectors].min())])
    rest = table[~table["scene"].isin(aside)]
    if 0 < len(rest) < len(table):
        without = ", ".join(scene for scene in cells.index if scene in aside)
        label = f"**mean of {rest['scene'].nunique()}**, without {without}"
        lines.append([label, *_means(rest, name)])
    return as_table(["scene", *detectors], lines)


def _means(table: pd.DataFrame, name: str) -> list[str]:
    """Average over the scenes of each seed, then over the seeds."""
    by_seed = table.groupby(["detector", "seed"], sort=False)[name].mean()
    return [spread(by_seed[detector]) for detector in table["detector"].unique()]


def spread(values: pd.Series[float]) -> str:
    """Write a mean over seeds, and the standard deviation where there are several."""
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
    """Write a table: its head, and its rows."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
