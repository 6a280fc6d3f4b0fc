"""A part of a finished map as images: scene, score and flags, reduced to what a picture shows.

A pixel of an image stands for a cell of pixels of the map, as in the quick look: it has the largest
score of the cell, is flagged where one of its pixels is, and shows the middle pixel of the scene.
Maps and scenes are read window by window, so memory does not grow with them.  Axes are (row, col[,
band]).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..addresses import displayed
from ..errors import AnomvaeError, FileError
from ..parallel import Progress, captured_warnings, quiet
from ..pixels.flag_classes import ANOMALOUS
from ..pixels.flag_classes import NO_DATA as MISSING
from ..pixels.tiling import SamplingGrid, Window, fitting_size, shape_of, tiles
from ..raster import Access, Georeference, OpenScene, Scene, open_map, open_raster
from ..raster.access import DEFAULT
from .deliverables import Deliverables
from .drawing import stretched
from .finished import is_as_scored
from .flagging import WINDOW
from .panels import read_panels
from .quicklook import QuickLook, QuickLookSpec
from .result import MapResult
from .scene_colours import SceneColours

Array = NDArray[np.float32]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ShownScene:
    """What shows the scene of a map; `scene_to_show` finds it."""

    scene: Scene | None
    """The scene itself."""
    image: Array | None
    """That in the quick look, colours in [0, 1]."""
    caption: str
    """Which bands are shown, or why none are."""

    @property
    def is_there(self) -> bool:
        """Whether there is anything to show."""
        return self.scene is not None or self.image is not None


@dataclass(frozen=True, eq=False)
class MapImages:
    """A part of a map as images of one size."""

    georeference: Georeference
    """That of the whole map."""
    window: Window
    """The part of the map."""
    scores: Array
    """The largest score of each cell; NaN = none has a score."""
    classes: NDArray[np.uint8]
    """Anomalous where one pixel of a cell is, else the class of its middle pixel."""
    scene: Array | None
    """The scene, colours in [0, 1], that of a quick look in its own size; None: not there."""


def scene_to_show(
    result: MapResult, where: Georeference, given: Scene | None, *, is_whole: bool
) -> ShownScene:
    """Find the scene of a map.

    It is the given one, else that of the summary if it is still there, unchanged, else, of a whole
    map, that in the quick look.  None is looked for on a server.

    Raises
    ------
    GridMismatch
        If the given scene is on another grid than the map.
    RasterError
        If it cannot be read.
    """
    if given is not None:
        with _opened(given, where) as opened:
            return ShownScene(given, None, SceneColours.of(opened).caption)
    name, reason = displayed(result.scene), "is not there"
    try:
        if Path(result.scene).exists():
            scene = Scene.of(result.scene)
            with _opened(scene, where) as opened:
                if is_as_scored(result, opened):
                    return ShownScene(scene, None, SceneColours.of(opened).caption)
            reason = "is another one than that which was scored"
    except AnomvaeError as error:
        log.info("the scene of %s is not shown: %s", result.files.stem, error)
        reason = "cannot be shown"
    panels = read_panels(result.files.quicklook) if is_whole else None
    if panels is None:
        return ShownScene(None, None, f"The scene is not shown: {name} {reason}.")
    image = np.divide(panels.scene, 255, dtype=np.float32)
    return ShownScene(None, image, f"{panels.caption} (from the quick look: {name} {reason})")


def read_images(
    result: MapResult,
    window: Window,
    shown: ShownScene,
    *,
    side: int,
    access: Access = DEFAULT,
    progress: Progress = quiet,
) -> MapImages:
    """Read a part of a map as images of at most ``side`` pixels a side.

    Raises
    ------
    FileError
        If map or flags are missing or cannot be read.
    GridMismatch
        If flags are on another grid.
    """
    files = result.files
    require_maps(files)
    with open_map(files.scores, access) as scores, open_raster(files.flags, access=access) as flags:
        scores.grid.require_same(flags.grid, scores.dataset.name, flags.name)
        images = QuickLook(QuickLookSpec(SamplingGrid.fitting(shape_of(window), side), []))
        classes = np.zeros(images.grid.shape, np.uint8)
        for keep, read in _windows(window, WINDOW, "map", progress):
            values = flags.read_first(read)
            images.add_scores(keep, scores.dataset.read_first(read), values == ANOMALOUS)
            place, (rows, cols) = images.grid.part(keep)
            classes[place] = np.nan_to_num(values[rows[:, np.newaxis], cols], nan=MISSING)
        classes[images.flags] = ANOMALOUS
        where = scores.georeference
    image = shown.image
    if shown.scene is not None:
        image = _colours(shown.scene, window, images.grid, progress)
    return MapImages(where, window, images.scores, classes, image)


def require_maps(files: Deliverables) -> None:
    """Require the maps of results; raise `FileError` where one is missing."""
    for path in (files.scores, files.flags):
        if not path.is_file():
            raise FileError(
                f"{files.folder} holds no {path.name}: it was moved, or deleted. Score the scene "
                f"again (anomvae score --overwrite)."
            )


def _windows(
    part: Window, size: tuple[int, int], step: str, progress: Progress
) -> Iterator[tuple[Window, Window]]:
    """Yield the windows of a part, in the part and in the map."""
    shape = shape_of(part)
    done = 0
    for tile in tiles(shape, size):
        rows, cols = (
            slice(outer.start + inner.start, outer.start + inner.stop)
            for outer, inner in zip(part, tile.keep, strict=True)
        )
        yield tile.keep, (rows, cols)
        done += int(np.prod(tile.shape))
        progress(step, done, int(np.prod(shape)))


@contextmanager
def _opened(scene: Scene, where: Georeference) -> Iterator[OpenScene]:
    """Open a scene on the grid of a map."""
    with captured_warnings(), scene.open() as opened:
        opened.grid.require_same(where.grid, opened.name, "the map")
        yield opened


def _colours(scene: Scene, part: Window, grid: SamplingGrid, progress: Progress) -> Array:
    """Read three bands of a scene; masks hide nothing."""
    with captured_warnings(), scene.open() as opened:
        colours = SceneColours.of(opened)
        image = np.full((*grid.shape, 3), np.nan, np.float32)
        size = fitting_size(shape_of(part), opened.block_shape, len(colours.bands))
        for keep, read in _windows(part, size, "scene", progress):
            place, (rows, cols) = grid.part(keep)
            if rows.size and cols.size:
                image[place] = colours.read(read)[rows[:, np.newaxis], cols]
        return stretched(image)
