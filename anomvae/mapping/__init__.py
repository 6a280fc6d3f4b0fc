"""Score a scene and write its deliverables.

`score_scene` applies a detector (`scene`) tile by tile (`work`) and counts what comes out
(`tally`); a picture gives a first look (`quicklook`); many scenes are a `batch`.  What
lies in the folder then, and whether it is up to date, is known to `outputs`, which needs no torch:
names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .batch import Outcome, score_scenes
    from .outputs import MapResult, read_summary
    from .score import detect_scene, score_scene
    from .tiles import Scorer, TilePlan, TileTask, plan_tiles, score_tiles

__all__ = [
    "MapResult",
    "Outcome",
    "Scorer",
    "TilePlan",
    "TileTask",
    "detect_scene",
    "plan_tiles",
    "read_summary",
    "score_scene",
    "score_scenes",
    "score_tiles",
]

__getattr__ = lazily(
    __name__,
    {
        "MapResult": "outputs",
        "Outcome": "batch",
        "TilePlan": "tiles",
        "Scorer": "tiles",
        "TileTask": "tiles",
        "detect_scene": "score",
        "plan_tiles": "tiles",
        "read_summary": "outputs",
        "score_scene": "score",
        "score_scenes": "batch",
        "score_tiles": "tiles",
    },
)
