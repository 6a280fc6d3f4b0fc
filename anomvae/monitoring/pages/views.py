"""Maps of a page: what was found in a scene, and what lasts at a site; axes (row, col).

Cells of a map stand for several pixels where a scene is large: scores and classes that matter most
come through, so that small anomalies stay visible.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import AnomvaeError
from ...pixels.flag_classes import ANOMALOUS
from ...pixels.tiling import SamplingGrid, Window, fitting_size, tiles, whole
from ...raster import UNLIMITED, Georeference, open_raster
from ..decisions.map_file import LAYERS, MapFile, opened_map
from .results import Results

if TYPE_CHECKING:
    from ...pages import Class, Viewer
    from ...pages.maps import Layer
    from ...pixels.grid import Grid
    from ...raster.raster_dataset import RasterDataset
    from ..decisions.event import Event

log = logging.getLogger(__name__)

SIDE = 256
"""Most cells a side of the scores of a scene."""
MAP_SIDE = 512
"""Most cells a side of the map of a site."""
LEVELS = 1022
"""Steps of scores."""
QUALITY = 80
"""Of JPEGs."""
PROVISIONAL, CONFIRMED, FINISHED = 1, 2, 3
WORTH = np.array([0, 2, 3, 1], np.uint8)
"""What each status is worth where pixels share a cell: a confirmed one hides all others."""
NO_PASS = 255

Numbers = NDArray[np.float32]


def scene_view(results: Results) -> Viewer | None:
    """Return the map of a scored scene; None where its results are gone or cannot be read."""
    if not results.has(results.files.scores) or not results.has(results.files.flags):
        return None
    try:
        return _scene_view(results)
    except AnomvaeError as error:
        log.warning("%s has no map on its page: %s", results.files.stem, error)
        return None


def _scene_view(results: Results) -> Viewer:
    from ...mapping.panels import read_panels
    from ...pages import ImageLayer, Viewer, class_layer, flag_classes, picture, score_layer

    files, panels = results.files, read_panels(results.files.quicklook)
    with open_raster(files.scores, access=UNLIMITED) as scores:
        where, sampled = scores.georeference, _largest(scores)
    shape = sampled.shape if panels is None else panels.flagged.shape
    with open_raster(files.flags, access=UNLIMITED) as flags:
        classes = _classes(flags, shape)
        # Overviews of flags hold what most pixels are.
        classes[_flagged(flags, shape) if panels is None else panels.flagged] = ANOMALOUS
    layers: list[Layer] = []
    if panels is not None:
        layers.append(ImageLayer("Scene", picture(panels.scene, quality=QUALITY)))
    score = score_layer("Score", sampled, shown=panels is None, levels=LEVELS)
    layers += [score, class_layer("Flags", classes, flag_classes())]
    return Viewer.of(where, layers, name="Map of the scene")


def _largest(dataset: RasterDataset) -> Numbers:
    """Return the largest score of each of at most `SIDE` cells a side; NaN = none has a score.

    Overviews hold the largest, too: the coarsest one with as many cells is read.
    """
    shape = dataset.grid.shape
    wanted = SamplingGrid.fitting(shape, SIDE).shape
    found = np.full(wanted, np.nan, np.float32)
    levels = [
        (-(-shape[0] // factor), -(-shape[1] // factor)) for factor in dataset.handle.overviews(1)
    ]
    fine = [level for level in levels if level[0] >= wanted[0] and level[1] >= wanted[1]]
    if not fine:
        for window in _windows(dataset):
            SamplingGrid(shape, wanted).pool(found, window, dataset.read_first(window), np.fmax)
        return found
    with dataset.describing():
        values = dataset.handle.read(1, out_shape=min(fine), masked=True)
    scores = np.ma.filled(values.astype(np.float32), np.nan)
    SamplingGrid(min(fine), wanted).pool(found, whole(min(fine)), scores, np.fmax)
    return found


def _flagged(dataset: RasterDataset, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the cells of which a pixel is flagged."""
    found = np.zeros(shape, np.uint8)
    for window in _windows(dataset):
        part = (dataset.read_first(window) == ANOMALOUS).astype(np.uint8)
        SamplingGrid(dataset.grid.shape, shape).pool(found, window, part, np.maximum)
    return found > 0


def _windows(dataset: RasterDataset, bands: int = 1) -> Iterator[Window]:
    shape = dataset.grid.shape
    for tile in tiles(shape, fitting_size(shape, dataset.block_shape, bands)):
        yield tile.keep


def _classes(dataset: RasterDataset, shape: tuple[int, int]) -> NDArray[np.uint8]:
    with dataset.describing():
        return np.array(dataset.handle.read(1, out_shape=shape), np.uint8)


@dataclass(frozen=True)
class SiteMap:
    """The persistence map of a site in cells."""

    where: Georeference
    """Its shape and location."""
    origin: tuple[int, int]
    """Row and column of the site's first scene."""
    status: NDArray[np.uint8]
    """The status that matters most in each cell; `NO_PASS` where there is no valid pass."""
    exceedances: Numbers
    """The most passes that exceed; NaN where none does."""

    @property
    def grid(self) -> Grid:
        """Its pixels."""
        return self.where.grid


def read_site_map(path: Path) -> SiteMap | None:
    """Read the persistence map of a site; None where there is none that can be read."""
    try:
        with opened_map(path if path.exists() else None) as map_:
            return None if map_ is None else _cells(map_)
    except AnomvaeError as error:
        log.warning("%s cannot be shown: %s", path.name, error)
        return None


def _cells(map_: MapFile) -> SiteMap:
    dataset, shape = map_.dataset, map_.dataset.grid.shape
    sampling = SamplingGrid.fitting(shape, MAP_SIDE)
    worth = np.full(sampling.shape, -1, np.int8)
    counts = np.zeros(sampling.shape, np.float32)
    bands = (dataset.bands.items[LAYERS.index(name)] for name in ("status", "exceedances"))
    wanted = replace(dataset.bands, items=tuple(bands))
    for window in _windows(dataset, 2):
        values = dataset.read(wanted, window)
        known = np.isfinite(values[..., 0])
        status = np.where(known, values[..., 0], 0).astype(np.uint8)
        part = np.where(known, WORTH[status.clip(0, 3)], -1).astype(np.int8)
        sampling.pool(worth, window, part, np.maximum)
        sampling.pool(counts, window, np.nan_to_num(values[..., 1]), np.maximum)
    names = np.array([0, FINISHED, PROVISIONAL, CONFIRMED, NO_PASS], np.uint8)
    status = names[worth]  # -1 is the last one
    counts[counts == 0] = np.nan
    return SiteMap(dataset.georeference, map_.grid.origin, status, counts)


def status_classes() -> tuple[Class, ...]:
    """Return the classes of the persistence map, the most important first."""
    from ...pages import Class

    return (
        Class(CONFIRMED, "confirmed", "#c8102e"),
        Class(PROVISIONAL, "provisional", "#f2a900"),
        Class(FINISHED, "finished", "#5b7fa6"),
        Class(NO_PASS, "no valid pass", "#8a8a8a"),
        Class(0, "nothing lasting", None),
    )


def site_view(site_map: SiteMap, events: tuple[Event, ...], newest: Results | None) -> Viewer:
    """Return the map of a site over the newest comparable scene that can be shown."""
    from ...pages import ImageLayer, MapObject, Viewer, class_layer, picture, score_layer

    scene = None if newest is None else scene_on(site_map, newest)
    layers: list[Layer] = []
    if scene is not None:
        image, box = scene
        layers.append(ImageLayer("Newest scene", picture(image, quality=QUALITY), box=box))
    layers += [
        score_layer(
            "Exceedances", site_map.exceedances, scale="linear", unit="passes", opacity=0.8
        ),
        class_layer("Status", site_map.status, status_classes()),
    ]
    return Viewer.of(
        site_map.where,
        layers,
        name="What lasts at the site",
        objects=tuple(
            MapObject(
                id=event.name,
                outlines=(_ring(event, site_map.origin),),
                label=str(event.number),
                note=f"{event.status}, {event.cluster.first} to {event.cluster.last}",
            )
            for event in events
        ),
    )


def scene_on(
    site_map: SiteMap, results: Results
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None:
    """Return the picture of a scene, and its box in rows and columns of the map.

    None where it has no picture, or is turned or in another reference system than the map.
    """
    from ...mapping.panels import read_panels

    panels = read_panels(results.files.quicklook)
    if panels is None or not results.has(results.files.scores):
        return None
    try:
        with open_raster(results.files.scores, access=UNLIMITED) as dataset:
            box = box_in(site_map.grid, dataset.grid, site_map.origin)
    except AnomvaeError:
        return None
    return None if box is None else (panels.scene, box)


def box_in(
    whole: Grid, part: Grid, origin: tuple[int, int] = (0, 0)
) -> tuple[float, float, float, float] | None:
    """Return first row, first column, last row and last column of a grid in another one.

    None where it is turned against it, or in another reference system; without a place on Earth it
    begins at ``origin``.
    """
    rows, cols = part.shape
    if not (whole.located and part.located):
        return float(origin[0]), float(origin[1]), float(origin[0] + rows), float(origin[1] + cols)
    if (whole.epsg or whole.crs) != (part.epsg or part.crs):
        return None
    first, last = whole.pixel_at(*part.at(0, 0)), whole.pixel_at(*part.at(rows, cols))
    corner = whole.pixel_at(*part.at(0, cols))
    if abs(corner[0] - first[0]) > 1 or abs(corner[1] - last[1]) > 1 or last <= first:
        return None
    return (*first, *last)


def _ring(event: Event, origin: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """Return the box of an event on the map, half a pixel around it."""
    first_row, last_row, first_col, last_col = event.cluster.box
    top, bottom = first_row + origin[0] - 0.5, last_row + origin[0] + 1.5
    left, right = first_col + origin[1] - 0.5, last_col + origin[1] + 1.5
    return ((top, left), (top, right), (bottom, right), (bottom, left))
