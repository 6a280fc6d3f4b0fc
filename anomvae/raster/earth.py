"""Pixel coordinates in longitude and latitude: WGS 84, degrees."""

from __future__ import annotations

import numpy as np
from rasterio.crs import CRS

from ..pixels.grid import IDENTITY, Grid
from .crs import Points, crs_of, transformed
from .gdal import GDAL_ERRORS, session
from .georeference import Georeference
from .vector import LONGITUDE_LATITUDE

SEMI_MAJOR = 6_378_137.0
"""Of the ellipsoid of WGS 84, m."""
ECCENTRICITY = 0.081_819_190_842_621_49
"""Of the ellipsoid of WGS 84."""


def on_earth(georeference: Georeference) -> bool:
    """Return whether a transform in a terrestrial coordinate reference system locates the pixels.

    Control points and polynomials do not count: they are inexact until the scene is warped.
    """
    grid = georeference.grid
    if not grid.crs or grid.transform == IDENTITY:
        return False
    try:
        with session():
            crs = crs_of(grid.crs)
            if not (crs.is_geographic or crs.is_projected):  # local, vertical or geocentric
                return False
        _degrees(grid, np.zeros((1, 2)))
    except GDAL_ERRORS:  # a system of the Moon
        return False
    return True


def in_degrees(georeference: Georeference) -> bool:
    """Return whether the coordinates of a raster are longitude and latitude."""
    crs = georeference.grid.crs
    with session():  # degrees of a rotated pole are no longitude and latitude
        return bool(crs_of(crs).is_geographic) and "DERIVINGCONVERSION" not in crs


def to_degrees(georeference: Georeference, points: Points) -> Points:
    """Convert pixel coordinates (col, row) into longitude and latitude.

    They are NaN where the coordinate reference system is not defined.
    """
    a, b, c, d, e, f = georeference.grid.transform
    cols, rows = points.T
    coordinates = np.stack([a * cols + b * rows + c, d * cols + e * rows + f], axis=1)
    return _degrees(georeference.grid, coordinates)


def _degrees(grid: Grid, coordinates: Points) -> Points:
    with session():
        systems = crs_of(grid.crs), CRS.from_user_input(LONGITUDE_LATITUDE)
    return transformed(*systems, coordinates)
