"""From rasters to a fitted detector.

`train`, `detect` and `refit_threshold` are what users call (`fit`); a `Selection` says which pixels
and bands count (`scenes`); a `Fit` draws, trains and calibrates (`run`).
"""

from .fit import detect, refit_threshold, train
from .run import FEW, FEWEST
from .scenes import EVERYTHING, Selection

__all__ = ["EVERYTHING", "FEW", "FEWEST", "Selection", "detect", "refit_threshold", "train"]
