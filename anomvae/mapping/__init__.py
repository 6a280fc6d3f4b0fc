"""Score a scene and write its deliverables.

`score_scene` applies a detector (`scene`); a summary in JSON says what came out and is the commit
mark of a scene (`summary`); a picture gives a first look (`quicklook`); many scenes come one by one
(`batch`).
"""

from .batch import Outcome, score_scenes
from .scene import Scorer, detect_scene, score_scene, score_tiles
from .summary import MapResult, read_summary

__all__ = [
    "MapResult",
    "Outcome",
    "Scorer",
    "detect_scene",
    "read_summary",
    "score_scene",
    "score_scenes",
    "score_tiles",
]
