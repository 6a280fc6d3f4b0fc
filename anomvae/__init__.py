"""Find unusual pixels in multi-band rasters.

>>> import anomvae
>>> detector = anomvae.train(["normal.tif"], config="default", seed=0)      # doctest: +SKIP
>>> result = anomvae.score_scene(detector, "scene.tif", "out/")             # doctest: +SKIP
>>> print(anomvae.evaluate(result, labels="labels.tif").table())            # doctest: +SKIP

Names are looked up when they are first used, so that importing anomvae loads no torch.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .detector import Detector, Encoding, Scores
    from .detector.model_card import ModelCard, model_card
    from .errors import AnomvaeError
    from .evaluation import (
        Comparison,
        EvaluateOptions,
        Evaluation,
        compare,
        evaluate,
        evaluate_detector,
    )
    from .evaluation.estimators import RXDetector, VAEDetector
    from .explaining import (
        Explanation,
        ObjectTarget,
        PixelTarget,
        SpectraTable,
        SpectrumTarget,
        explain,
        find_like,
        generate,
        interpolate,
    )
    from .figures import map_figure, object_figure
    from .files import PathText
    from .fitting import Selection, detect, refit_threshold, train
    from .mapping import (
        ArrayResult,
        MapOptions,
        MapResult,
        PixelMap,
        ScoreOptions,
        detect_array,
        detect_scene,
        embed_scene,
        map_baseline,
        reconstruct_scene,
        rethreshold,
        score_array,
        score_scene,
    )
    from .objects import AnomalyObject, Objects, read_objects
    from .raster import Access, Limits, Scene
    from .reporting import Report, report

__version__ = "0.1.0"

__all__ = [
    "Access",
    "AnomalyObject",
    "AnomvaeError",
    "ArrayResult",
    "Comparison",
    "Detector",
    "Encoding",
    "EvaluateOptions",
    "Evaluation",
    "Explanation",
    "Limits",
    "MapOptions",
    "MapResult",
    "ModelCard",
    "ObjectTarget",
    "Objects",
    "PixelMap",
    "PixelTarget",
    "RXDetector",
    "Report",
    "Scene",
    "ScoreOptions",
    "Scores",
    "Selection",
    "SpectraTable",
    "SpectrumTarget",
    "VAEDetector",
    "__version__",
    "compare",
    "detect",
    "detect_array",
    "detect_scene",
    "embed_scene",
    "evaluate",
    "evaluate_detector",
    "explain",
    "find_like",
    "generate",
    "interpolate",
    "load",
    "map_baseline",
    "map_figure",
    "model_card",
    "object_figure",
    "read_objects",
    "reconstruct_scene",
    "refit_threshold",
    "report",
    "rethreshold",
    "score_array",
    "score_scene",
    "train",
]


def load(path: "PathText", **options: str) -> "Detector":
    """Read a detector from its file; arguments and errors are those of `Detector.load`."""
    from .detector import Detector

    return Detector.load(path, **options)


def lazily(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package that imports names when they are first used (PEP 562).

    ``modules`` are those inside the package, each with its public names.
    """
    home = {name: module for module, names in modules.items() for name in names}

    def found(name: str) -> Any:  # noqa: ANN401 - any public name
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{home[name]}", package), name)

    return found


__getattr__ = lazily(
    __name__,
    {
        "detector": ("Detector", "Encoding", "Scores"),
        "detector.model_card": ("ModelCard", "model_card"),
        "errors": ("AnomvaeError",),
        "evaluation": (
            *("Comparison", "EvaluateOptions", "Evaluation"),
            *("compare", "evaluate", "evaluate_detector"),
        ),
        "evaluation.estimators": ("RXDetector", "VAEDetector"),
        "explaining": (
            *("Explanation", "ObjectTarget", "PixelTarget", "SpectraTable", "SpectrumTarget"),
            *("explain", "find_like", "generate", "interpolate"),
        ),
        "figures": ("map_figure", "object_figure"),
        "fitting": ("Selection", "detect", "refit_threshold", "train"),
        "mapping": (
            *("ArrayResult", "MapOptions", "MapResult", "PixelMap", "ScoreOptions"),
            *("detect_array", "detect_scene", "embed_scene", "reconstruct_scene"),
            *("map_baseline", "rethreshold", "score_array", "score_scene"),
        ),
        "objects": ("AnomalyObject", "Objects", "read_objects"),
        "raster": ("Access", "Limits", "Scene"),
        "reporting": ("Report", "report"),
    },
)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
