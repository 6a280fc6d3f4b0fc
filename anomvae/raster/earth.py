"""Where on Earth pixel coordinates lie: WGS 84, degrees."""

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
Places = NDArray[np.float64]
"""Axes (point, coordinate)."""


def on_earth(georeference: Georeference) -> bool:
    """Tell whether a raster says where on Earth its pixels lie: by a transform, in a known system.

    Control points and polynomials locate pixels too, but only roughly until the scene is warped.
    """
    if not georeference.grid.crs or georeference.grid.transform == IDENTITY:
        return False
    try:
        _transformed(georeference, *np.zeros((2, 1)))
    except CPLE_AppDefinedError:  # a way leads out of the system, though not from this point
        return True
    except GDAL_ERRORS:  # a local system, or the Moon's
        return False
    return True


def in_degrees(georeference: Georeference) -> bool:
    """Tell whether a raster's own coordinates are longitude and latitude."""
    crs = georeference.grid.crs
    with session():  # a rotated pole has degrees of its own
        return bool(CRS.from_wkt(crs).is_geographic) and "DERIVINGCONVERSION" not in crs


def to_degrees(georeference: Georeference, places: Places) -> Places:
    """Turn pixel coordinates (col, row) into longitude and latitude.

    Returns
    -------
    array, axes (point, coordinate)
        Longitude and latitude; NaN where the raster's coordinate reference system does not reach.
    """
    a, b, c, d, e, f = georeference.grid.transform
    cols, rows = places.T
    return _reached(georeference, a * cols + b * rows + c, d * cols + e * rows + f)


def _reached(georeference: Georeference, xs: Numbers, ys: Numbers) -> Places:
    """Transform points; for one that fails GDAL fails, so halves are tried until it is alone."""
    try:
        return _transformed(georeference, xs, ys)
    except CPLE_AppDefinedError:
        if len(xs) == 1:
            return np.full((1, 2), np.nan)
    middle = len(xs) // 2
    halves = [(xs[:middle], ys[:middle]), (xs[middle:], ys[middle:])]
    return np.concatenate([_reached(georeference, *half) for half in halves])


def _transformed(georeference: Georeference, xs: Numbers, ys: Numbers) -> Places:
    with session():
        here = CRS.from_wkt(georeference.grid.crs)
        there = CRS.from_user_input(LONGITUDE_LATITUDE)
        lon, lat = transform(here, there, xs.tolist(), ys.tolist())
    degrees = np.stack([lon, lat], axis=1).astype(np.float64)
    degrees[~np.isfinite(degrees).all(axis=1)] = np.nan
    return degrees
