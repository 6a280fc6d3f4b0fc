"""Where objects lie, and how large they are: outlines in longitude and latitude, areas in m2.

An area is that on the WGS 84 ellipsoid, whatever the scene's coordinate reference system and its
units.  Let x be the longitude, and y the area of the ellipsoid between the equator and a latitude
for a radian of longitude (Snyder 1987, equation 3-12): then areas in the plane are areas on the
ellipsoid, and sides along meridians and parallels stay straight.  Other sides are taken as straight
there, and divided where they are long: what that adds on one side of a pixel it takes away on the
other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..raster import Georeference, in_degrees, on_earth, to_degrees
from .outlines import Numbers, Rings, signed_areas

SEMI_MAJOR = 6_378_137.0  # m, WGS 84
ECCENTRICITY = 0.081_819_190_842_621_49
LONGEST_SIDE = 64
"""Pixels; on a grid of 10 m a side of that length is straight to a centimetre."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class GeoreferencedObjects:
    """Where some objects lie; NaN where the scene's system of coordinates does not reach."""

    rings: Rings
    """Their rings, in longitude and latitude, or still in col and row."""
    centroids: Points
    """Centroids, axes (object, coordinate)."""
    boxes: Points
    """Axes (object, side): west, south, east, north, or left, top, right, bottom."""
    areas: NDArray[np.float64]
    """Areas of the objects, m2; NaN where the scene does not say where it lies."""
    clockwise: NDArray[np.bool_]
    """Whether the points of an object run clockwise around it."""


@dataclass(frozen=True)
class Georeferencer:
    """How the pixels of a scene are placed."""

    georeference: Georeference
    """The scene's."""
    earthly: bool
    """Whether it says where on Earth it lies; otherwise pixel coordinates are kept."""
    degrees: bool
    """Whether its own coordinates are longitude and latitude."""

    def __call__(self, rings: Rings, centroids: Points) -> GeoreferencedObjects:
        """Place objects that are given in pixel coordinates (col, row)."""
        if not self.earthly:
            none = np.full(len(centroids), np.nan)
            turn = np.zeros(len(centroids), np.bool_)
            return GeoreferencedObjects(rings, centroids, _boxes(rings), none, turn)
        if not self.degrees:
            rings = _divided(rings, self._longest_side)
        found = to_degrees(self.georeference, np.concatenate([rings.places, centroids]))
        points, centres = np.split(found, [len(rings.places)])
        if not self.degrees:
            points = _unbroken(points, rings)
        rings = replace(rings, places=points)
        boxes = _boxes(rings)
        middle = (boxes[:, 0] + boxes[:, 2]) / 2
        turns = 360 * np.round(middle / 360)
        points[:, 0] -= np.repeat(turns, _points_of(rings))
        boxes[:, [0, 2]] -= turns[:, np.newaxis]
        centres[:, 0] -= 360 * np.round((centres[:, 0] - middle + turns) / 360)
        areas = _areas(rings)
        return GeoreferencedObjects(rings, centres, boxes, np.abs(areas), areas < 0)

    @property
    def _longest_side(self) -> int:
        """Tell how long a side may be until it must be divided to follow the Earth, pixels."""
        return max(1, min(LONGEST_SIDE, self.georeference.grid.shape[1] // 8))


def georeferencer(georeference: Georeference) -> Georeferencer:
    """Say how the pixels of a scene are placed."""
    earthly = on_earth(georeference)
    return Georeferencer(georeference, earthly, earthly and in_degrees(georeference))


def _divided(rings: Rings, longest: int) -> Rings:
    """Put points on sides that are longer than ``longest``, pixels."""
    here = rings.places
    following = np.arange(1, len(here) + 1)
    following[rings.stops - 1] = rings.starts
    side = here[following] - here
    pieces = np.ceil(np.abs(side).max(axis=1) / longest).astype(np.int64)
    begins = np.cumsum(pieces) - pieces
    point = np.repeat(np.arange(len(here)), pieces)
    share = (np.arange(len(point)) - begins[point]) / pieces[point]
    places = here[point] + share[:, np.newaxis] * side[point]
    return replace(rings, places=places, starts=begins[rings.starts])


def _unbroken(points: Points, rings: Rings) -> Points:
    """Let longitudes run on where rings cross 180 degrees; a ring around a pole has no outline."""
    lost = np.isnan(points[:, 0])
    lon = np.unwrap(np.where(lost, 0.0, points[:, 0]), period=360)
    open_ = np.abs(lon[rings.stops - 1] - lon[rings.starts]) > 180
    lon[lost | np.repeat(open_, rings.stops - rings.starts)] = np.nan
    return np.stack([lon, points[:, 1]], axis=1)


def _points_of(rings: Rings) -> Numbers:
    """Count the points of each object."""
    return np.diff(rings.starts[rings.first], append=len(rings.places))


def _boxes(rings: Rings) -> Points:
    """Box each object: the least and the largest coordinates; NaN where a point is NaN."""
    starts = rings.starts[rings.first]
    low, high = (of.reduceat(rings.places, starts) for of in (np.minimum, np.maximum))
    return np.hstack([low, high])


def _areas(rings: Rings) -> NDArray[np.float64]:
    """Measure objects on the ellipsoid, m2; below 0 where points run clockwise."""
    lon, lat = np.radians(rings.places).T
    plane = np.stack([lon, _below(lat)], axis=1)
    return np.asarray(np.add.reduceat(signed_areas(plane, rings.starts), rings.first))


def _below(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the ellipsoid between the equator and a latitude, m2 a radian of longitude."""
    e, sine = ECCENTRICITY, np.sin(latitude)
    q = sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e
    return np.asarray(SEMI_MAJOR**2 * (1 - e**2) / 2 * q)
