"""Figures of matplotlib: labelled axes with units, readable without colour vision.

Every function returns a `matplotlib.figure.Figure`, made without pyplot; `save` writes it to a PNG,
SVG or PDF.  Names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .axes import SpectrumAxis, save
    from .latent_space import latent
    from .latent_traversal import traversal
    from .spectrum_panels import generated, spectra
    from .training_history import history

__all__ = ["SpectrumAxis", "generated", "history", "latent", "save", "spectra", "traversal"]

__getattr__ = lazily(
    __name__,
    {
        "axes": ("SpectrumAxis", "save"),
        "latent_space": ("latent",),
        "latent_traversal": ("traversal",),
        "spectrum_panels": ("generated", "spectra"),
        "training_history": ("history",),
    },
)
