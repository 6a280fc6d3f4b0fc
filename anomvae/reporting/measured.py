"""What the scores of a scene are worth by labels, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..addresses import file_name
from ..errors import AnomvaeError, GridMismatch
from ..files import PathText, as_path
from ..parallel import Progress, captured_warnings
from ..raster import Access
from ..raster.access import DEFAULT
from ..stats.baselines import require_baselines
from ..stats.curves import Curve
from ..stats.metrics import Metrics
from .results import ScoredScene


@dataclass(frozen=True, eq=False)
class MeasuredScene:
    """Metrics of a scene and of baselines, against labels."""

    labels: str
    """Name of the file of labels."""
    rows: Mapping[str, Metrics]
    """Metrics by name; the scored map first."""
    curves: Mapping[str, Curve]
    """Curves likewise; none of one whose labelled pixels are of one class."""
    missing: str = ""
    """Why baselines are missing: a sentence; empty where none are."""


def measure_scene(
    scene: ScoredScene,
    labels: PathText,
    baselines: Sequence[str] = (),
    *,
    progress: Progress,
    access: Access = DEFAULT,
) -> MeasuredScene:
    """Measure the scores of a scene against labels on its grid.

    Baselines are fitted to the scene itself; where it is gone they are left out, and that is
    stated.

    Raises
    ------
    RasterError
        If the labels, or the map, cannot be read.
    GridMismatch
        If the labels are on another grid.
    ConfigError
        If a baseline is unknown.
    """
    from ..evaluation import evaluate

    require_baselines(baselines)
    map_, name = scene.files.scores, scene.result.scene
    missing = ""
    evaluation = evaluate(map_, labels, baselines=(), access=access, progress=progress)
    if baselines:
        try:
            with captured_warnings():
                evaluation = evaluate(
                    map_, labels, name, baselines=baselines, access=access, progress=progress
                )
        except GridMismatch:
            missing = "The scene has another grid now, so it has no baselines."
        except AnomvaeError as error:
            missing = f"There are no baselines: {error}"
    return MeasuredScene(
        file_name(as_path(labels)), dict(evaluation.rows), dict(evaluation.curves), missing
    )
