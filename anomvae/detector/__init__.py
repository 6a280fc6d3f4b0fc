"""The detector: fitted on examples, applied to blocks, kept in one file.

`Detector` scores, saves and loads (`detector`; examples: `examples`); `fit_detector` makes one from
examples (`fit`); `adapted_to` estimates the noise of a scene (`scene_noise`).
No raster is read here.  Names are resolved lazily: a model's card is read without torch.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .batches import THREADS, Scores
    from .detector import Detector
    from .encoding import Encoding
    from .fit import fit_detector, fit_surroundings
    from .scene_noise import adapted_to

__all__ = [
    "THREADS",
    "Detector",
    "Encoding",
    "Scores",
    "adapted_to",
    "fit_detector",
    "fit_surroundings",
]

__getattr__ = lazily(
    __name__,
    {
        "batches": ("THREADS", "Scores"),
        "detector": ("Detector",),
        "encoding": ("Encoding",),
        "fit": ("fit_detector", "fit_surroundings"),
        "scene_noise": ("adapted_to",),
    },
)
