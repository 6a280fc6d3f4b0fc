"""A part of a scored scene as a picture: scene, score and flags around a place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..pixels.flag_classes import ANOMALOUS
from ..pixels.tiling import Tile, Window, shape_of, whole
from ..raster import OpenScene, Scene, open_raster
from ..raster.maps import open_map
from .deliverables import Deliverables
from .location import Location
from .quicklook import QuickLook, QuickLookSpec, drawn
from .result import read_summary

MARGIN = 16
"""Pixels around a place at least; a large one has half of its side around it."""


def around(place: Window, shape: tuple[int, int]) -> Window:
    """Return the window of a scene of a shape (row, col) that shows a place and what is around it.

    Examples
    --------
    >>> around((slice(100, 104), slice(0, 80)), (500, 90))
    (slice(60, 144, None), slice(0, 90, None))
    """
    margin = max(MARGIN, max(shape_of(place)) // 2)
    rows, cols = (
        slice(max(0, part.start - margin), min(side, part.stop + margin))
        for part, side in zip(place, shape, strict=True)
    )
    return rows, cols


def square_around(place: Window, shape: tuple[int, int]) -> Window:
    """Return a window that shows a place and what is around it, square where the scene allows.

    Examples
    --------
    >>> square_around((slice(100, 104), slice(0, 80)), (500, 300))
    (slice(22, 182, None), slice(0, 160, None))
    """
    longest = max(shape_of(place))
    side = longest + 2 * max(MARGIN, longest // 2)
    starts = [
        max(0, min((part.start + part.stop - side) // 2, length - side))
        for part, length in zip(place, shape, strict=True)
    ]
    rows, cols = (
        slice(start, min(length, start + side)) for start, length in zip(starts, shape, strict=True)
    )
    return rows, cols


def crop(scene: Scene | None, files: Deliverables, place: Window, title: str) -> bytes | None:
    """Draw a place of a scored scene and what is around it, as a PNG like the quick look.

    Parameters
    ----------
    scene : Scene or None
        None: score and flags alone are shown, of any scene whose maps are there.
    files : Deliverables
        Its results.
    place : tuple of slice
        Rows and columns in the scene.
    title : str
        What stands above.

    Returns
    -------
    bytes or None
        None where the results have no summary, or, after a warning, it cannot be drawn.

    Raises
    ------
    RasterError
        If the scene or its maps cannot be read any more.
    """
    summary = read_summary(files)
    if summary is None:
        return None
    with open_map(files.scores) as scores, open_raster(files.flags) as flags:
        window = around(place, scores.grid.shape)
        part = whole(shape_of(window))
        location = Location.of(scores.georeference, window)
        if scene is None:
            picture = QuickLook(QuickLookSpec.of(shape_of(part), location=location))
        else:
            picture = _of_scene(scene, window, part, location)
        flagged = flags.read_first(window) == ANOMALOUS
        picture.add_scores(part, scores.dataset.read_first(window), flagged)
    return drawn(title, picture, summary.threshold)


def picture_of(opened: OpenScene, window: Window) -> NDArray[np.float32]:
    """Return red, green and blue of a window of a scene, data units, axes (row, col, 3).

    Raises
    ------
    RasterError
        If the scene cannot be read any more.
    """
    return _of_opened(opened, window, whole(shape_of(window)), None).image


def _of_scene(scene: Scene, window: Window, part: Window, location: Location | None) -> QuickLook:
    """Return a picture with the pixels of a window of a scene."""
    with scene.open() as opened:
        return _of_opened(opened, window, part, location)


def _of_opened(
    opened: OpenScene, window: Window, part: Window, location: Location | None
) -> QuickLook:
    declared = opened.newest.dataset.facts.picture
    spec = QuickLookSpec.of(shape_of(window), opened.bands, declared, location)
    picture = QuickLook(spec)
    picture.add_preview(part, spec.preview(Tile(part, part), opened.read(window)))
    return picture
