"""From rasters to a fitted detector.

Users call `train`, `detect` and `refit_threshold` (`fit`).  A `Selection` chooses bands and pixels
(`scenes`); a `Fit` draws examples, trains and chooses the threshold (`run`).
"""

from ..raster import EVERYTHING, Selection
from .fit import detect, refit_threshold, train
from .scenes import config_for, require_compared, site_of

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
