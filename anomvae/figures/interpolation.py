"""A figure of the spectra between two pixels."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..pixels.bands import Bands
from .axes import PAGE, SpectrumAxis, shades, styled

HEIGHT = 2.8
"""Inches."""


@styled()
def interpolation_figure(bands: Bands, spectra: NDArray[np.floating]) -> Figure:
    """Draw spectra (step, band) from one pixel to another, from dark to light.

    The first is a solid line, the last a dashed one, so that both ends are found in grey.
    """
    figure = Figure(figsize=(PAGE, HEIGHT))
    axes, axis = figure.subplots(), SpectrumAxis.of(bands)
    colours = shades(len(spectra))
    for step, (spectrum, colour) in enumerate(zip(spectra, colours, strict=True)):
        ends = {0: ("first pixel", "-"), len(spectra) - 1: ("last pixel", "--")}
        label, line = ends.get(step, (None, "-"))
        width = 1.6 if label else 0.7
        axis.plot(
            axes, spectrum, color=colour, linestyle=line, marker="", linewidth=width, label=label
        )
    axis.finish(axes)
    axes.legend()
    share = ScalarMappable(Normalize(0, 1), ListedColormap(colours))
    figure.colorbar(share, ax=axes, label="Share of the last pixel")
    return figure
