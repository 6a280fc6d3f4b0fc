"""The picture of a scene: its bands in colour, from the input that was scored if that is there.

A cell of the picture shows its middle pixel, by nearest neighbour, as the quick look does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..addresses import displayed, is_local
from ..errors import AnomvaeError
from ..mapping.drawing import stretched
from ..mapping.finished import is_as_scored
from ..mapping.scene_colours import SceneColours
from ..parallel import Progress, captured_warnings, quiet
from ..pixels.tiling import Window, fitting_size, tiles
from ..raster import Access, OpenScene, Scene
from ..raster.access import DEFAULT
from .cells import CellGrid
from .results import ScoredScene


@dataclass(frozen=True, eq=False)
class ScenePicture:
    """The picture of a scene, or why there is none."""

    image: NDArray[np.uint8] | None
    """Colours, axes (row, col, 4): red, green, blue, and 0 where a cell has no data; of the cells
    of the maps.  None: there is no picture."""
    caption: str
    """Which bands are shown; empty without a picture."""
    missing: str = ""
    """Why there is no picture: a sentence."""
    parts: tuple[NDArray[np.uint8], ...] = ()
    """Windows of it at full resolution, in the same colours; axes (row, col, 4)."""


def scene_picture(
    scene: ScoredScene,
    grid: CellGrid,
    windows: Sequence[Window] = (),
    *,
    progress: Progress = quiet,
    access: Access = DEFAULT,
) -> ScenePicture:
    """Read the picture of a scene, if the input that was scored is still there, unchanged.

    Of ``windows`` there are parts at full resolution.
    """
    name = scene.result.scene
    if not is_local(name):
        return _none(f"The scene {displayed(name)} lies on a server, from which nothing is read.")
    if not (os.path.isfile(name) or os.path.isdir(name)):
        return _none(f"The scene {displayed(name)} is no longer where it was scored.")
    try:
        with captured_warnings(), Scene.of(name, access=access).open() as opened:
            if opened.grid.shape != grid.shape:
                return _changed(name)
            if not is_as_scored(scene.result, opened):
                return _changed(name)
            return _read(opened, grid, windows, progress)
    except AnomvaeError as error:
        return _none(f"The scene cannot be read again: {error}")


def _none(why: str) -> ScenePicture:
    return ScenePicture(None, "", why)


def _changed(name: str) -> ScenePicture:
    return _none(f"The scene {displayed(name)} is another one than that which was scored.")


def _read(
    opened: OpenScene, grid: CellGrid, windows: Sequence[Window], progress: Progress
) -> ScenePicture:
    colours = SceneColours.of(opened)
    image = np.full((*grid.cells, 3), np.nan, np.float32)
    rows, cols = grid.middles()
    for window in _windows(opened, grid, len(colours.bands)):
        inner = [
            np.flatnonzero((middles >= part.start) & (middles < part.stop))
            for middles, part in zip((rows, cols), window, strict=True)
        ]
        if all(len(part) for part in inner):
            values = colours.read(window)
            picked = np.ix_(rows[inner[0]] - window[0].start, cols[inner[1]] - window[1].start)
            image[np.ix_(*inner)] = values[picked]
        progress("picture", window[0].stop, grid.shape[0])
    parts = [colours.read(window) for window in windows]
    whole, *near = _coloured([image, *parts])
    return ScenePicture(whole, colours.caption, parts=tuple(near))


def _windows(opened: OpenScene, grid: CellGrid, bands: int) -> Iterator[Window]:
    """Cut the scene into windows of whole file blocks, or into the rows that are shown.

    A block of many bands is decompressed whole, whatever is read of it.
    """
    block = opened.block_shape
    if block[0] * 2 <= grid.side:
        for row in grid.middles()[0].tolist():
            yield slice(row, row + 1), slice(0, grid.shape[1])
        return
    for tile in tiles(grid.shape, fitting_size(grid.shape, block, max(bands, 1))):
        yield tile.keep


def _coloured(images: Sequence[NDArray[np.float32]]) -> list[NDArray[np.uint8]]:
    """Stretch images (row, col, 3) alike, to colours (row, col, 4), transparent without data."""
    pixels = np.concatenate([image.reshape(-1, 1, 3) for image in images])
    known = np.isfinite(pixels).all(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        colours = np.rint(stretched(pixels) * 255).astype(np.uint8)
    opaque = np.concatenate([colours, np.where(known, np.uint8(255), np.uint8(0))], axis=-1)
    ends = np.cumsum([image.shape[0] * image.shape[1] for image in images])[:-1]
    parts = zip(images, np.split(opaque, ends), strict=True)
    return [part.reshape(*image.shape[:2], 4) for image, part in parts]
