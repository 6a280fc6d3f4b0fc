"""The map of a scene on a page: its picture, scores and flags as layers, and its objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..mapping.layer_styles import unit_of as unit_of_meaning
from ..pages import Classes, ImageLayer, MapObject, Viewer, class_layer, flag_classes, score_layer
from ..pages import picture as picture_uri
from ..pages.maps import Box, Class, Layer
from ..pixels.flag_classes import ANOMALOUS, COLOURS, MASKED, NO_DATA, NORMAL
from ..pixels.tiling import Window, pooled
from ..words import counted, number
from .findings import place_of
from .maps import Classes as Flags
from .maps import SceneMaps, Scores
from .scene_report import SceneReport

Cells = TypeVar("Cells", NDArray[np.float32], NDArray[np.uint8])

SCORE, FLAGS, MASKS, SCENE = "Score", "Flags", "Masks", "Scene"
_KNOWN = {each.value: each for each in flag_classes()}
FLAG_CLASSES = tuple(
    replace(each, colour=None if each.value >= MASKED else each.colour) for each in _KNOWN.values()
)
"""Classes of flags; those of masks are a layer of their own."""
MASK_CLASSES = (_KNOWN[MASKED], _KNOWN[NO_DATA], Class(NORMAL, "clear", None))
"""Classes of masks."""
LEVELS = 1022
"""Steps of a score on a page, even in log(1 + score): a picture of fewer is much smaller."""
SHARP = 400_000
"""Cells up to which the picture of a scene is kept as it is; a larger one is a JPEG."""
QUALITY = 82
GREY = 0x66
"""What a JPEG shows where there is no data."""


def map_view(report: SceneReport) -> Viewer | None:
    """Return the map of a scene; None where its maps are gone."""
    maps = report.maps
    if maps is None:
        return None
    return Viewer.of(
        maps.where,
        tuple(_layers(report, maps)),
        name=f"Map of {report.scene.files.stem}",
        objects=tuple(_objects(report)),
        threshold=report.scene.result.threshold.value,
    )


def unit_of(report: SceneReport) -> str:
    """Return the unit of the score; empty where it is weighted or a baseline's."""
    return unit_of_meaning(report.scene.result.meaning)


def _layers(report: SceneReport, maps: SceneMaps) -> Iterator[Layer]:
    """Yield the layers, each with its parts at full resolution behind it."""
    whole = _whole(maps)
    if report.picture.image is not None:
        yield ImageLayer(SCENE, picture_source(report.picture.image), box=whole)
        for near, part in zip(report.close_ups, report.picture.parts, strict=True):
            yield ImageLayer(SCENE, picture_uri(part), box=_box(near.window))
    if maps.scores is not None:
        yield from _scores(report, maps.scores, whole)
    if maps.classes is not None:
        yield _flags(report, _without(maps.classes, report, NORMAL), whole)
        for near in report.close_ups:
            if near.classes is not None:
                yield _flags(report, near.classes, _box(near.window))
        if (maps.classes >= MASKED).any():
            yield class_layer(MASKS, _hidden(maps.classes), MASK_CLASSES, box=whole)


def _scores(report: SceneReport, scores: Scores, whole: Box | None) -> Iterator[Layer]:
    near = [one for one in report.close_ups if one.scores is not None]
    every = [scores.ravel(), *(one.scores.ravel() for one in near if one.scores is not None)]
    known = np.concatenate(every)
    known = known[np.isfinite(known)]
    low, high = (max(0.0, float(end(known))) for end in (np.min, np.max)) if known.size else (0, 1)
    layer = partial(
        score_layer,
        SCORE,
        unit=unit_of(report),
        shown=report.picture.image is None,
        levels=LEVELS,
        limits=(low, high if high > low else low + 1),
    )
    yield layer(_without(scores, report, math.nan), box=whole)
    for one in near:
        if one.scores is not None:
            yield layer(one.scores, box=_box(one.window))


def _flags(report: SceneReport, classes: Flags, box: Box | None) -> Classes:
    there = report.maps is not None and report.maps.scores is not None
    return class_layer(FLAGS, classes, FLAG_CLASSES, follows=SCORE if there else None, box=box)


def _hidden(classes: Flags) -> Flags:
    """Return the classes of masks: pixels with a score are clear."""
    return np.where(classes >= MASKED, classes, np.uint8(NORMAL))


def _without(cells: Cells, report: SceneReport, value: float) -> Cells:
    """Return cells, with a value where they are shown at full resolution: these are transparent."""
    if not report.close_ups or report.maps is None:
        return cells
    result = cells.copy()
    for near in report.close_ups:
        np.copyto(result[report.maps.grid.part(near.window)[0]], value)
    return result


def _whole(maps: SceneMaps) -> Box | None:
    """Return what the cells cover, which may be more than the scene."""
    side = maps.grid.side
    return None if side == 1 else (0, 0, maps.grid.cells[0] * side, maps.grid.cells[1] * side)


def _box(window: Window) -> Box:
    rows, cols = window
    return rows.start, cols.start, rows.stop, cols.stop


def picture_source(image: NDArray[np.uint8]) -> str:
    """Return the picture of a scene (row, col, 4) as an address that holds it."""
    if image.shape[0] * image.shape[1] <= SHARP:
        return picture_uri(image)
    return picture_uri(on_grey(image), quality=QUALITY)


def on_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return colours (row, col, 3), grey where an image (row, col, 4) is transparent."""
    return np.where(image[..., 3:] > 0, image[..., :3], np.uint8(GREY))


def _objects(report: SceneReport) -> Iterator[MapObject]:
    for listed in report.objects.listed:
        item = listed.item
        note = f"{counted(item.area_px, 'pixel')}, scores up to {number(item.score_max)}, "
        note += place_of(report, item)
        yield MapObject(str(item.id), listed.rings, str(item.rank or item.id), note)


def thumbnail(report: SceneReport, side: int) -> str:
    """Return a small picture of a scene with its flags in red; empty where there is none."""
    maps = report.maps
    if maps is None:
        return ""
    step = max(1, -(-max(maps.grid.cells) // side))
    base = _base(report, maps)[::step, ::step].copy()
    if maps.classes is not None:
        rows, cols = (np.arange(0, length, step) for length in maps.grid.cells)
        flagged = (maps.classes == ANOMALOUS).astype(np.uint8)
        base[pooled(flagged, (rows, cols), np.maximum) > 0] = COLOURS[ANOMALOUS]
    return picture_uri(base)


def _base(report: SceneReport, maps: SceneMaps) -> NDArray[np.uint8]:
    if report.picture.image is not None:
        return on_grey(report.picture.image)
    shape = maps.grid.cells
    known = np.ones(shape, np.bool_) if maps.classes is None else maps.classes != NO_DATA
    grey = np.where(known, np.uint8(210), np.uint8(GREY))
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)
