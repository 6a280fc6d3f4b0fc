"""The map of a scene on a page: its picture, scores and flags as layers, and its objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..pages import Classes, ImageLayer, MapObject, Viewer, class_layer, flag_classes, score_layer
from ..pages import picture as picture_uri
from ..pages.maps import Layer
from ..pixels.flag_classes import ANOMALOUS, NO_DATA
from ..pixels.grid import IDENTITY
from .findings import place_of
from .maps import SceneMaps
from .picture import ScenePicture
from .scene_report import SceneReport
from .words import counted, number

SCORE, FLAGS, SCENE = "Score", "Flags", "Scene"
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
    rows, columns = maps.grid.shape
    grid = maps.where.grid
    located = grid.transform != IDENTITY
    return Viewer(
        rows,
        columns,
        tuple(_layers(report, maps)),
        name=f"Map of {report.scene.files.stem}",
        objects=tuple(_objects(report)),
        affine=grid.transform if located else None,
        crs=_crs(maps) if located else None,
        threshold=report.scene.result.threshold.value,
    )


def unit_of(report: SceneReport) -> str:
    """Return the unit of the score: nats, or none where it is weighted or a baseline's."""
    meaning = "" if report.maps is None else report.maps.tags.get("ANOMVAE_SCORE", "")
    return "nats" if "nats" in meaning and "not in nats" not in meaning else ""


def _layers(report: SceneReport, maps: SceneMaps) -> Iterator[Layer]:
    if report.picture.image is not None:
        yield ImageLayer(SCENE, picture_source(report.picture))
    if maps.scores is not None:
        shown = report.picture.image is None
        yield score_layer(SCORE, maps.scores, unit=unit_of(report), shown=shown, levels=LEVELS)
    if maps.classes is not None:
        yield _flags(maps)


def _flags(maps: SceneMaps) -> Classes:
    follows = None if maps.scores is None else SCORE
    assert maps.classes is not None
    return class_layer(FLAGS, maps.classes, flag_classes(), follows=follows)


def picture_source(picture: ScenePicture) -> str:
    """Return the picture of a scene as an address that holds it."""
    image = picture.image
    assert image is not None
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


def _crs(maps: SceneMaps) -> str | None:
    name = maps.where.crs_name
    if name is None or len(name) <= 40:
        return name
    return "its own coordinate system"


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
        cells = np.maximum.reduceat(np.maximum.reduceat(flagged, rows, axis=0), cols, axis=1)
        base[cells > 0] = (214, 26, 28)
    return picture_uri(base)


def _base(report: SceneReport, maps: SceneMaps) -> NDArray[np.uint8]:
    if report.picture.image is not None:
        return on_grey(report.picture.image)
    shape = maps.grid.cells
    known = np.ones(shape, np.bool_) if maps.classes is None else maps.classes != NO_DATA
    grey = np.where(known, np.uint8(210), np.uint8(GREY))
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)
