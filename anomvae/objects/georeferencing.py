"""Location and size of objects: outlines in longitude and latitude, areas in m2.

An area is measured on the WGS 84 ellipsoid, whatever the scene's coordinate reference system and
its units.  Let x be the longitude, and y the area of the ellipsoid between the equator and a
latitude for a radian of longitude (Snyder 1987, equation 3-12): then areas in the plane (x, y) are
areas on the ellipsoid, and sides along meridians and parallels stay straight.  Other sides are
treated as straight in that plane, and divided where they are long; the error of a side shared by
two pixels cancels in their sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..raster import Georeference, in_degrees, on_earth, to_degrees
from ..raster.earth import ECCENTRICITY, SEMI_MAJOR
from .outlines import Rings, signed_areas

LONGEST_SIDE = 64
"""Pixels; on a grid of 10 m a side of that length is straight to a centimetre."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class GeoreferencedObjects:
    """Location of some objects; NaN where the scene's CRS is not defined."""

    rings: Rings
    """In longitude and latitude, or in col and row."""
    centroids: Points
    """Axes (object, coordinate)."""
    boxes: Points
    """Axes (object, side): west, south, east, north, or left, top, right, bottom."""
    areas: NDArray[np.float64]
    """m2; NaN where the scene is not located on Earth."""
    clockwise: NDArray[np.bool_]
    """Whether the points of an object run clockwise around it."""


@dataclass(frozen=True)
class Georeferencer:
    """Converts pixel coordinates of a scene to longitude and latitude."""

    georeference: Georeference
    located: bool
    """Whether the scene is located on Earth; otherwise pixel coordinates are kept."""
    degrees: bool
    """Whether the scene's own coordinates are longitude and latitude."""

    def locate(self, rings: Rings, centroids: Points) -> GeoreferencedObjects:
        """Locate objects in pixel coordinates (col, row)."""
        if not self.located:
            none = np.full(len(centroids), np.nan)
            turn = np.zeros(len(centroids), np.bool_)
            return GeoreferencedObjects(rings, centroids, _boxes(rings), none, turn)
        if not self.degrees:
            rings = _divided(rings, max(1, min(LONGEST_SIDE, self.georeference.grid.shape[1] // 8)))
        coordinates = to_degrees(self.georeference, np.concatenate([rings.points, centroids]))
        points, centres = np.split(coordinates, [len(rings.points)])
        if not self.degrees:
            points = _unwrapped(points, rings)
        rings = replace(rings, points=points)
        boxes = _boxes(rings)
        middle = (boxes[:, 0] + boxes[:, 2]) / 2
        turns = 360 * np.round(middle / 360)
        sizes = np.diff(rings.starts[rings.first], append=len(points))
        points[:, 0] -= np.repeat(turns, sizes)
        boxes[:, [0, 2]] -= turns[:, np.newaxis]
        centres[:, 0] -= 360 * np.round((centres[:, 0] - middle + turns) / 360)
        areas = _areas(rings)
        return GeoreferencedObjects(rings, centres, boxes, np.abs(areas), areas < 0)


def georeferencer_of(georeference: Georeference) -> Georeferencer:
    """Make the georeferencer of a scene."""
    located = on_earth(georeference)
    return Georeferencer(georeference, located, located and in_degrees(georeference))


def mean_pixel_area(georeference: Georeference) -> float | None:
    """Return the mean area of a scene's pixels, m2; None where it is not located on Earth."""
    rows, cols = georeference.grid.shape
    corners = np.array([(0, 0), (cols, 0), (cols, rows), (0, rows)], np.float64)
    one = np.zeros(1, np.int64)
    outline = Rings(corners, one, one, np.zeros(1, np.bool_))
    area = georeferencer_of(georeference).locate(outline, corners[:1]).areas[0]
    return float(area) / (rows * cols) if np.isfinite(area) else None


def pixel_areas(georeference: Georeference, most: int = 65) -> NDArray[np.float64] | None:
    """Return the mean area of the pixels of each row, m2; None where a scene is not on Earth.

    At most so many rows are measured; those between are interpolated.
    """
    georeferencer, (rows, cols) = georeferencer_of(georeference), georeference.grid.shape
    at = np.unique(np.linspace(0, rows - 1, min(most, rows)).astype(np.int64))
    ends = np.stack([at, at, at + 1, at + 1], axis=1)
    points = np.stack([np.broadcast_to([0, cols, cols, 0], ends.shape), ends], axis=-1)
    numbers = np.arange(len(at))
    rings = Rings(points.reshape(-1, 2).astype(np.float64), 4 * numbers, numbers, numbers < 0)
    areas = georeferencer.locate(rings, points[:, 0].astype(np.float64)).areas / cols
    return np.interp(np.arange(rows), at, areas) if np.isfinite(areas).all() else None


def _divided(rings: Rings, longest: int) -> Rings:
    """Insert points on sides that are longer than ``longest``, pixels."""
    here = rings.points
    following = np.arange(1, len(here) + 1)
    following[rings.stops - 1] = rings.starts
    side = here[following] - here
    segments = np.ceil(np.abs(side).max(axis=1) / longest).astype(np.int64)
    begins = np.cumsum(segments) - segments
    point = np.repeat(np.arange(len(here)), segments)
    share = (np.arange(len(point)) - begins[point]) / segments[point]
    points = here[point] + share[:, np.newaxis] * side[point]
    return replace(rings, points=points, starts=begins[rings.starts])


def _unwrapped(points: Points, rings: Rings) -> Points:
    """Continue longitudes across 180 degrees; a ring around a pole becomes NaN."""
    undefined = np.isnan(points[:, 0])
    lon = np.unwrap(np.where(undefined, 0.0, points[:, 0]), period=360)
    around_pole = np.abs(lon[rings.stops - 1] - lon[rings.starts]) > 180
    lon[undefined | np.repeat(around_pole, rings.stops - rings.starts)] = np.nan
    return np.stack([lon, points[:, 1]], axis=1)


def _boxes(rings: Rings) -> Points:
    """Return the least and the largest coordinates of each object; NaN where a point is NaN."""
    starts = rings.starts[rings.first]
    low, high = (of.reduceat(rings.points, starts) for of in (np.minimum, np.maximum))
    return np.hstack([low, high])


def _areas(rings: Rings) -> NDArray[np.float64]:
    """Return areas on the ellipsoid, m2; < 0 where points run clockwise."""
    lon, lat = np.radians(rings.points).T
    plane = np.stack([lon, _area_to_equator(lat)], axis=1)
    return np.asarray(np.add.reduceat(signed_areas(plane, rings.starts), rings.first))


def _area_to_equator(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area between the equator and a latitude (radians), m2 a radian of longitude."""
    e, sine = ECCENTRICITY, np.sin(latitude)
    q = sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e
    return np.asarray(SEMI_MAJOR**2 * (1 - e**2) / 2 * q)
