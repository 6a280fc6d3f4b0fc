"""What latent units, or codes, do to a spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from ..detector import Detector
from ..explaining.traversal import CodeSpectra, Traversal, traverse
from .axes import PAGE, SpectrumAxis, panels, shades, styled

CENTRE = {"color": "black", "linestyle": (0, (3, 1.5)), "zorder": 3}
"""Style of the spectrum at the centre of the prior."""


def traversal_figure(detector: Detector, units: Sequence[int] = (), most: int = 6) -> Figure:
    """Draw the spectra along the latent units of a detector, or of the codes of a codebook.

    Parameters and errors are those of `anomvae.explaining.traversal.traverse`.

    Returns
    -------
    Figure
        A panel per unit, active ones (KL above 0.01 nats) of the largest KL first: its spectra from
        -3 (dark) to 3 (light) standard deviations of its prior, the centre dashed.  Of a codebook
        one panel with a line per code.
    """
    found = traverse(detector, units, most)
    axis = SpectrumAxis.of(detector.bands)
    return _codes(axis, found) if isinstance(found, CodeSpectra) else _units(axis, found)


@styled()
def _units(axis: SpectrumAxis, units: Sequence[Traversal]) -> Figure:
    figure, made = panels(len(units), shared=True)
    steps = units[0].steps
    colours = shades(len(steps))
    for unit, axes in zip(units, made, strict=True):
        for colour, step, spectrum in zip(colours, steps, unit.spectra, strict=True):
            style = {"color": colour, "linestyle": "-", "marker": "", "linewidth": 0.9}
            axis.plot(axes, spectrum, **(style | (CENTRE if step == 0 else {})))
        axis.finish(axes)
        kl = "" if unit.kl is None else f", KL {unit.kl:.2f} nats"
        axes.set_title(f"{_symbol(unit.name)}{kl}")
    edges = np.append(steps - 0.5, steps[-1] + 0.5)
    scale = ScalarMappable(BoundaryNorm(edges, len(steps)), ListedColormap(list(colours)))
    bar = figure.colorbar(scale, ax=made, ticks=steps, fraction=0.05, pad=0.02)
    bar.set_ticklabels([f"{step:g}" if step else "0 (dashed)" for step in steps])
    bar.set_label("Latent unit (prior std)")
    return figure


@styled()
def _codes(axis: SpectrumAxis, codes: CodeSpectra) -> Figure:
    figure = Figure(figsize=(PAGE, 3))
    axes = figure.subplots()
    lines = zip(codes.numbers, codes.shares, codes.spectra, strict=True)
    for kind, (number, share, spectrum) in enumerate(lines):
        axis.plot(
            axes, spectrum, kind, label=f"code {number}: {100 * share:.1f} % of the training pixels"
        )
    axis.finish(axes)
    figure.legend(loc="outside right upper", title="Reconstruction of")
    return figure


def _symbol(name: str) -> str:
    """Return the name of a unit as mathematics: z3, and z2_1 as unit 1 of level 2.

    Examples
    --------
    >>> _symbol("z3"), _symbol("z2_1")
    ('$z_{3}$', '$z_{1}^{(2)}$')
    """
    level, _, unit = name.removeprefix("z").rpartition("_")
    return f"$z_{{{unit}}}^{{({level})}}$" if level else f"$z_{{{unit}}}$"
