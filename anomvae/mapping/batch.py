"""Score many scenes: one that fails does not stop the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import AnomvaeError, ConfigError
from ..files import PathText
from ..parallel import Progress, quiet
from ..raster import stem_of
from .scene import Scorer, score_scene
from .summary import MapResult


@dataclass(frozen=True)
class Outcome:
    """What became of one scene."""

    scene: str
    """The scene as it was named."""
    result: MapResult | None
    """Its deliverables; None where it failed."""
    error: AnomvaeError | None = None
    """Why it failed."""


def score_scenes(
    detector: Scorer,
    scenes: Sequence[PathText],
    folder: PathText,
    *,
    mask: PathText | None = None,
    tile: int | None = None,
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
    mask, tile, overwrite, progress
        As for `score_scene`.

    Yields
    ------
    Outcome

    Raises
    ------
    ConfigError
        If two scenes would write the same files.
    """
    stems = Counter(stem_of(str(scene)) for scene in scenes)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise ConfigError(
            f"{stems[twice[0]]} scenes are called {twice[0]!r} and would write the same files. "
            f"Score them into different folders, or rename them."
        )
    for scene in scenes:
        try:
            result = score_scene(
                detector,
                scene,
                folder,
                mask=mask,
                tile=tile,
                overwrite=overwrite,
                progress=progress,
            )
            yield Outcome(str(scene), result)
        except AnomvaeError as error:
            yield Outcome(str(scene), None, error)
