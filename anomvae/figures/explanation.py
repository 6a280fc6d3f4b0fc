"""Why a pixel or an object is unusual: its spectrum, and what each band and unit adds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..explaining import Explanation
from .axes import COLOURS, FEW_BANDS, PAGE, SpectrumAxis, styled

NOISE = 2
"""Half the width of the noise band, standard deviations."""
HEIGHTS = (3.0, 2.0, 1.4)
"""Of spectrum, contributions and units, inches."""


@styled()
def explanation_figure(explanation: Explanation) -> Figure:
    """Draw spectrum and reconstruction, and what bands and latent units add to the score.

    Around the reconstruction lies the band in which residuals of normal pixels are expected: two
    standard deviations of the noise model on each side of their middle.
    """
    panels = 3 if len(explanation.kl_units) else 2  # a family without a prior has no units
    heights = HEIGHTS[:panels]
    figure = Figure((PAGE, sum(heights)))
    spectra, bands, *units = figure.subplots(panels, height_ratios=heights)
    axis = SpectrumAxis.of(explanation.bands)
    _draw_spectra(spectra, explanation, axis)
    _draw_contributions(bands, explanation, axis)
    for axes in units:
        _draw_units(axes, explanation)
    figure.align_ylabels([spectra, bands, *units])
    return figure


def _draw_spectra(axes: Axes, explanation: Explanation, axis: SpectrumAxis) -> None:
    middle = explanation.reconstruction + explanation.noise_centre
    half = NOISE * explanation.noise_std
    label = f"\N{PLUS-MINUS SIGN} {NOISE} standard deviations of the noise"
    axis.fill(axes, middle - half, middle + half, 1, label=label)
    axis.plot(axes, explanation.spectrum, 0, label=explanation.name.capitalize())
    axis.plot(axes, explanation.reconstruction, 1, label="Reconstruction")
    axis.finish(axes)
    axes.legend()


def _draw_contributions(axes: Axes, explanation: Explanation, axis: SpectrumAxis) -> None:
    above = explanation.whitened > 0
    size = 16 if len(above) <= FEW_BANDS else 4
    for chosen, marker, kind, label in (
        (above, "^", 0, "above its reconstruction"),
        (~above, "v", 1, "below it"),
    ):
        x, y = axis.positions[chosen], explanation.contributions[chosen]
        axes.vlines(x, 0, y, color=COLOURS[kind], linewidth=1)
        axes.scatter(x, y, size, COLOURS[kind], marker=marker, label=label)
    axis.finish(axes, "Contribution to the score" + _unit(explanation))
    axes.set_ylim(bottom=0)
    axes.legend(title="The band is")


def _draw_units(axes: Axes, explanation: Explanation) -> None:
    places = np.arange(len(explanation.kl_units))
    axes.bar(places, explanation.kl_units, 0.6, color=COLOURS[2])
    axes.set_xticks(places, explanation.unit_names)
    axes.set(xlabel="Latent unit", ylabel="KL" + _unit(explanation), xlim=(-1, len(places)))


def _unit(explanation: Explanation) -> str:
    return " (nats)" if explanation.factor is None else ""
