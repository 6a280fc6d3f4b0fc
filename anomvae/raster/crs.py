"""Coordinate reference systems as text, and text as coordinate reference systems.

A `Grid` holds its system as text, so that it needs no GDAL and travels to workers.  The text is
written and read here and nowhere else, because not every text gives the same coordinates back: with
the WKT 2 of a polar system whose file has no code (ERDAS .img, ESRI .prj), PROJ swaps x and y.
"""

from __future__ import annotations

import os
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_AppDefinedError
from rasterio.crs import CRS
from rasterio.warp import transform

from ..errors import BrokenEnvironment
from .gdal import GDAL_ERRORS, reason, session

Points = NDArray[np.float64]
"""Axes (point, coordinate)."""

PROJ_VARIABLES = ("PROJ_DATA", "PROJ_LIB")
"""Environment variables that name the folder of PROJ's database."""


def text_of(crs: CRS | None) -> str:
    """Return the text of a coordinate reference system that was read; empty for None.

    Raises
    ------
    BrokenEnvironment
        When PROJ does not work: GDAL then reads most systems as local ones.
    """
    if not crs:
        return ""
    _require_proj()
    # rasterio reads a raster's system from this text of GDAL: WKT 1, or WKT 2 where that lacks it.
    return str(crs.to_wkt())


def crs_of(text: str) -> CRS:
    """Return the coordinate reference system of a text; an undefined one, which is false, of ''."""
    return CRS.from_wkt(text) if text else CRS()


def transformed(source: CRS, target: CRS, points: Points) -> Points:
    """Transform points (x, y) from one system to another; NaN where a system is not defined.

    Raises an error of `GDAL_ERRORS` where no transformation exists, as from a local system.
    """
    try:
        with session():
            xs, ys = transform(source, target, *points.T.tolist())
    except CPLE_AppDefinedError:  # GDAL fails for all if one fails: bisection isolates that point
        if len(points) == 1:
            return np.full((1, 2), np.nan)
        halves = np.array_split(points, 2)
        return np.concatenate([transformed(source, target, half) for half in halves])
    moved = np.stack([xs, ys], axis=1).astype(np.float64)
    moved[~np.isfinite(moved).all(axis=1)] = np.nan
    return moved


@cache
def _require_proj() -> None:
    """Require that PROJ transforms a well-known point: a failure is no fault of a raster."""
    try:
        with session():
            (longitude,), (latitude,) = transform("EPSG:32633", "EPSG:4326", [5e5], [0.0])
    except GDAL_ERRORS as error:
        raise BrokenEnvironment(
            f"PROJ knows no coordinate reference system: {reason(error)}. {_remedy()}"
        ) from error
    if not np.allclose((longitude, latitude), (15.0, 0.0)):
        raise BrokenEnvironment(
            f"PROJ transforms the origin of EPSG:32633 to longitude {longitude}, latitude "
            f"{latitude}, where 15, 0 is right. {_remedy()}"
        )


def _remedy() -> str:
    given = [name for name in PROJ_VARIABLES if os.environ.get(name)]
    if not given:
        return "Install rasterio again (pip install --force-reinstall rasterio)."
    values = " and ".join(f"{name}={os.environ[name]}" for name in given)
    verb = "names" if len(given) == 1 else "name"
    return (
        f"{values} {verb} the files of another PROJ. Run: unset {' '.join(given)}, then try again."
    )
