"""Curves of an evaluation: receiver operating characteristic, and precision against recall."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import NotEnoughPixels
from .axes import PAGE, line_style, styled

if TYPE_CHECKING:
    from ..evaluation import Evaluation

HEIGHT, ENTRY = 2.8, 0.16
"""Height of the axes, and of a line of a legend, inches."""
COLUMNS = 2
"""Columns of a legend."""


@styled()
def curves_figure(evaluation: Evaluation) -> Figure:
    """Draw the curves of every detector of an evaluation, with their areas in the legends.

    The false-alarm rate is logarithmic, from one normal pixel to all: maps are used at its low end.
    The dotted lines are what random scores reach.

    Raises
    ------
    NotEnoughPixels
        If no detector has a curve, as labels of one class leave it undefined.
    """
    if not evaluation.curves:
        reason = next(iter(evaluation.rows.values())).reason
        raise NotEnoughPixels(f"There is no curve to draw: {reason}.")
    lines = math.ceil(len(evaluation.curves) / COLUMNS)
    figure = Figure(figsize=(PAGE, HEIGHT + ENTRY * lines))
    roc, precision_recall = figure.subplots(1, 2)
    _draw_roc(roc, evaluation)
    _draw_precision(precision_recall, evaluation)
    for axes in (roc, precision_recall):
        axes.set_ylim(0, 1.02)
        axes.grid(visible=True, linewidth=0.3, alpha=0.5)
        # Below the axes, where it hides no curve.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=COLUMNS)
    return figure


def _draw_roc(axes: Axes, evaluation: Evaluation) -> None:
    lowest = 1.0
    for kind, (name, curve) in enumerate(evaluation.curves.items()):
        metrics = evaluation.rows[name]
        one = 1 / (metrics.pixels - metrics.anomalous)
        lowest = min(lowest, one)
        shown = curve.false_alarms > 0
        # What is detected before the first false alarm starts the line at the left edge.
        start = curve.detected[~shown].max()
        style = line_style(kind) | {"marker": ""}
        axes.plot(
            [one / 2, one / 2, *curve.false_alarms[shown]],
            [0, start, *curve.detected[shown]],
            drawstyle="steps-post",
            label=f"{name}, AUC {metrics.roc_auc:.3f}",
            **style,
        )
    rates = [lowest * 10 ** (step / 20) for step in range(200) if lowest * 10 ** (step / 20) <= 1]
    axes.plot([*rates, 1], [*rates, 1], color="0.5", linestyle=":", linewidth=0.8)
    axes.set(
        xscale="log",
        xlim=(lowest / 2, 1),
        xlabel="False-alarm rate (share of normal pixels)",
        ylabel="Detection rate (share of anomalous pixels)",
    )


def _draw_precision(axes: Axes, evaluation: Evaluation) -> None:
    for kind, (name, curve) in enumerate(evaluation.curves.items()):
        metrics = evaluation.rows[name]
        axes.plot(
            curve.detected[1:],
            curve.precision[1:],
            label=f"{name}, AP {metrics.average_precision:.3f}",
            **(line_style(kind) | {"marker": ""}),
        )
        share = metrics.anomalous / metrics.pixels
    axes.axhline(share, color="0.5", linestyle=":", linewidth=0.8)
    axes.set(
        xlim=(0, 1),
        xlabel="Recall (share of anomalous pixels)",
        ylabel="Precision (share of flagged pixels)",
    )
