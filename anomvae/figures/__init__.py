"""Figures of matplotlib: labelled axes with units, readable without colour vision.

Every function returns a `matplotlib.figure.Figure`, made without pyplot; `save` writes it to a PNG,
SVG or PDF.  Names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .axes import SpectrumAxis, save
    from .curves import plot_curves
    from .explanation import explanation_figure
    from .interpolation import interpolation_figure
    from .latent_space import latent
    from .latent_traversal import traversal
    from .spectrum_panels import generated, spectra
    from .training_history import history

__all__ = [
    "SpectrumAxis",
    "explanation_figure",
    "generated",
    "history",
    "interpolation_figure",
    "latent",
    "plot_curves",
    "save",
    "spectra",
    "traversal",
]

__getattr__ = lazily(
    __name__,
    {
        "axes": ("SpectrumAxis", "save"),
        "curves": ("plot_curves",),
        "explanation": ("explanation_figure",),
        "interpolation": ("interpolation_figure",),
        "latent_space": ("latent",),
        "latent_traversal": ("traversal",),
        "spectrum_panels": ("generated", "spectra"),
        "training_history": ("history",),
    },
)
