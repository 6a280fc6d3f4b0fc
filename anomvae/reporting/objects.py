"""The objects of a scene that a page lists: the strongest, with outlines in pixel coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from ..errors import AnomvaeError, FileError
from ..mapping.object_outlines import outlines_of
from ..objects import AnomalyObject, Objects, Provenance, pixels_of, read_strongest_objects
from ..objects.outlines import rings_of_mask
from ..pixels.flag_classes import ANOMALOUS
from ..pixels.tiling import Window
from ..raster import Access
from ..raster.access import DEFAULT
from .maps import Classes, SceneMaps
from .results import ScoredScene

LISTED = 2000
"""Objects of a scene that are listed, at most."""
OUTLINED = 500
"""Objects of a scene whose outlines follow their pixels, at most."""
LARGE = 50_000
"""Pixels of an object from which on its outline follows the cells of the map."""
POINTS = 60_000
"""Points of all outlines; beyond, objects are outlined by rectangles."""

Ring = tuple[tuple[int, int], ...]
"""Points (row, col), the first one not repeated; (0, 0) is the corner of the first pixel."""


@dataclass(frozen=True)
class ListedObject:
    """An object, and where it lies in the map."""

    item: AnomalyObject
    """As its file has it."""
    rings: tuple[Ring, ...]
    """Its outline and its holes, or a rectangle or a square of its area around its peak."""


@dataclass(frozen=True)
class SceneObjects:
    """The objects of a scene that a page lists."""

    provenance: Provenance | None
    """Where they come from; None where there is no file."""
    listed: tuple[ListedObject, ...]
    """The strongest, by rank."""
    total: int
    """Objects that the file has."""
    missing: str = ""
    """Why there are none: a sentence; empty where there are, or nothing is anomalous."""


def scene_objects(
    scene: ScoredScene, maps: SceneMaps | None, most: int = LISTED, access: Access = DEFAULT
) -> SceneObjects:
    """Read the strongest objects of a scene; what is wrong with their file is stated."""
    total = scene.result.objects
    path = scene.files.objects
    if not path.is_file():
        return SceneObjects(None, (), total, f"{path.name} is gone, so no objects are listed.")
    try:
        objects = read_strongest_objects(path, most)
    except FileError as error:
        return SceneObjects(None, (), total, f"The objects cannot be read: {error}")
    if objects.provenance.digest != scene.result.digest:
        other = f"{path.name} is of another run than the summary, so no objects are listed."
        return SceneObjects(None, (), total, other)
    listed = tuple(_listed(scene, maps, objects, access))
    return SceneObjects(objects.provenance, listed, total)


def _listed(
    scene: ScoredScene, maps: SceneMaps | None, objects: Objects, access: Access
) -> Iterator[ListedObject]:
    """Yield the objects with their outlines, those of the strongest in detail."""
    traced = _traced(scene, maps, objects, access)
    left = POINTS
    for item in objects.items:
        rings = traced.get(item.id) or (_square(item),)
        points = sum(map(len, rings))
        if points > left and points > 4:
            rings, points = (_around(rings),), 4
        left -= points
        yield ListedObject(item, rings)


def _traced(
    scene: ScoredScene, maps: SceneMaps | None, objects: Objects, access: Access
) -> dict[int, tuple[Ring, ...]]:
    """Return the outlines of the strongest objects by their ids; none without flags of their run.

    Cells of single pixels are the flags themselves.
    """
    if maps is None or maps.classes is None or maps.flags_digest != objects.provenance.digest:
        return {}
    strongest = objects.items[:OUTLINED]
    in_cells = [item for item in strongest if maps.grid.side == 1 or item.area_px > LARGE]
    rings = {item.id: tuple(_of_cells(item, maps.classes, maps.grid.side)) for item in in_cells}
    others = replace(objects, items=tuple(item for item in strongest if item.id not in rings))
    with suppress(AnomvaeError):  # flags that were changed since
        for outline in outlines_of(scene.files, others, access) if others.items else ():
            rings[outline.item.id] = tuple(map(_ring, outline.rings))
    return rings


def _of_cells(item: AnomalyObject, classes: Classes, side: int) -> Iterator[Ring]:
    """Trace an object in the cells of the map around its peak."""

    def flagged(window: Window) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return np.asarray(classes[window] == ANOMALOUS)

    row, col = (place // side for place in item.peak)
    if not (row < classes.shape[0] and col < classes.shape[1] and classes[row, col] == ANOMALOUS):
        return
    shape = classes.shape[0], classes.shape[1]
    found = pixels_of(flagged, (row, col), shape)
    traced = rings_of_mask(found.mask)
    corner = np.array([found.window[1].start, found.window[0].start])
    for part in np.split((traced.points + corner) * side, traced.starts[1:]):
        yield _ring(part)


def _ring(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Ring:
    """Turn points (x, y) into (row, col)."""
    return tuple((int(y), int(x)) for x, y in points.tolist())


def _square(item: AnomalyObject) -> Ring:
    """Return a square of the area of an object around its peak."""
    half = max(1, round(item.area_px**0.5)) / 2
    row, col = item.peak
    top, left = (int(max(0, place + 0.5 - half)) for place in (row, col))
    side = max(1, round(2 * half))
    return _rectangle(top, left, top + side, left + side)


def _around(rings: Sequence[Ring]) -> Ring:
    """Return the rectangle around rings."""
    rows = [row for ring in rings for row, _ in ring]
    cols = [col for ring in rings for _, col in ring]
    return _rectangle(min(rows), min(cols), max(rows), max(cols))


def _rectangle(top: int, left: int, bottom: int, right: int) -> Ring:
    return ((top, left), (top, right), (bottom, right), (bottom, left))
