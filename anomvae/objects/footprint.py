"""The outline of a scene in longitude and latitude, as GeoJSON and STAC demand it.

An outline across the 180th meridian is cut there (RFC 7946, 3.1.9), and its box has its west east
of its east; one around a pole is closed along the meridian and over the pole.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..raster import Georeference, in_degrees, on_earth, to_degrees

PARTS = 12
"""Straight parts of a side: those of a projection are curves in longitude and latitude."""
DECIMALS = 7

Ring = tuple[tuple[float, float], ...]
Points = NDArray[np.float64]
"""Axes (point, coordinate): longitude, latitude; the first point is not repeated."""


@dataclass(frozen=True)
class Footprint:
    """Where a scene lies: WGS 84, degrees."""

    rings: tuple[Ring, ...]
    """Its outline, closed and counter-clockwise; two where the 180th meridian cuts it."""
    box: tuple[float, float, float, float]
    """West, south, east, north; west > east across the 180th meridian."""

    @property
    def geometry(self) -> dict[str, object]:
        """The outline as a geometry of GeoJSON."""
        polygons = [[[list(point) for point in ring]] for ring in self.rings]
        if len(polygons) == 1:
            return {"type": "Polygon", "coordinates": polygons[0]}
        return {"type": "MultiPolygon", "coordinates": polygons}


def footprint(where: Georeference) -> Footprint | None:
    """Return the outline of a scene; None where it is not located on Earth as a whole."""
    if not on_earth(where):
        return None
    degrees = in_degrees(where)
    points = to_degrees(where, _frame(where.grid.shape, 1 if degrees else PARTS))
    if np.isnan(points).any():
        return None
    points[:, 1] = points[:, 1].clip(-90, 90)
    if not degrees:
        points[:, 0] = np.unwrap(points[:, 0], period=360)
        if abs(points[-1, 0] - points[0, 0]) > 180:
            return _around_pole(points)
    points[:, 0] -= 360 * np.round((points[:, 0].min() + points[:, 0].max()) / 720)
    if np.ptp(points[:, 0]) >= 360:
        points[:, 0] = (points[:, 0] - points[:, 0].min() - 180).clip(-180, 180)
    return _of_parts(_cut(points))


def _frame(shape: tuple[int, int], parts: int) -> Points:
    """Return points (col, row) along the sides of a scene."""
    rows, cols = shape
    corners = np.array([(0, 0), (0, rows), (cols, rows), (cols, 0), (0, 0)], np.float64)
    shares = np.arange(parts)[:, np.newaxis] / parts
    return np.concatenate([start + shares * (end - start) for start, end in pairwise(corners)])


def _around_pole(points: Points) -> Footprint:
    """Close an outline around a pole, which has each longitude once, over the pole."""
    lon, lat = (points[:, 0] + 180) % 360 - 180, points[:, 1]
    order = np.argsort(lon)
    lon, lat = lon[order], lat[order]
    pole = 90.0 if lat.mean() > 0 else -90.0
    edge = float(np.interp(180.0, lon, lat, period=360))
    ring = [(-180.0, edge), *zip(lon.tolist(), lat.tolist(), strict=True), (180.0, edge)]
    return _of_parts([np.array([*ring, (180.0, pole), (-180.0, pole)])])


def _cut(points: Points) -> list[Points]:
    """Cut an outline at the 180th meridian, and bring both parts into -180 to 180."""
    for side in (180.0, -180.0):
        beyond = _beyond(points, side)
        if len(beyond):
            within = _beyond(points, side, inner=True)
            beyond[:, 0] -= 2 * side
            return [within, beyond] if side > 0 else [beyond, within]
    return [points]


def _beyond(points: Points, side: float, *, inner: bool = False) -> Points:
    """Return the part of an outline beyond a meridian, or within it (Sutherland & Hodgman 1974)."""
    away = np.sign(side) * (points[:, 0] - side) * (-1 if inner else 1)
    kept: list[tuple[float, float]] = []
    for number, (here, before) in enumerate(zip(away, np.roll(away, 1), strict=True)):
        if here * before < 0:
            share = before / (before - here)
            lat = points[number - 1, 1] + share * (points[number, 1] - points[number - 1, 1])
            kept.append((side, float(lat)))
        if here > 0 or (inner and here == 0):
            kept.append((float(points[number, 0]), float(points[number, 1])))
    return np.array(kept).reshape(-1, 2)


def _of_parts(parts: list[Points]) -> Footprint:
    """Return the parts, west first, as closed rings and their box."""
    parts = [part.round(DECIMALS) for part in parts]
    low, high = (of([of(part[:, 1]) for part in parts]) for of in (np.min, np.max))
    box = parts[0][:, 0].min(), low, parts[-1][:, 0].max(), high
    west, south, east, north = map(float, box)
    return Footprint(tuple(map(_closed, parts)), (west, south, east, north))


def _closed(part: Points) -> Ring:
    x, y = part.T
    if (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() < 0:
        part = part[::-1]
    ring = [(float(lon), float(lat)) for lon, lat in part]
    return (*ring, ring[0])
