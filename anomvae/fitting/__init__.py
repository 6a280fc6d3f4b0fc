"""From rasters to a fitted detector.

`train`, `detect` and `refit_threshold` are what users call (`fit`); their thresholds are fitted in
`cutoff`, and a `Selection` says which pixels
and bands count (`selection`).
"""

from .fit import FEWEST, detect, refit_threshold, train
from .selection import EVERYTHING, Selection
from .threshold import FEW

__all__ = ["EVERYTHING", "FEW", "FEWEST", "Selection", "detect", "refit_threshold", "train"]
