"""What a detector knows of a pixel or an object: why it is unusual, and what is like it.

`pick` (`pixels`) reads one pixel of a scene as a detector takes it; a `SpectraTable`
(`spectra_table`) holds spectra as CSV does, such as those that `generate` draws, or `interpolate`
finds between two pixels (`generation`).  Names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .generation import generate, interpolate
    from .opening import open_for
    from .pixels import PickedPixel, pick
    from .spectra_table import SpectraTable

__all__ = ["PickedPixel", "SpectraTable", "generate", "interpolate", "open_for", "pick"]

__getattr__ = lazily(
    __name__,
    {
        "generation": ("generate", "interpolate"),
        "opening": ("open_for",),
        "pixels": ("PickedPixel", "pick"),
        "spectra_table": ("SpectraTable",),
    },
)
