"""Read a written raster back, and require that it lies where it was to lie.

GDAL reports no error where a format cannot hold a coordinate reference system: it writes another
one, or none, or a side-car file.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import numpy as np

from ..errors import RasterError
from ..pixels.grid import Grid
from .crs import Points, crs_of, transformed
from .dataset import describing
from .gdal import GDAL_ERRORS
from .georeference import Georeference, georeference_of, matrix_of
from .opening import open_handle

TOLERANCE = 0.1
"""Largest distance between where a pixel was to lie and where it lies, pixels."""
SAMPLES = 5
"""Points along each axis that are compared; a projection may be undefined at some of them."""


def require_kept(path: Path, asked: Georeference) -> None:
    """Require that a raster on disk has the georeference that it was created with.

    Raises
    ------
    RasterError
        When its shape, coordinate reference system, transform, control points or polynomials
        differ.
    """
    with describing(path.name), closing(open_handle(str(path))) as dataset:
        kept = georeference_of(dataset)
        lost = _lost(asked, kept)
    if lost:
        raise RasterError(
            f"A GeoTIFF keeps the {lost} only in part, so that the map would lie elsewhere than "
            f"its scene. Warp the scene to another system first (gdalwarp -t_srs)."
        )


def _lost(asked: Georeference, kept: Georeference) -> str:
    """Name what is not kept of a georeference; empty where all is."""
    ours, theirs = asked.grid, kept.grid
    points, step = _samples(ours), ours.pixel_area**0.5
    if ours.shape != theirs.shape:
        return f"shape of the scene, {ours.shape[0]} x {ours.shape[1]},"
    if not _same_system(ours.crs, theirs.crs, points, step):
        return f"coordinate reference system {_name(ours.crs)}"
    if np.abs(_samples(theirs) - points).max() > TOLERANCE * step:
        return f"transform {ours.transform}"
    if asked.indirect and not _same_points(asked, kept):
        return f"control points in {_name(asked.gcps_crs)}"
    return "polynomial coefficients" if (asked.rpcs is None) != (kept.rpcs is None) else ""


def _samples(grid: Grid) -> Points:
    """Return positions from corner to corner of a grid, axes (point, coordinate)."""
    down, across = (np.linspace(0, side, SAMPLES) for side in grid.shape)
    cols, rows = map(np.ravel, np.meshgrid(across, down))
    return np.asarray((matrix_of(grid) @ [cols, rows, np.ones_like(cols)])[:2].T)


def _same_points(asked: Georeference, kept: Georeference) -> bool:
    ours, theirs = (
        np.array([(one.row, one.col, one.x, one.y, one.z or 0.0) for one in where.gcps])
        for where in (asked, kept)
    )
    if ours.shape != theirs.shape or not np.allclose(ours, theirs):
        return False
    if not len(ours):
        return True
    points = ours[:, 2:4]
    step = float(np.ptp(points, axis=0).max()) / max(asked.grid.shape)
    return _same_system(asked.gcps_crs, kept.gcps_crs, points, step)


def _same_system(ours: str, theirs: str, points: Points, step: float) -> bool:
    """Return whether two systems put the same points within a tenth of a pixel, ``step`` long."""
    if ours == theirs or not (ours and theirs):
        return ours == theirs
    systems = crs_of(ours), crs_of(theirs)
    try:
        shifts = transformed(*systems, points) - points
    except GDAL_ERRORS:  # a local system, whose name is kept or not
        return not any(system.is_geographic or system.is_projected for system in systems)
    if systems[0].is_geographic:
        shifts[:, 0] -= 360 * np.round(shifts[:, 0] / 360)
    defined = np.isfinite(shifts).all(axis=1)
    if not defined.any():
        return bool(systems[0] == systems[1])
    return bool(np.abs(shifts[defined]).max() <= TOLERANCE * step)


def _name(crs: str) -> str:
    """Return the name of a system: the first text in quotes."""
    found = re.search(r'"([^"]*)"', crs)
    return found[0] if found else "without a name"
