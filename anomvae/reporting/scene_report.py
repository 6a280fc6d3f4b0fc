"""All that a page shows of a scored scene, gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import AnomvaeError
from ..files import PathText
from ..parallel import Progress
from ..raster import Access
from ..raster.access import DEFAULT
from .cells import SIDE
from .maps import SceneMaps, read_maps
from .measured import MeasuredScene, measure_scene
from .objects import LISTED, SceneObjects, scene_objects
from .picture import ScenePicture, scene_picture
from .results import ScoredScene


@dataclass(frozen=True, eq=False)
class SceneReport:
    """All that a page shows of a scene."""

    scene: ScoredScene
    """Its results."""
    maps: SceneMaps | None
    """Its maps; None where they are gone."""
    picture: ScenePicture
    """Its bands in colour."""
    objects: SceneObjects
    """The strongest objects."""
    measured: MeasuredScene | None = None
    """What its scores are worth; None without labels."""
    notes: tuple[str, ...] = ()
    """What is missing, or does not fit: sentences."""

    @property
    def flagged_share(self) -> float:
        """Share of the pixels with a score that are flagged."""
        return self.scene.result.flagged / max(1, self.scene.result.valid)


@dataclass(frozen=True)
class Detail:
    """How much of a scene a page shows."""

    side: int = SIDE
    """Cells along the longer side of its maps."""
    objects: int = LISTED
    """Objects that are listed."""


FULL = Detail()


def gather(
    scene: ScoredScene,
    *,
    detail: Detail = FULL,
    labels: PathText | None = None,
    baselines: Sequence[str] = (),
    progress: Progress,
    access: Access = DEFAULT,
) -> SceneReport:
    """Gather what a page shows of a scene; files that are gone or damaged are stated.

    Raises
    ------
    RasterError, GridMismatch, ConfigError
        As `measure_scene`, where there are ``labels``.
    """
    # First, as labels that do not fit end the work.
    measured = None
    if labels is not None:
        measured = measure_scene(scene, labels, baselines, progress=progress, access=access)
    maps, notes = None, list(_gone(scene))
    try:
        maps = read_maps(scene, progress, access, detail.side)
    except AnomvaeError as error:
        notes.append(f"The maps cannot be shown: {error}")
    if maps is None:
        picture = ScenePicture(None, "")
    else:
        picture = scene_picture(scene, maps.grid, progress, access)
        notes += _of_other_runs(scene, maps)
    objects = scene_objects(scene, maps, detail.objects, access)
    notes += [text for text in (picture.missing, objects.missing) if text]
    return SceneReport(scene, maps, picture, objects, measured, tuple(notes))


def _gone(scene: ScoredScene) -> Sequence[str]:
    if not scene.gone:
        return ()
    names = ", ".join(scene.gone)
    verb = "is" if len(scene.gone) == 1 else "are"
    return (f"{names} {verb} listed in the summary but no longer in {scene.files.folder.name}.",)


def _of_other_runs(scene: ScoredScene, maps: SceneMaps) -> Sequence[str]:
    if maps.flags_digest in {"", scene.result.digest}:
        return ()
    return (f"{scene.files.flags.name} is of another run than the summary.",)
