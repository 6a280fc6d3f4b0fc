"""Score a scene and write its deliverables.

`score_scene` applies a detector (`scene`) tile by tile (`work`) and counts what comes out
(`tally`); a picture gives a first look (`quicklook`); many scenes are a `batch`.  What
lies in the folder then, and whether it is up to date, is told by `anomvae.outputs`.
"""

from ..outputs import MapResult, read_summary
from .batch import Outcome, score_scenes
from .scene import detect_scene, score_scene
from .work import Pace, Scorer, TileWork, pace, score_tiles

__all__ = [
    "MapResult",
    "Outcome",
    "Pace",
    "Scorer",
    "TileWork",
    "detect_scene",
    "pace",
    "read_summary",
    "score_scene",
    "score_scenes",
    "score_tiles",
]
