"""Figures of matplotlib: labelled axes with units, readable without colour vision.

Every function returns a `matplotlib.figure.Figure`, made without pyplot; `save` writes it to a PNG,
SVG or PDF.  Names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .axes import SpectrumAxis, save
    from .curves import curves_figure
    from .explanation import explanation_figure
    from .found_objects import found_figure
    from .interpolation import interpolation_figure
    from .latent_space import latent_figure
    from .latent_traversal import traversal_figure
    from .printed_maps import Print, map_figure, object_figure
    from .spectrum_panels import generated_figure, spectra_figure
    from .training_history import history_figure

__all__ = [
    "Print",
    "SpectrumAxis",
    "curves_figure",
    "explanation_figure",
    "found_figure",
    "generated_figure",
    "history_figure",
    "interpolation_figure",
    "latent_figure",
    "map_figure",
    "object_figure",
    "save",
    "spectra_figure",
    "traversal_figure",
]

__getattr__ = lazily(
    __name__,
    {
        "axes": ("SpectrumAxis", "save"),
        "curves": ("curves_figure",),
        "explanation": ("explanation_figure",),
        "found_objects": ("found_figure",),
        "interpolation": ("interpolation_figure",),
        "latent_space": ("latent_figure",),
        "latent_traversal": ("traversal_figure",),
        "printed_maps": ("Print", "map_figure", "object_figure"),
        "spectrum_panels": ("generated_figure", "spectra_figure"),
        "training_history": ("history_figure",),
    },
)
