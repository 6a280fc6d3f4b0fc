"""The detector: fitted on examples, applied to blocks, kept in one file.

`Detector` scores, saves and loads (`scoring`); `fit_detector` makes one from examples (`fit`).
Nothing here knows rasters.
"""

from .fit import context_plan, fit_detector, fit_surroundings
from .passes import CHUNK, THREADS, Scores, available, torch_threads
from .scoring import Detector

__all__ = [
    "CHUNK",
    "THREADS",
    "Detector",
    "Scores",
    "available",
    "context_plan",
    "fit_detector",
    "fit_surroundings",
    "torch_threads",
]
