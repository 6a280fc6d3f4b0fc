"""Curves of an evaluation: receiver operating characteristic, precision against recall, 3D ROC."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import NotEnoughPixels
from .axes import PAGE, line_style, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..evaluation import Evaluation
    from ..stats.intervals import Intervals
    from ..stats.roc3d import TauCurve

HEIGHT, ENTRY = 2.9, 0.16
"""Height of a row of axes, and of a line of a legend, inches."""
COLUMNS = 2
"""Columns of a legend."""
BANDS = 2
"""Intervals are drawn of so many curves: more hide each other."""


@styled()
def curves_figure(evaluation: Evaluation) -> Figure:
    """Draw the curves of every detector of an evaluation, with their areas in the legends.

    The false-alarm rate is logarithmic, from one normal pixel to all: maps are used at its low end.
    The dotted lines are what random scores reach, and the shades the 95 % intervals of the first
    two detectors.  The lower axes show both rates against the normalised threshold, where there
    is a 3D ROC.

    Raises
    ------
    NotEnoughPixels
        If no detector has a curve, as labels of one class leave it undefined.
    """
    if not evaluation.curves:
        reason = next(iter(evaluation.rows.values())).reason
        raise NotEnoughPixels(f"There is no curve to draw: {reason}.")
    lines = math.ceil(len(evaluation.curves) / COLUMNS)
    taus = {name: each.curve for name, each in evaluation.roc3d.items() if each.curve is not None}
    height = HEIGHT * (1.9 if taus else 1) + ENTRY * lines
    figure = Figure(figsize=(PAGE, height))
    axes = figure.subplots(2 if taus else 1, 2, squeeze=False)
    roc, precision_recall = axes[0]
    _draw_roc(roc, evaluation)
    _draw_precision(precision_recall, evaluation)
    for part in axes[0]:
        part.set_ylim(0, 1.02)
        # Below the axes, where it hides no curve.
        legend = part.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=COLUMNS)
        for text in legend.get_texts():
            text.set_parse_math(False)  # a name of a file may hold a dollar
    if taus:
        _draw_taus(axes[1], taus, evaluation)
    for part in axes.flat:
        part.grid(visible=True, linewidth=0.3, alpha=0.5)
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
        _draw_band(axes, kind, evaluation.intervals.get(name))
    rates = [lowest * 10 ** (step / 20) for step in range(200) if lowest * 10 ** (step / 20) <= 1]
    axes.plot([*rates, 1], [*rates, 1], color="0.5", linestyle=":", linewidth=0.8)
    axes.set(
        xscale="log",
        xlim=(lowest / 2, 1),
        xlabel="False-alarm rate (share of normal pixels)",
        ylabel="Detection rate (share of anomalous pixels)",
    )


def _draw_band(axes: Axes, kind: int, intervals: Intervals | None) -> None:
    if intervals is None or intervals.band is None or kind >= BANDS:
        return
    band, colour = intervals.band, line_style(kind)["color"]
    axes.fill_between(band.false_alarms, band.low, band.high, color=colour, alpha=0.15, linewidth=0)


def _draw_taus(
    axes: Sequence[Axes], curves: Mapping[str, TauCurve], evaluation: Evaluation
) -> None:
    """Draw detection and false-alarm rates against the normalised threshold."""
    detected, alarms = axes
    kinds = {name: kind for kind, name in enumerate(evaluation.curves)}
    for name, curve in curves.items():
        style = line_style(kinds.get(name, 0)) | {"marker": ""}
        detected.plot(curve.tau, curve.detected, **style)
        some = curve.false_alarms > 0
        alarms.plot(curve.tau[some], curve.false_alarms[some], **style)
    kind = next(iter(evaluation.roc3d.values())).normalisation
    detected.set(ylim=(0, 1.02), ylabel="Detection rate")
    alarms.set(yscale="log", ylabel="False-alarm rate")
    for part in axes:
        part.set(xlim=(0, 1), xlabel=f"Threshold tau (scores normalised by {kind})")


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
