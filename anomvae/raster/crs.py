"""Coordinate reference systems as text, and text as coordinate reference systems.

A `Grid` holds its system as text, so that it needs no GDAL and travels to workers.  The text is
written and read here and nowhere else, because not every text gives the same coordinates back: with
the WKT 2 of a polar system whose file has no code (ERDAS .img, ESRI .prj), PROJ swaps x and y.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_AppDefinedError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform

from ..errors import BrokenEnvironment
from .gdal import GDAL_ERRORS, reason, session

Points = NDArray[np.float64]
"""Axes (point, coordinate)."""

BUNDLED = Path(rasterio.__file__).parent / "proj_data" / "proj.db"
"""The database of PROJ in a wheel of rasterio."""
IS_KNOWN = """
    SELECT name FROM projected_crs WHERE name = :name
    UNION SELECT name FROM geodetic_crs WHERE name = :name
    UNION SELECT name FROM compound_crs WHERE name = :name
"""
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
    if not (crs.is_geographic or crs.is_projected):
        _require_local(str(crs.to_wkt()))
    # rasterio reads a raster's system from this text of GDAL: WKT 1, or WKT 2 where that lacks it.
    return str(crs.to_wkt())


def crs_of(text: str) -> CRS:
    """Return the coordinate reference system of a text; an undefined one, which is false, of ''."""
    return CRS.from_wkt(text) if text else CRS()


def named_crs(name: str) -> CRS:
    """Return the coordinate reference system of a code, a name or WKT that others wrote.

    Raises
    ------
    CRSError
        When there is none.
    """
    try:
        return CRS.from_user_input(name)
    except (ValueError, TypeError) as error:  # of a text that rasterio takes for a table
        raise CRSError(f"{name[:80]!r} is no coordinate reference system") from error


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


def _require_local(text: str) -> None:
    """Require that a system is local indeed: GDAL reads one that PROJ does not know as local."""
    named = re.search(r'"([^"]+)"', text)
    if not _given() or named is None or not BUNDLED.exists():
        return
    with closing(sqlite3.connect(f"{BUNDLED.as_uri()}?mode=ro", uri=True)) as database:
        known = database.execute(IS_KNOWN, {"name": named[1]}).fetchone()
    if known is not None:
        raise BrokenEnvironment(f"PROJ does not know {named[1]!r}. {_remedy()}")


def _given() -> list[str]:
    """Return the variables that are set, even to nothing."""
    return [name for name in PROJ_VARIABLES if name in os.environ]


def _remedy() -> str:
    given = _given()
    if not given:
        return "Install rasterio again (pip install --force-reinstall rasterio)."
    values = " and ".join(f"{name}={os.environ[name]}" for name in given)
    verb = "names" if len(given) == 1 else "name"
    return (
        f"{values} {verb} the files of another PROJ. Run: unset {' '.join(given)}, then try again."
    )
