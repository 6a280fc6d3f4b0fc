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
from ..files import PathText, identify
from ..outputs import MapResult, Outputs, require_apart
from ..parallel import Mapper, Progress, quiet, serial
from ..raster import everywhere, stem_of
from .scene import score_scene
from .work import Scorer, require_threads, require_tile


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
    tile: int | None = None,
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
    scenes : sequence of path
        Rasters with the detector's bands.
    folder : path
        Where the deliverables of all scenes go.
    mask, tile, threads, overwrite, progress, mapper
        As for `score_scene`.

    Returns
    -------
    iterator of Outcome
        In the order of the scenes; each is scored when it is asked for, or before by workers.

    Raises
    ------
    ConfigError
        At once, if ``tile`` or ``threads`` is none, if two scenes would write the same files, or
        one would replace what another is read from.
    """
    require_tile(tile)
    require_threads(threads)
    _require_own_names(scenes)
    inputs = [identify(path) for path in (*scenes, *([] if mask is None else [mask]))]
    for scene in scenes:
        require_apart(Outputs(Path(folder), stem_of(str(scene))), inputs)
    options: dict[str, Any] = {"tile": tile, "threads": threads, "overwrite": overwrite}
    if 0 < mapper.workers <= len(scenes):
        place = Path(folder).absolute()
        mask = None if mask is None else everywhere(mask)
        away = _Away(partial(score_scene, detector, folder=place, mask=mask, **options))
        outcomes = mapper(away, map(everywhere, scenes))
        return _gathered(outcomes, scenes, Path(folder), progress)
    here = partial(
        score_scene, detector, folder=folder, mask=mask, progress=progress, mapper=mapper, **options
    )
    return (_outcome(here, scene) for scene in scenes)


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


@dataclass(frozen=True)
class _Away:
    """The work on a scene, sent to another process with the scene's name."""

    score: Callable[[PathText], MapResult]

    def __call__(self, scene: PathText) -> Outcome:
        """Score a scene where this is run."""
        torch.set_num_threads(1)  # the other cores have workers of their own
        return _outcome(self.score, scene)


def _gathered(
    outcomes: Iterator[Outcome], scenes: Sequence[PathText], folder: Path, progress: Progress
) -> Iterator[Outcome]:
    """Tell what workers made, in the names by which the scenes and the folder were given."""
    for done, (scene, outcome) in enumerate(zip(scenes, outcomes, strict=True), start=1):
        progress("scenes", done, len(scenes))
        if outcome.result is None:
            yield replace(outcome, scene=str(scene))
            continue
        outputs = replace(outcome.result.outputs, folder=folder)
        yield _arrived(str(scene), replace(outcome.result, scene=str(scene), outputs=outputs))


def _arrived(scene: str, result: MapResult) -> Outcome:
    """Make sure that what a worker wrote is here, too."""
    if result.outputs.summary.exists():
        return Outcome(scene, result)
    lost = WorkersLost(
        f"{scene} was scored, but its results are not in this machine's folder. "
        f"Name a folder that all workers share, or give more workers than scenes."
    )
    return Outcome(scene, None, lost)
