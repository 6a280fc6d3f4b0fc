"""From rasters to a fitted detector.

Users call `train`, `detect` and `refit_threshold` (`fit`).  A `Selection` chooses bands and pixels
(`scenes`); a `Fit` draws examples, trains and chooses the threshold (`run`).  Names that need torch
are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily
from ..raster import EVERYTHING, Selection
from .scenes import config_for, require_compared, site_of

if TYPE_CHECKING:
    from .fit import detect, refit_threshold, train

__all__ = [
    "EVERYTHING",
    "Selection",
    "config_for",
    "detect",
    "refit_threshold",
    "require_compared",
    "site_of",
    "train",
]

__getattr__ = lazily(__name__, {"fit": ("detect", "refit_threshold", "train")})
