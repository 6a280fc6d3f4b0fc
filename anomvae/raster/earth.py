"""Pixel coordinates in longitude and latitude: WGS 84, degrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_AppDefinedError
from rasterio.crs import CRS
from rasterio.warp import transform

from ..pixels.grid import IDENTITY
from .gdal import GDAL_ERRORS, session
from .georeference import Georeference
from .vector import LONGITUDE_LATITUDE

Numbers = NDArray[np.float64]
Points = NDArray[np.float64]
"""Axes (point, coordinate)."""


def on_earth(georeference: Georeference) -> bool:
    """Return whether a transform in a terrestrial coordinate reference system locates the pixels.

    Control points and polynomials do not count: they are inexact until the scene is warped.
    """
    if not georeference.grid.crs or georeference.grid.transform == IDENTITY:
        return False
    try:
        _transformed(georeference, *np.zeros((2, 1)))
    except CPLE_AppDefinedError:  # the system can be transformed, only not at this point
        return True
    except GDAL_ERRORS:  # a local system, or one of the Moon
        return False
    return True


def in_degrees(georeference: Georeference) -> bool:
    """Return whether the coordinates of a raster are longitude and latitude."""
    crs = georeference.grid.crs
    with session():  # degrees of a rotated pole are no longitude and latitude
        return bool(CRS.from_wkt(crs).is_geographic) and "DERIVINGCONVERSION" not in crs


def to_degrees(georeference: Georeference, points: Points) -> Points:
    """Convert pixel coordinates (col, row) into longitude and latitude.

    They are NaN where the coordinate reference system is not defined.
    """
    a, b, c, d, e, f = georeference.grid.transform
    cols, rows = points.T
    return _each_transformed(georeference, a * cols + b * rows + c, d * cols + e * rows + f)


def _each_transformed(georeference: Georeference, xs: Numbers, ys: Numbers) -> Points:
    """Transform points; GDAL fails for all if one fails, so bisection isolates that point."""
    try:
        return _transformed(georeference, xs, ys)
    except CPLE_AppDefinedError:
        if len(xs) == 1:
            return np.full((1, 2), np.nan)
    middle = len(xs) // 2
    halves = [(xs[:middle], ys[:middle]), (xs[middle:], ys[middle:])]
    return np.concatenate([_each_transformed(georeference, *half) for half in halves])


def _transformed(georeference: Georeference, xs: Numbers, ys: Numbers) -> Points:
    with session():
        source = CRS.from_wkt(georeference.grid.crs)
        target = CRS.from_user_input(LONGITUDE_LATITUDE)
        lon, lat = transform(source, target, xs.tolist(), ys.tolist())
    degrees = np.stack([lon, lat], axis=1).astype(np.float64)
    degrees[~np.isfinite(degrees).all(axis=1)] = np.nan
    return degrees
