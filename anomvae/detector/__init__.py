"""The detector: fitted on examples, applied to blocks, kept in one file.

`Detector` scores, saves and loads (`scoring`); `fit_detector` makes one from examples (`fit`).
Nothing here knows rasters.
"""

from .fit import fit_detector
from .scoring import CHUNK, Detector, Scores, available

__all__ = ["CHUNK", "Detector", "Scores", "available", "fit_detector"]
