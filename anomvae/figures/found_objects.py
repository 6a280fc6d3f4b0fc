"""Objects of an evaluation on the plane of the scene: found, missed and false ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..errors import NotEnoughPixels
from .axes import COLOURS, PAGE, legend_above, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..evaluation import Evaluation
    from ..evaluation.found import ObjectMap, ObjectPlaces

COLUMNS, MOST = 3, 9
"""Panels side by side, and in all."""
AREA = (9.0, 400.0)
"""Smallest and largest area of a marker, square points."""
LEGEND_AREA = 20.0
BESIDE, ABOVE, LEGEND = 0.6, 0.7, 0.3
"""Width of the labels of a panel, height of its title and labels, and of the legend, inches."""


@styled()
def found_figure(evaluation: Evaluation) -> Figure:
    """Draw where objects are found, missed and false, a panel for each detector (up to 9).

    Markers lie at the centres of objects, and have their areas where these are large enough.

    Raises
    ------
    NotEnoughPixels
        If there is no object: no detector has a threshold, or nothing is labelled and flagged.
    """
    known = [
        (name, each.places)
        for name, each in evaluation.objects.items()
        if each.places is not None and (each.labelled or each.flagged)
    ][:MOST]
    if not known:
        raise NotEnoughPixels(
            "There is no object to draw: no map has a threshold, or nothing is labelled or flagged."
        )
    rows, cols = known[0][1].shape
    across = min(COLUMNS, max(2, len(known)))
    down = math.ceil(len(known) / across)
    # Of a long scene the panel is narrow; of a wide one it is low.
    high = min((PAGE / across - BESIDE) * rows / cols, 5.0)
    figure = Figure(figsize=(PAGE, down * (high + ABOVE) + LEGEND))
    for number, (name, places) in enumerate(known, 1):
        axes = figure.add_subplot(down, across, number)
        _draw(axes, places, points=72 * high / rows)
        metrics = evaluation.objects[name]
        title = (
            f"{name}: {metrics.found} of {metrics.labelled} found, "
            f"{metrics.flagged - metrics.true} false"
        )
        axes.set_title(title, parse_math=False)
    legend_above(figure)
    return figure


def _draw(axes: Axes, places: ObjectMap, points: float) -> None:
    """Draw objects; ``points`` is the side of a pixel on paper."""
    rows, cols = places.shape
    labelled, flagged = places.labelled, places.flagged
    for label, objects, which, style in (
        ("false", flagged, ~flagged.hit, {"marker": "x", "color": COLOURS[0], "linewidths": 0.7}),
        ("found", labelled, labelled.hit, {"marker": "o", "color": COLOURS[2]}),
        (
            "missed",
            labelled,
            ~labelled.hit,
            {"marker": "s", "facecolors": "none", "edgecolors": COLOURS[1], "linewidths": 1.1},
        ),
    ):
        axes.scatter(
            objects.cols[which] + 0.5,
            objects.rows[which] + 0.5,
            s=_areas(objects, points)[which],
            rasterized=True,  # there may be a million
            **style,
        )
        axes.scatter([], [], s=LEGEND_AREA, label=label, **style)
    axes.set(xlim=(0, cols), ylim=(rows, 0), aspect="equal", xlabel="Column", ylabel="Row")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    for spine in axes.spines.values():
        spine.set_visible(True)


def _areas(objects: ObjectPlaces, points: float) -> NDArray[np.float64]:
    return np.asarray(np.clip(objects.area * points**2, *AREA), np.float64)
