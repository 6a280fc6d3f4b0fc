"""Score many scenes: one that fails does not stop the others.

Where there are at least as many scenes as workers, each worker makes a scene's deliverables by
itself; otherwise the workers share the tiles of one scene after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..errors import AnomvaeError, ConfigError, RasterError, WorkersLost
from ..files import PathText, SceneText, as_paths, identify
from ..objects import require_min_area
from ..parallel import Mapper, Progress, quiet, serial
from ..pixels.covariates import rasters_of
from ..raster import absolute_specs, absolute_uri, stem_of
from .outputs import MapResult, Outputs, require_apart
from .score import score_scene
from .tiles import Scorer, require_threads, require_tile


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
    scenes: Sequence[SceneText],
    folder: PathText,
    *,
    mask: PathText | None = None,
    covariates: Sequence[PathText] = (),
    tile: int | None = None,
    min_area: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
    mapper: Mapper = serial,
) -> Iterator[Outcome]:
    """Score scenes one after the other, or several at a time where there are workers.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scenes : sequence of path, or of sequences of path
        Rasters with the detector's bands; or the dates of each place, oldest first.
    folder : path
        Where the deliverables of all scenes go.
    mask, covariates, tile, min_area, threads, overwrite, progress, mapper
        As for `score_scene`.

    Returns
    -------
    iterator of Outcome
        In the order of the scenes; each is scored when it is asked for, or before by workers.

    Raises
    ------
    ConfigError
        At once, if ``tile``, ``min_area`` or ``threads`` is none, a covariate is written wrongly,
        two scenes would write the same files, or one would replace what another is read from.
    """
    require_tile(tile)
    require_min_area(min_area)
    require_threads(threads)
    _require_own_names(scenes)
    read = [path for scene in scenes for path in as_paths(scene)]
    besides = [*([] if mask is None else [mask]), *rasters_of(covariates)]
    inputs = [identify(path) for path in (*read, *besides)]
    for scene in scenes:
        require_apart(Outputs(Path(folder), stem_of(_name(scene))), inputs)
    options: dict[str, Any] = {
        "tile": tile,
        "min_area": min_area,
        "threads": threads,
        "overwrite": overwrite,
    }
    if 0 < mapper.workers <= len(scenes):
        place = Path(folder).absolute()
        options |= {
            "mask": None if mask is None else absolute_uri(mask),
            "covariates": absolute_specs(covariates),
        }
        away = _Away(partial(score_scene, detector, folder=place, **options))
        outcomes = mapper(away, (tuple(map(absolute_uri, as_paths(scene))) for scene in scenes))
        return _gathered(outcomes, scenes, Path(folder), progress)
    options |= {"mask": mask, "covariates": covariates, "progress": progress, "mapper": mapper}
    here = partial(score_scene, detector, folder=folder, **options)
    return (_outcome(here, scene) for scene in scenes)


def _require_own_names(scenes: Sequence[SceneText]) -> None:
    stems = Counter(stem_of(_name(scene)) for scene in scenes)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise ConfigError(
            f"{stems[twice[0]]} scenes are called {twice[0]!r} and would write the same files. "
            f"Score them into different folders, or rename them."
        )


def _name(scene: SceneText) -> str:
    """Name a scene; several dates by the newest."""
    return str(as_paths(scene)[-1])


def _outcome(score: Callable[[SceneText], MapResult], scene: SceneText) -> Outcome:
    """Score a scene; what is wrong with it, or the machine's memory or disk, is its own failure."""
    try:
        return Outcome(_name(scene), score(scene))
    except AnomvaeError as error:
        return Outcome(_name(scene), None, error)
    except (OSError, MemoryError) as error:
        told = RasterError(
            f"{_name(scene)} cannot be scored: {error or 'there is not enough memory'}. "
            f"Check permissions, free space and memory; a smaller tile needs less."
        )
        told.__cause__ = error
        return Outcome(_name(scene), None, told)


@dataclass(frozen=True)
class _Away:
    """The work on a scene, sent to another process with the scene's name."""

    score: Callable[[SceneText], MapResult]

    def __call__(self, scene: SceneText) -> Outcome:
        """Score a scene where this is run."""
        torch.set_num_threads(1)  # the other cores have workers of their own
        return _outcome(self.score, scene)


def _gathered(
    outcomes: Iterator[Outcome], scenes: Sequence[SceneText], folder: Path, progress: Progress
) -> Iterator[Outcome]:
    """Tell what workers made, in the names by which the scenes and the folder were given."""
    for done, (scene, outcome) in enumerate(zip(scenes, outcomes, strict=True), start=1):
        progress("scenes", done, len(scenes))
        if outcome.result is None:
            yield replace(outcome, scene=_name(scene))
            continue
        outputs = replace(outcome.result.outputs, folder=folder)
        yield _arrived(_name(scene), replace(outcome.result, scene=_name(scene), outputs=outputs))


def _arrived(scene: str, result: MapResult) -> Outcome:
    """Make sure that what a worker wrote is here, too."""
    if result.outputs.summary.exists():
        return Outcome(scene, result)
    lost = WorkersLost(
        f"{scene} was scored, but its results are not in this machine's folder. "
        f"Name a folder that all workers share, or give more workers than scenes."
    )
    return Outcome(scene, None, lost)
