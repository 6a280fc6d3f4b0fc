"""Geometries of a GeoPackage: outlines in pixels, written in the coordinates of a grid."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..pixels.grid import IDENTITY, Grid
from .geopackage_tables import FIRST_OWN, UNDEFINED

HEADER, PART, COUNT = map(struct.Struct, ("<2sBBi4d", "<BII", "<I"))
MULTI_POLYGON, POLYGON, LITTLE_ENDIAN = 6, 3, 1
WITH_BOX = 3
"""Flags of a geometry: little-endian, with a box (xmin, xmax, ymin, ymax)."""

Points = NDArray[np.float64]
Polygons = Sequence[Sequence[Sequence[Sequence[float]]]]
"""Of an object, in pixel coordinates (col, row): polygons, each an outline and its holes."""


def system_of(grid: Grid) -> int:
    """Return the number of the system of a grid."""
    if not grid.crs:
        return UNDEFINED
    return int(grid.epsg or FIRST_OWN)


def geometries_of(grid: Grid, outlines: Sequence[Polygons]) -> tuple[Points, list[bytes]]:
    """Return the box of each outline, xmin, ymin, xmax, ymax, and its geometry."""
    a, b, c, d, e, f = grid.transform
    if grid.transform == IDENTITY and not grid.crs:
        e = -1.0
    rings = [ring for outline in outlines for polygon in outline for ring in polygon]
    points = np.array([point for ring in rings for point in ring], "<f8")
    points = points @ np.array([[a, d], [b, e]]) + np.array([c, f])
    sizes = [sum(len(ring) for polygon in outline for ring in polygon) for outline in outlines]
    starts = np.cumsum([0, *sizes[:-1]])
    boxes = np.hstack([of.reduceat(points, starts) for of in (np.minimum, np.maximum)])
    contents, system = memoryview(points.astype("<f8").tobytes()), system_of(grid)
    geometries = [
        _geometry(outline, contents[16 * start :], system, box)
        for outline, start, box in zip(outlines, starts.tolist(), boxes.tolist(), strict=True)
    ]
    return boxes, geometries


def _geometry(outline: Polygons, contents: memoryview, system: int, box: Sequence[float]) -> bytes:
    """Return an outline as a geometry of the format, whose points are in ``contents``."""
    left, low, right, high = box
    header = HEADER.pack(b"GP", 0, WITH_BOX, system, left, right, low, high)
    parts: list[bytes | memoryview] = [
        header,
        PART.pack(LITTLE_ENDIAN, MULTI_POLYGON, len(outline)),
    ]
    for rings in outline:
        parts.append(PART.pack(LITTLE_ENDIAN, POLYGON, len(rings)))
        for ring in rings:
            size = 16 * len(ring)
            parts += [COUNT.pack(len(ring)), contents[:size]]
            contents = contents[size:]
    return b"".join(parts)
