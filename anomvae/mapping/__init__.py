"""Score a scene and write its deliverables.

`score_scene` applies a detector (`scene`); a summary in JSON says what came out and is the commit
mark of a scene (`summary`); a picture gives a first look (`quicklook`).
"""

from .scene import Scorer, detect_scene, score_scene
from .summary import MapResult, read_summary

__all__ = ["MapResult", "Scorer", "detect_scene", "read_summary", "score_scene"]
