"""Find unusual pixels in multi-band rasters.

>>> import anomvae
>>> detector = anomvae.train(["normal.tif"], config="default", seed=0)      # doctest: +SKIP
>>> result = anomvae.score_scene(detector, "scene.tif", "out/")             # doctest: +SKIP
>>> print(anomvae.evaluate(result, labels="labels.tif").table())            # doctest: +SKIP

Names are looked up when they are first used, so that importing anomvae loads no torch.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .detector import Detector, Scores
    from .errors import AnomvaeError
    from .evaluation import Evaluation, evaluate, evaluate_detector
    from .evaluation.estimators import RXDetector, VAEDetector
    from .files import PathText
    from .fitting import Selection, detect, refit_threshold, train
    from .mapping import MapResult, ScoreOptions, detect_scene, score_scene
    from .objects import AnomalyObject, Objects, read_objects
    from .raster import Scene

__version__ = "0.1.0"

_HOME = {
    "AnomalyObject": "objects",
    "AnomvaeError": "errors",
    "Detector": "detector",
    "Evaluation": "evaluation",
    "MapResult": "mapping",
    "Objects": "objects",
    "RXDetector": "evaluation.estimators",
    "Scene": "raster",
    "ScoreOptions": "mapping",
    "Scores": "detector",
    "Selection": "fitting",
    "VAEDetector": "evaluation.estimators",
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
    "Scene",
    "ScoreOptions",
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


def load(path: "PathText", **options: str) -> "Detector":
    """Read a detector from its file.

    Parameters
    ----------
    path : str or path
        A file that `Detector.save` or ``anomvae train`` wrote.
    **options
        ``threshold`` and ``device`` of `Detector.load`.

    Returns
    -------
    Detector

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, foreign, a pickle, or of a newer format.
    ConfigError
        If the threshold rule is unknown, or the device is not there.
    """
    from .detector import Detector

    return Detector.load(path, **options)


def lazily(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package that imports names when they are first used (PEP 562).

    Parameters
    ----------
    package : str
        Its ``__name__``.
    home : mapping
        Public name to the module inside the package that holds it.
    """

    def found(name: str) -> Any:  # noqa: ANN401 - any public name
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{home[name]}", package), name)

    return found


__getattr__ = lazily(__name__, _HOME)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
