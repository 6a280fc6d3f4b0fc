"""Score a scene and write its deliverables.

`score_scene` (`score`) opens a scene, scores it tile by tile (`tiles`) and writes the files
(`open_deliverables`): the map first, then what is decided from it (`flagging`), with statistics
(`statistics`), a verdict (`verdict`) and a quick look (`quicklook`).  `score_scenes` (`batch`)
scores many, `score_array` (`arrays`) pixels in memory; `map_baseline` (`by_baseline`) fits a
baseline and scores with it; `rethreshold` (`rethresholding`) decides a finished map anew.
`embed_scene` (`embedding`) and `reconstruct_scene` (`reconstruction`) write other layers of pixels
(`pixel_maps`).  `deliverables` names the files, `result` reads their summary, and `cache` decides
whether they are up to date; none of these needs torch, so names are resolved lazily.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .arrays import ArrayResult, detect_array, score_array
    from .batch import score_scenes
    from .by_baseline import map_baseline
    from .deliverables import Deliverables
    from .embedding import embed_scene
    from .object_finding import FoundObject, find_object
    from .object_outlines import ObjectOutline, outlines_of, strongest_outlines
    from .options import MapOptions, ScoreOptions
    from .outcomes import Outcome
    from .pixel_maps import PixelMap
    from .quicklook import QuickLookSpec
    from .reconstruction import reconstruct_scene
    from .result import MapResult, read_summary, summary_of_map
    from .rethresholding import maps_in, rethreshold, rethreshold_maps
    from .score import detect_scene, score_scene
    from .scorer import Scorer
    from .tiles import plan_tiles, score_tiles

__all__ = [
    "ArrayResult",
    "Deliverables",
    "FoundObject",
    "MapOptions",
    "MapResult",
    "ObjectOutline",
    "Outcome",
    "PixelMap",
    "QuickLookSpec",
    "ScoreOptions",
    "Scorer",
    "detect_array",
    "detect_scene",
    "embed_scene",
    "find_object",
    "map_baseline",
    "maps_in",
    "outlines_of",
    "plan_tiles",
    "read_summary",
    "reconstruct_scene",
    "rethreshold",
    "rethreshold_maps",
    "score_array",
    "score_scene",
    "score_scenes",
    "score_tiles",
    "strongest_outlines",
    "summary_of_map",
]

__getattr__ = lazily(
    __name__,
    {
        "arrays": ("ArrayResult", "detect_array", "score_array"),
        "batch": ("score_scenes",),
        "by_baseline": ("map_baseline",),
        "deliverables": ("Deliverables",),
        "object_finding": ("FoundObject", "find_object"),
        "object_outlines": ("ObjectOutline", "outlines_of", "strongest_outlines"),
        "embedding": ("embed_scene",),
        "options": ("MapOptions", "ScoreOptions"),
        "pixel_maps": ("PixelMap",),
        "reconstruction": ("reconstruct_scene",),
        "outcomes": ("Outcome",),
        "quicklook": ("QuickLookSpec",),
        "rethresholding": ("maps_in", "rethreshold", "rethreshold_maps"),
        "result": ("MapResult", "read_summary", "summary_of_map"),
        "score": ("detect_scene", "score_scene"),
        "scorer": ("Scorer",),
        "tiles": ("plan_tiles", "score_tiles"),
    },
)
