"""From rasters to a fitted detector.

`train`, `detect` and `refit_threshold` are what users call (`fit`); a `Selection` says which pixels
and bands count (`selection`).
"""

from .fit import FEW, FEWEST, detect, refit_threshold, train
from .selection import EVERYTHING, Selection

__all__ = ["EVERYTHING", "FEW", "FEWEST", "Selection", "detect", "refit_threshold", "train"]
