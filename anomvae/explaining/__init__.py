"""What a detector knows of a pixel or an object: why it is unusual, and what is like it.

`explain` (`explainer`) makes the `Explanation` of a pixel or an object, with the normal pixels most
like it (`neighbours`).  `pick` (`pixels`) reads one pixel of a scene as a detector takes it; a
`SpectraTable` (`spectra_table`) holds spectra as CSV does, such as those of `generate` and
`interpolate` (`generation`); `sample_latent` (`latent_sample`) draws pixels with their codes, and
`traverse` (`traversal`) decodes the units of a code.  `find_like` (`finding`) maps what is like a
target (`targets`, `library`), which a `Finder` (`finder`) scores.  Names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .explainer import explain
    from .explanation import Explanation
    from .finding import find_like
    from .generation import generate, interpolate
    from .latent_sample import LatentSample, sample_latent
    from .marking import Marking, labelled, objects_of
    from .neighbours import NormalPixel
    from .opening import open_for
    from .pixels import PickedPixel, pick, sample_spectra
    from .projection import Projection, project
    from .spectra_table import SpectraTable
    from .targets import ObjectTarget, PixelTarget, SpectrumTarget
    from .traversal import CodeSpectra, Traversal, traverse

__all__ = [
    "CodeSpectra",
    "Explanation",
    "LatentSample",
    "Marking",
    "NormalPixel",
    "ObjectTarget",
    "PickedPixel",
    "PixelTarget",
    "Projection",
    "SpectraTable",
    "SpectrumTarget",
    "Traversal",
    "explain",
    "find_like",
    "generate",
    "interpolate",
    "labelled",
    "objects_of",
    "open_for",
    "pick",
    "project",
    "sample_latent",
    "sample_spectra",
    "traverse",
]

__getattr__ = lazily(
    __name__,
    {
        "explainer": ("explain",),
        "explanation": ("Explanation",),
        "finding": ("find_like",),
        "generation": ("generate", "interpolate"),
        "latent_sample": ("LatentSample", "sample_latent"),
        "marking": ("Marking", "labelled", "objects_of"),
        "neighbours": ("NormalPixel",),
        "opening": ("open_for",),
        "pixels": ("PickedPixel", "pick", "sample_spectra"),
        "projection": ("Projection", "project"),
        "spectra_table": ("SpectraTable",),
        "targets": ("ObjectTarget", "PixelTarget", "SpectrumTarget"),
        "traversal": ("CodeSpectra", "Traversal", "traverse"),
    },
)
