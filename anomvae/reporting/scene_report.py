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
from .close_ups import OBJECTS, close_ups
from .maps import CloseUp, SceneMaps, read_close_ups, read_maps
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
    close_ups: tuple[CloseUp, ...] = ()
    """Its maps at full resolution around the strongest objects; the picture has their parts."""
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
    close_ups: int = OBJECTS
    """Objects that are shown at full resolution."""


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
    objects = scene_objects(scene, maps, detail.objects, access)
    picture = ScenePicture(None, "")
    near: tuple[CloseUp, ...] = ()
    if maps is not None:
        windows = close_ups(maps.grid, objects.listed, detail.close_ups)
        near = read_close_ups(scene, windows, access)
        picture = scene_picture(scene, maps.grid, windows, progress=progress, access=access)
        notes += _of_other_runs(scene, maps)
    notes += [text for text in (picture.missing, objects.missing) if text]
    return SceneReport(scene, maps, picture, objects, near, measured, tuple(notes))


def _gone(scene: ScoredScene) -> Sequence[str]:
    if not scene.gone:
        return ()
    names = ", ".join(scene.gone)
    verb = "is" if len(scene.gone) == 1 else "are"
    return (f"{names} {verb} listed in the summary but no longer in {scene.files.folder.name}.",)


def _of_other_runs(scene: ScoredScene, maps: SceneMaps) -> Sequence[str]:
    files, others = scene.files, []
    if maps.scores is not None and not _of_summary(scene, maps):
        others.append(files.scores.name)
    if maps.flags_digest not in {"", scene.result.digest}:
        others.append(files.flags.name)
    return tuple(f"{name} is of another run than the summary." for name in others)


def _of_summary(scene: ScoredScene, maps: SceneMaps) -> bool:
    """Return whether an anomaly map may be that of the summary.

    Its digest does not decide that, for `rethreshold` makes other results of the same map.
    """
    known = 0 if maps.bars is None else int(maps.bars.counts.sum())
    detector = maps.tags.get("ANOMVAE_DETECTOR", scene.result.detector)
    return detector == scene.result.detector and known == scene.result.valid
