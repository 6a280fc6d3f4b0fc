"""Masks of the normal pixels of scored scenes: neither flagged, nor of an event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..documents import to_json
from ..files import writing
from ..mapping.deliverables import Deliverables
from ..mapping.flagging import WINDOW
from ..pixels.flag_classes import ANOMALOUS
from ..pixels.tiling import tiles
from ..raster import UNLIMITED, Georeference, Layout, MapWriter, open_raster
from ..raster.polygons import Polygon, PolygonMask, read_polygons
from .decisions.event import Cluster


def write_normal(path: Path, scored: Sequence[Deliverables], events: Sequence[Cluster]) -> int:
    """Write where scenes of one grid are normal in all: 1, else 0; return how many pixels are not.

    Raises
    ------
    RasterError
        If a map of flags cannot be read.
    NotWritten
        If the mask cannot be written.
    """
    with ExitStack() as stack:
        flags = [stack.enter_context(open_raster(one.flags, access=UNLIMITED)) for one in scored]
        with flags[0].describing():
            where = flags[0].georeference
        inside = _inside(path.with_suffix(".geojson"), events, where, flags[0].name)
        layout = Layout("uint8", 255, ("normal",), overviews="nearest", predictor=False)
        mask = stack.enter_context(MapWriter(path, where, layout))
        excluded = 0
        for tile in tiles(where.grid.shape, WINDOW):
            normal = ~inside.read(tile.keep)
            for one in flags:
                normal &= one.read_first(tile.keep) != ANOMALOUS
            excluded += int(np.count_nonzero(~normal))
            mask.write(tile.keep, normal[np.newaxis].astype(np.uint8))
    return excluded


def _inside(path: Path, events: Sequence[Cluster], where: Georeference, name: str) -> PolygonMask:
    """Return the pixels of events on a grid; ``path`` is for their outlines."""
    if not where.grid.crs:  # then all scenes of a site have one grid
        return PolygonMask(tuple(_box(event) for event in events))
    outlines = [event.geometry for event in events if event.geometry is not None]
    if not outlines:
        return PolygonMask(())
    features = [{"type": "Feature", "properties": {}, "geometry": one} for one in outlines]
    with writing(path):
        path.write_text(to_json({"type": "FeatureCollection", "features": features}))
    return read_polygons(path, where, name, elsewhere=True)


def _box(event: Cluster) -> Polygon:
    top, bottom, left, right = event.box
    corners = [(left, top), (right + 1, top), (right + 1, bottom + 1), (left, bottom + 1)]
    return Polygon((np.array([*corners, corners[0]], float),))
