"""Score many scenes: one that fails does not stop the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..covariates import rasters_of
from ..errors import AnomvaeError, ConfigError, RasterError
from ..files import PathText, identify
from ..objects import require_min_area
from ..outputs import MapResult, Outputs, require_apart
from ..parallel import Progress, quiet
from ..raster import stem_of
from .scene import score_scene
from .work import Scorer, require_tile


@dataclass(frozen=True)
class Outcome:
    """What became of one scene."""

    scene: str
    """The scene as it was named."""
    result: MapResult | None
    """Its deliverables; None where it failed."""
    error: AnomvaeError | None = None
    """Why it failed."""


def score_scenes(  # noqa: PLR0913 - keywords, each with a default
    detector: Scorer,
    scenes: Sequence[PathText],
    folder: PathText,
    *,
    mask: PathText | None = None,
    covariates: Sequence[PathText] = (),
    tile: int | None = None,
    min_area: int = 1,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> Iterator[Outcome]:
    """Score scenes one after the other.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scenes : sequence of path
        Rasters with the detector's bands.
    folder : path
        Where the deliverables of all scenes go.
    mask, covariates, tile, min_area, overwrite, progress
        As for `score_scene`.

    Returns
    -------
    iterator of Outcome
        Each is scored when it is asked for.

    Raises
    ------
    ConfigError
        At once, if ``tile`` or ``min_area`` is no size, a covariate is written wrongly, two scenes
        would write the same files, or one would replace what another is read from.
    """
    require_tile(tile)
    require_min_area(min_area)
    _require_own_names(scenes)
    besides = [*([] if mask is None else [mask]), *rasters_of(covariates)]
    inputs = [identify(path) for path in (*scenes, *besides)]
    for scene in scenes:
        require_apart(Outputs(Path(folder), stem_of(str(scene))), inputs)
    score = partial(
        score_scene,
        detector,
        folder=folder,
        mask=mask,
        covariates=covariates,
        tile=tile,
        min_area=min_area,
        overwrite=overwrite,
        progress=progress,
    )
    return (_outcome(score, scene) for scene in scenes)


def _require_own_names(scenes: Sequence[PathText]) -> None:
    stems = Counter(stem_of(str(scene)) for scene in scenes)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise ConfigError(
            f"{stems[twice[0]]} scenes are called {twice[0]!r} and would write the same files. "
            f"Score them into different folders, or rename them."
        )


def _outcome(score: Callable[[PathText], MapResult], scene: PathText) -> Outcome:
    """Score a scene; what is wrong with it, or the machine's memory or disk, is its own failure."""
    try:
        return Outcome(str(scene), score(scene))
    except AnomvaeError as error:
        return Outcome(str(scene), None, error)
    except (OSError, MemoryError) as error:
        told = RasterError(
            f"{scene} cannot be scored: {error or 'there is not enough memory'}. "
            f"Check permissions, free space and memory; a smaller tile needs less."
        )
        told.__cause__ = error
        return Outcome(str(scene), None, told)
