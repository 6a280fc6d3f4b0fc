"""Pictures of an event: its ground before it began, and in the newest scene that shows it.

Pixels come from the scenes, where they are local files that still exist; else from the quick looks
beside their results, whose cells may be coarser.  No server is called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...addresses import is_local
from ...errors import AnomvaeError
from ...pixels.grid import Grid
from ...pixels.tiling import Window, shape_of
from ...raster import UNLIMITED, open_raster
from ..config import SiteConfig
from ..decisions.event import Event
from ..decisions.map_file import map_path, opened_map
from .results import Results
from .rows import SceneRow
from .views import box_in

if TYPE_CHECKING:
    from ...raster import Scene

log = logging.getLogger(__name__)

MARGIN = 12
"""Pixels around an event at least; a large one has half of its side around it."""
LARGEST = 1024
"""Pixels a side of the part of a scene that is read at most."""
SIDE = 320
"""Width of a picture, about; pixels are enlarged to it."""
ENOUGH = 0.7
"""Share of an event that has data in a scene which shows it."""
FRAME, RIM = (255, 230, 0), (0, 0, 0)
"""Colours of the box around an event, and of its rim."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Crop:
    """A picture of the ground of an event."""

    image: Image
    """With the box of the event."""
    row: SceneRow
    """The scene."""
    origin: str
    """What it is cut from: the scene, or the quick look."""


@dataclass(frozen=True)
class _Cut:
    """A part of a scene."""

    values: NDArray[np.float32]
    """Red, green and blue, data units or [0, 1]; NaN = no data."""
    box: tuple[float, float, float, float]
    """Of the event in it: first row, first column, last row, last column."""
    row: SceneRow

    @property
    def known(self) -> float:
        """Share of the box that has data."""
        top, left, bottom, right = (max(0, round(side)) for side in self.box)
        inside = self.values[top : max(bottom, top + 1), left : max(right, left + 1)]
        return float(np.isfinite(inside).all(axis=-1).mean()) if inside.size else 0.0


@dataclass(frozen=True)
class Ground:
    """The grid of a site on which its events lie."""

    site: SiteConfig

    def crops(self, event: Event, choices: Sequence[Sequence[SceneRow]]) -> tuple[Crop | None, ...]:
        """Return pictures of the ground of an event, all stretched alike.

        Each is of the first of some scenes that has data there; None where none has.
        """
        if self._grid is None:
            return tuple(None for _ in choices)
        grid, (down, over) = self._grid
        top, bottom, left, right = event.cluster.box
        box = float(top + down), float(left + over), bottom + down + 1.0, right + over + 1.0
        place = grid, (down, over), box
        for cutting, word in ((_of_scene, "scene"), (_of_quicklook, "quick look")):
            cuts = [_first(cutting, self.site, rows, place) for rows in choices]
            if any(one is not None for one in cuts):
                return _drawn(cuts, word)
        return tuple(None for _ in choices)

    @cached_property
    def _grid(self) -> tuple[Grid, tuple[int, int]] | None:
        """The grid of its persistence map, and where its first scene begins in it."""
        path = map_path(self.site)
        try:
            with opened_map(path if path.exists() else None) as map_:
                return None if map_ is None else (map_.dataset.grid, map_.grid.origin)
        except AnomvaeError:
            return None


_Place = tuple[Grid, tuple[int, int], tuple[float, float, float, float]]
"""The grid of a site, where its first scene begins, and the box of an event on it."""
_Cutting = Callable[[SiteConfig, SceneRow, _Place], "_Cut | None"]


def _first(cut: _Cutting, site: SiteConfig, rows: Sequence[SceneRow], place: _Place) -> _Cut | None:
    """Return the first part that has data where the event is, else the one that has most."""
    best: _Cut | None = None
    for row in rows:
        found = _tried(cut, site, row, place)
        if found is not None and (best is None or found.known > best.known):
            best = found
        if best is not None and best.known > ENOUGH:
            break
    return best


def _tried(cut: _Cutting, site: SiteConfig, row: SceneRow, place: _Place) -> _Cut | None:
    try:
        return cut(site, row, place)
    except (AnomvaeError, OSError, ValueError) as error:
        log.info("no picture of %s: %s", row.source, error)
        return None


def _of_scene(site: SiteConfig, row: SceneRow, place: _Place) -> _Cut | None:
    """Cut from the scene itself, a local one, at its own pixels."""
    from ...mapping.crop import picture_of

    scene = local_scene(site, row)
    if scene is None:
        return None
    with scene.open() as opened:
        box = _box_on(opened.grid, place)
        window = None if box is None else _window(box, opened.grid.shape)
        if box is None or window is None or max(shape_of(window)) > LARGEST:
            return None
        return _Cut(picture_of(opened, window), _within(box, window), row)


def _of_quicklook(_site: SiteConfig, row: SceneRow, place: _Place) -> _Cut | None:
    """Cut from the quick look beside the results."""
    from ...mapping.panels import read_panels

    results = Results.of(row)
    if results is None or not results.has(results.files.scores):
        return None
    panels = read_panels(results.files.quicklook)
    if panels is None:
        return None
    with open_raster(results.files.scores, access=UNLIMITED) as dataset:
        grid = dataset.grid
    box = _box_on(grid, place)
    if box is None:
        return None
    shape = panels.scene.shape[:2]
    down, over = (cells / side for cells, side in zip(shape, grid.shape, strict=True))
    box = box[0] * down, box[1] * over, box[2] * down, box[3] * over
    window = _window(box, shape)
    if window is None:
        return None
    return _Cut(np.divide(panels.scene[window], 255, dtype=np.float32), _within(box, window), row)


def local_scene(site: SiteConfig, row: SceneRow) -> Scene | None:
    """Return a scene that lies on this machine; None where it does not, or no longer."""
    from ..scoring import scene_of
    from ..sources import FoundScene

    names = [row.source, row.scene]
    if site.folder is not None:
        names = [str(Path(site.folder.path) / row.source)]
    local = (name for name in names if is_local(name) and Path(name).is_absolute())
    path = next((name for name in local if Path(name).exists()), None)
    if path is None:
        return None
    found = FoundScene(row.scene, row.source, (path,))
    scene = scene_of(found, "none", site.nodata, resolution=site.resolution)
    return replace(scene, access=UNLIMITED) if site.no_limits else scene


def _box_on(grid: Grid, place: _Place) -> tuple[float, float, float, float] | None:
    """Return the box of an event on the grid of a scene; None where it cannot be placed there."""
    whole_grid, origin, (top, left, bottom, right) = place
    if not (grid.located and whole_grid.located):
        down, over = origin
        return top - down, left - over, bottom - down, right - over
    if box_in(whole_grid, grid) is None:
        return None
    corners = [grid.pixel_at(*whole_grid.at(*one)) for one in ((top, left), (bottom, right))]
    return (*corners[0], *corners[1])


def _window(box: tuple[float, float, float, float], shape: tuple[int, ...]) -> Window | None:
    """Return the part of a scene around a box; None where the box lies outside."""
    top, left, bottom, right = box
    margin = max(MARGIN, max(bottom - top, right - left) / 2)
    rows = slice(max(0, round(top - margin)), min(shape[0], round(bottom + margin)))
    cols = slice(max(0, round(left - margin)), min(shape[1], round(right + margin)))
    return None if rows.stop - rows.start < 2 or cols.stop - cols.start < 2 else (rows, cols)


def _within(
    box: tuple[float, float, float, float], window: Window
) -> tuple[float, float, float, float]:
    rows, cols = window
    return box[0] - rows.start, box[1] - cols.start, box[2] - rows.start, box[3] - cols.start


def _drawn(cuts: Sequence[_Cut | None], origin: str) -> tuple[Crop | None, ...]:
    """Draw parts of scenes with one stretch, so that what differs is the ground."""
    from ...mapping.drawing import stretched

    there = [cut for cut in cuts if cut is not None]
    pixels = np.concatenate([cut.values.reshape(-1, 1, 3) for cut in there])
    if origin == "scene":
        pixels = stretched(pixels)
    ends = np.cumsum([cut.values.shape[0] * cut.values.shape[1] for cut in there])[:-1]
    images = iter(np.split(pixels, ends))
    return tuple(
        None
        if cut is None
        else Crop(_framed(next(images).reshape(cut.values.shape), cut.box), cut.row, origin)
        for cut in cuts
    )


def _framed(values: NDArray[np.float32], box: tuple[float, float, float, float]) -> Image:
    """Enlarge pixels, values in [0, 1], and draw a box over them."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    scale = max(1, SIDE // max(values.shape[:2]))
    image = Pillow.fromarray(np.rint(np.nan_to_num(values) * 255).astype(np.uint8))
    image = image.resize((image.width * scale, image.height * scale), Pillow.Resampling.NEAREST)
    top, left, bottom, right = (round(side * scale) for side in box)
    pen = ImageDraw.Draw(image)
    for wider, colour, width in ((4, RIM, 5), (3, FRAME, 3)):
        pen.rectangle(
            (left - wider, top - wider, right + wider, bottom + wider), outline=colour, width=width
        )
    return np.asarray(image)
