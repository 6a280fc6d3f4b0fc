"""From rasters to a fitted detector.

Users call `train`, `detect` and `refit_threshold` (`fit`).  A `Selection` chooses bands and pixels
(`scenes`); a `Fit` draws examples, trains and chooses the threshold (`run`).
"""

from ..raster import EVERYTHING, Selection
from .fit import detect, refit_threshold, train
from .scenes import require_compared

__all__ = ["EVERYTHING", "Selection", "detect", "refit_threshold", "require_compared", "train"]
