"""Why a pixel or an object is unusual: its spectrum, and what each band and unit adds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..explaining import Explanation
from .axes import COLOURS, FEW_BANDS, PAGE, SpectrumAxis, styled

NOISE = 2
"""Half the width of the noise band, standard deviations."""
HEIGHTS = (3.0, 2.2, 1.4)
"""Of spectrum, contributions and units, inches."""


@styled()
def explanation_figure(explanation: Explanation) -> Figure:
    """Draw spectrum and reconstruction, and what bands and latent units add to the score.

    Around the reconstruction lies the band in which residuals of normal pixels are expected: two
    standard deviations of the noise model on each side of their middle.  A score that lies in the
    code alone has no panel of bands, and a family without a prior none of units.
    """
    drawn = (True, bool(explanation.contributions.any()), len(explanation.kl_units) > 0)
    heights = [height for height, there in zip(HEIGHTS, drawn, strict=True) if there]
    figure = Figure((PAGE, sum(heights)))
    made = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
    axis = SpectrumAxis.of(explanation.bands)
    _draw_spectra(made[0], explanation, axis)
    if drawn[1]:
        _draw_contributions(made[1], explanation, axis)
    if drawn[2]:
        _draw_units(made[-1], explanation)
    figure.align_ylabels(list(made))
    return figure


def _draw_spectra(axes: Axes, explanation: Explanation, axis: SpectrumAxis) -> None:
    middle = explanation.reconstruction + explanation.noise_centre
    half = NOISE * explanation.noise_std
    label = f"\N{PLUS-MINUS SIGN} {NOISE} standard deviations of the noise"
    axis.fill(axes, middle - half, middle + half, 1, label=label)
    axis.plot(axes, explanation.spectrum, 0, label=explanation.name.capitalize())
    axis.plot(axes, explanation.reconstruction, 1, label="Reconstruction")
    axis.finish(axes)
    _legend_above(axes)


def _draw_contributions(axes: Axes, explanation: Explanation, axis: SpectrumAxis) -> None:
    above = explanation.whitened > 0
    size = 16 if len(above) <= FEW_BANDS else 4
    for chosen, marker, kind, where in (
        (above, "^", 0, "above"),
        (~above, "v", 1, "below"),
    ):
        x, y = axis.positions[chosen], explanation.contributions[chosen]
        axes.vlines(x, 0, y, color=COLOURS[kind], linewidth=1)
        axes.scatter(x, y, size, COLOURS[kind], marker=marker, label=f"{where} the reconstruction")
    axis.finish(axes, "Contribution to the score" + _unit(explanation))
    axes.set_ylim(bottom=0)
    _legend_above(axes)


def _draw_units(axes: Axes, explanation: Explanation) -> None:
    places = np.arange(len(explanation.kl_units))
    axes.bar(places, explanation.kl_units, 0.6, color=COLOURS[2])
    axes.set_xticks(places, explanation.unit_names)
    axes.set(xlabel="Latent unit", ylabel="KL term" + _unit(explanation), xlim=(-1, len(places)))


def _legend_above(axes: Axes) -> None:
    """Explain the lines above the axes, where it hides none."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=3)


def _unit(explanation: Explanation) -> str:
    return " (nats)" if explanation.factor is None else ""
