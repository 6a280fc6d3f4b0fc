"""Find unusual pixels in multi-band rasters.

>>> import anomvae
>>> detector = anomvae.train(["normal.tif"], config="default", seed=0)      # doctest: +SKIP
>>> result = anomvae.score_scene(detector, "scene.tif", "out/")             # doctest: +SKIP
>>> print(anomvae.evaluate(result, labels="labels.tif").table())            # doctest: +SKIP

Names are looked up when they are first used, so that importing anomvae loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .detector import Detector, Scores
    from .errors import AnomvaeError
    from .estimators import RXDetector, VAEDetector
    from .evaluation import Evaluation, evaluate, evaluate_detector
    from .fitting import Selection, detect, refit_threshold, train
    from .mapping import detect_scene, score_scene
    from .objects import AnomalyObject, Objects, read_objects
    from .outputs import MapResult

__version__ = "0.1.0"

_HOME = {
    "AnomalyObject": "objects",
    "AnomvaeError": "errors",
    "Detector": "detector",
    "Evaluation": "evaluation",
    "MapResult": "outputs",
    "Objects": "objects",
    "RXDetector": "estimators",
    "Scores": "detector",
    "Selection": "fitting",
    "VAEDetector": "estimators",
    "detect": "fitting",
    "detect_scene": "mapping",
    "evaluate": "evaluation",
    "evaluate_detector": "evaluation",
    "read_objects": "objects",
    "refit_threshold": "fitting",
    "score_scene": "mapping",
    "train": "fitting",
}

__all__ = [
    "AnomalyObject",
    "AnomvaeError",
    "Detector",
    "Evaluation",
    "MapResult",
    "Objects",
    "RXDetector",
    "Scores",
    "Selection",
    "VAEDetector",
    "__version__",
    "detect",
    "detect_scene",
    "evaluate",
    "evaluate_detector",
    "load",
    "read_objects",
    "refit_threshold",
    "score_scene",
    "train",
]


def load(path: str) -> "Detector":
    """Read a detector from its file; see `Detector.load`."""
    from .detector import Detector

    return Detector.load(path)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
