"""Score many scenes: one that fails does not stop the others.

With at least as many scenes as workers, each worker makes the deliverables of a scene on its own;
with fewer, the workers share the tiles of one scene after the other.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..errors import AnomvaeError, BrokenEnvironment, ConfigError, WorkersLost
from ..files import PathText, SceneText
from ..parallel import Mapper, Progress, captured_warnings, quiet, serial
from ..parallel.threads import blas_threads
from ..raster import Scene
from ..stats.thresholds import parse_rule
from .deliverables import Deliverables
from .flagging import require_p_values
from .options import ScoreOptions
from .outcomes import Outcome
from .score import DEFAULT, score_scene
from .scorer import Scorer

log = logging.getLogger(__name__)


def score_scenes(
    detector: Scorer,
    scenes: Sequence[SceneText | Scene],
    folder: PathText,
    options: ScoreOptions = DEFAULT,
    *,
    progress: Progress = quiet,
    mapper: Mapper = serial,
) -> Iterator[Outcome]:
    """Score scenes one after the other, or several at a time where there are workers.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scenes : sequence of scenes
        Each as for `score_scene`.
    folder : path
        The deliverables of all scenes go there.
    options, progress, mapper
        As for `score_scene`.

    Returns
    -------
    iterator of Outcome
        In the order of the scenes; without workers, a scene is scored when its outcome is taken.

    Raises
    ------
    ConfigError
        At once, if two scenes would write the same files, or one would replace an input of
        another, or p-values are wanted of a rule that has none.
    BrokenEnvironment
        When PROJ does not work here, or on a worker.
    """
    closed = [Scene.of(scene) for scene in scenes]
    _require_own_names(closed)
    require_p_values(parse_rule(detector.threshold.rule), options)
    inputs = [file for scene in closed for file in scene.identity]
    for scene in closed:
        Deliverables(Path(folder), scene.stem).require_apart(inputs)
    if 0 < mapper.workers <= len(closed):
        task = partial(_score_alone, detector, Path(folder).absolute(), options)
        outcomes = mapper(task, (scene.absolute() for scene in closed))
        return _from_workers(outcomes, closed, Path(folder), progress)
    return map(partial(_score, detector, folder, options, progress, mapper), closed)


def _require_own_names(scenes: Sequence[Scene]) -> None:
    for stem, count in Counter(scene.stem for scene in scenes).items():
        if count > 1:
            raise ConfigError(
                f"{count} scenes are called {stem!r} and would write the same files. "
                f"Score them into different folders, or rename them."
            )


def _score_alone(detector: Scorer, folder: Path, options: ScoreOptions, scene: Scene) -> Outcome:
    """Score a whole scene in a worker."""
    blas_threads(1)  # the other cores have workers of their own
    with captured_warnings() as warnings:
        outcome = _score(detector, folder, options, quiet, serial, scene)
    return replace(outcome, warnings=tuple(warnings))


def _score(
    detector: Scorer,
    folder: PathText,
    options: ScoreOptions,
    progress: Progress,
    mapper: Mapper,
    scene: Scene,
) -> Outcome:
    """Score a scene; its fault fails no other scene."""
    try:
        result = score_scene(detector, scene, folder, options, progress=progress, mapper=mapper)
        return Outcome(scene.name, result)
    except BrokenEnvironment:  # no scene's fault
        raise
    except AnomvaeError as error:
        return Outcome(scene.name, None, error)


def _from_workers(
    outcomes: Iterator[Outcome], scenes: Sequence[Scene], folder: Path, progress: Progress
) -> Iterator[Outcome]:
    """Yield the outcomes of workers, with scenes and folder as the user named them."""
    for count, (scene, outcome) in enumerate(zip(scenes, outcomes, strict=True), start=1):
        progress("scenes", count, len(scenes))
        for message in outcome.warnings:
            log.warning("%s", message)
        result, error = outcome.result, outcome.error
        if result is not None:
            result = replace(result, scene=scene.name, files=replace(result.files, folder=folder))
            if not result.files.summary.exists():
                error = WorkersLost(
                    f"{scene.name} was scored, but its results are not in this machine's folder. "
                    f"Name a folder that all workers share, or give more workers than scenes."
                )
        yield Outcome(scene.name, result if error is None else None, error)
