"""Spectra: originals and their reconstructions, and generated ones and real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..pixels.bands import Bands
from .axes import PAGE, SpectrumAxis, legend_above, panels, styled

RANGE = (5, 95)  # percent
BETWEEN = "5 to 95 %"
Spectra = NDArray[np.floating]


@styled()
def spectra_figure(
    bands: Bands, originals: Spectra, reconstructions: Spectra, titles: Sequence[str] = ()
) -> Figure:
    """Draw spectra with their reconstructions, a panel for each.

    Parameters
    ----------
    bands : Bands
        Those of the spectra.
    originals, reconstructions : array of float, shape (n, band)
        Data units; NaN is left open.
    titles : sequence of str, optional
        Of each panel; none by default.
    """
    figure, made = panels(len(originals))
    axis = SpectrumAxis.of(bands)
    for number, axes in enumerate(made):
        axis.plot(axes, originals[number], 0, label="original")
        axis.plot(axes, reconstructions[number], 1, label="reconstruction")
        axis.finish(axes)
        if titles:
            axes.set_title(titles[number], parse_math=False)
    legend_above(figure)
    return figure


@styled()
def generated_figure(bands: Bands, real: Spectra, drawn: Spectra) -> Figure:
    """Draw real and generated spectra, each as its mean and its 5-95 % range per band.

    Parameters
    ----------
    bands : Bands
        Those of the spectra.
    real, drawn : array of float, shape (n, band)
        Real and generated spectra, data units.
    """
    figure = Figure(figsize=(PAGE, 3))
    axes = figure.subplots()
    axis = SpectrumAxis.of(bands)
    low, high = np.nanpercentile(real, RANGE, axis=0)
    axis.fill(axes, low, high, 0, label=f"real, {BETWEEN}")
    axis.plot(axes, np.nanmean(real, axis=0), 0, label=f"real, mean of {len(real):,}")
    mean = f"generated, mean of {len(drawn):,}"
    axis.plot(axes, np.nanmean(drawn, axis=0), 1, label=mean)
    for edge, label in zip(np.nanpercentile(drawn, RANGE, axis=0), (BETWEEN, ""), strict=True):
        style = {"linestyle": ":", "linewidth": 0.8, "marker": ""}
        axis.plot(axes, edge, 1, label=f"generated, {label}" if label else "_", **style)
    axis.finish(axes)
    legend_above(figure)
    return figure
