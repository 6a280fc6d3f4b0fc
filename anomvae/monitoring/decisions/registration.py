"""Whether a scene lies beside the other scenes of its site, although its georeference agrees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from ...errors import AnomvaeError
from ...pixels.bands import Bands
from ...raster import Scene
from ...stats.registration import (
    LARGEST,
    Displacement,
    Image,
    comparison_windows,
    displacement,
)
from ..config import SiteConfig
from ..scoring import scene_at
from ..sources import FoundScene
from .passes import ScenePass

log = logging.getLogger(__name__)

DISPLACED = "on the same grid: looks like another registration"
"""End of the reason for which a displaced scene is not comparable."""
COMPARED = 4
"""Bands that are compared, at most, evenly over those of a scene."""


def displaced_scene(
    site: SiteConfig, found: FoundScene, others: Iterable[FoundScene]
) -> str | None:
    """Return why a scene of a site lies beside others, see `displaced`."""
    alone = (scene_at(site, replace(one, before=())) for one in others)
    return displaced(scene_at(site, replace(found, before=())), alone, site.max_displacement)


def references(
    scene: ScenePass,
    comparable: Sequence[ScenePass],
    others: Callable[[], Sequence[ScenePass]],
    offered: Mapping[str, FoundScene],
) -> Iterator[FoundScene]:
    """Yield the scenes of a site that a scene is compared with, as far as they are still there.

    Parameters
    ----------
    scene : ScenePass
        The scene.
    comparable : sequence of ScenePass
        The comparable scenes of the site, in order: the one before it comes first.
    others : callable
        Returns those that are not comparable: a newer one comes next.
    offered : mapping
        The scenes of the source by their names.
    """
    first = reference_pass(comparable, scene)
    yield from _there(first, offered)
    second = reference_pass(others(), scene)
    if first is not None and second is not None and first.order < second.order < scene.order:
        yield from _there(second, offered)


def _there(one: ScenePass | None, offered: Mapping[str, FoundScene]) -> Iterator[FoundScene]:
    """Yield the scene of a pass if the source offers it in the same state."""
    found = None if one is None else offered.get(one.source)
    if found is not None and one is not None and found.identity == one.key.scene:
        yield found


def reference_pass(passes: Sequence[ScenePass], scene: ScenePass) -> ScenePass | None:
    """Return the newest comparable pass before a scene, or else the first one after it."""
    others = [each for each in passes if each.source != scene.source]
    earlier = [each for each in others if each.order < scene.order]
    return earlier[-1] if earlier else others[0] if others else None


def displaced(scene: Scene, references: Iterable[Scene], most: float) -> str | None:
    """Return why a scene is not comparable because it lies beside others; None if it does not.

    Parameters
    ----------
    scene : Scene
        The scene.
    references : iterable of Scene
        Scenes of the site.  It lies beside them only if it lies beside all of them: a displacement
        that a later one shares is the new geometry of the site.
    most : float
        Displacement that is none, pixels.
    """
    if most >= LARGEST:
        return None
    found = None
    for reference in references:
        shift = shift_between(reference, scene)
        if shift is None or shift.distance <= most:
            return None if found is None or shift is not None else _reason(found)
        found = found or shift
    return None if found is None else _reason(found)


def shift_between(reference: Scene, scene: Scene) -> Displacement | None:
    """Return how far a scene lies from another one of the same grid.

    None where they do not show it, one of them cannot be read, or their grids differ.
    """
    try:
        return displacement(_pairs(replace(reference, normal=None), scene))
    except AnomvaeError as error:
        log.info("not compared", extra={"facts": {"scene": scene.name, "reason": str(error)}})
        return None


def _pairs(reference: Scene, scene: Scene) -> Iterator[tuple[Image, Image]]:
    with scene.open() as opened:
        bands = _some(opened.bands)
    with ExitStack() as stack:
        older, newer = (stack.enter_context(each.open(bands)) for each in (reference, scene))
        if older.grid != newer.grid:
            return
        for window in comparison_windows(newer.grid.shape):
            yield older.read(window)[-1], newer.read(window)[-1]


def _some(bands: Bands) -> Bands:
    step = -(-len(bands) // COMPARED)
    return bands.keep(list(bands)[::step])


def _reason(shift: Displacement) -> str:
    down = "down" if shift.rows > 0 else "up"
    right = "right" if shift.cols > 0 else "left"
    return (
        f"it lies {abs(shift.rows):.1f} pixels further {down} and {abs(shift.cols):.1f} further "
        f"{right} than the scene before, {DISPLACED}"
    )
