"""Masks from polygons on a grid: a pixel is inside if its centre is.

Polygons have pixel coordinates (col, row) with the corner of the grid at (0, 0), so the same
numbers serve every window.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.warp import transform

from ..errors import RasterError
from ..files import PathText
from ..pixels.grid import Grid
from ..pixels.tiling import Window, shape_of, whole
from .crs import crs_of, named_crs
from .gdal import reporting, session
from .georeference import Georeference
from .vector import GEOJSON, LONGITUDE_LATITUDE, Ring, read_outlines
from .vectorformats import FORMATS

VECTOR = {*GEOJSON, *FORMATS}
"""Suffixes of vector files, in lower case; any other file is read as a raster."""
FARTHEST_PIXEL = 2**30
"""Largest column or row of a corner: from 2**31 on, GDAL finds no pixel inside."""


@dataclass(frozen=True)
class Polygon:
    """An area with its holes."""

    rings: tuple[Ring, ...]
    """The outline first, then the holes, in pixel coordinates (col, row)."""

    def touches(self, window: Window) -> bool:
        """Return whether the bounding box shares an area with a window."""
        low, high = self.rings[0].min(axis=0), self.rings[0].max(axis=0)
        rows, cols = window
        before_end, after_start = low < [cols.stop, rows.stop], high > [cols.start, rows.start]
        return bool(before_end.all() and after_start.all())

    def at(self, window: Window) -> dict[str, object]:
        """Return GeoJSON in the pixel coordinates of a window."""
        origin = (window[1].start, window[0].start)
        return {"type": "Polygon", "coordinates": [(ring - origin).tolist() for ring in self.rings]}


@dataclass(frozen=True)
class PolygonMask:
    """Selects the pixels whose centre lies inside any of the polygons."""

    polygons: tuple[Polygon, ...]
    """The polygons, in pixel coordinates of the grid."""

    def read(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window are selected, axes (row, col)."""
        rows, cols = shape_of(window)
        inside = [polygon.at(window) for polygon in self.polygons if polygon.touches(window)]
        if not inside:  # rasterio refuses to burn nothing
            return np.zeros((rows, cols), np.bool_)
        with session():
            burnt = rasterize(inside, out_shape=(rows, cols), dtype="uint8")
        return np.asarray(burnt != 0)


def is_vector(path: PathText) -> bool:
    """Return whether a file holds polygons rather than pixels, by its suffix."""
    return Path(path).suffix.lower() in VECTOR


def read_polygons(
    path: PathText, georeference: Georeference, name: str, *, elsewhere: bool = False
) -> PolygonMask:
    """Read the polygons of a vector file on the grid of the raster called ``name``.

    Raises
    ------
    RasterError
        When the file cannot be read, or its polygons cannot be located on the grid, or all miss it
        and may not lie ``elsewhere``.
    """
    if georeference.indirect:
        raise RasterError(
            f"{name} is located by control points or polynomials only, so the polygons of {path} "
            f"cannot be located on it. Warp the scene to a map grid first (gdalwarp), "
            f"or give a raster mask of the same pixels."
        )
    grid, outlines = georeference.grid, read_outlines(Path(path))
    # All corners in one call: setting up a projection is slow.
    rings = [ring for polygon in outlines.polygons for ring in polygon]
    corners = _to_pixels(np.concatenate(rings), outlines.crs, path, grid, name)
    pieces = iter(np.split(corners, np.cumsum([len(ring) for ring in rings])[:-1]))
    polygons = [Polygon(tuple(next(pieces) for _ in polygon)) for polygon in outlines.polygons]
    if not elsewhere and not any(polygon.touches(whole(grid.shape)) for polygon in polygons):
        raise RasterError(
            f"No polygon of {path} touches {name}: they lie elsewhere. Check that "
            f"they belong to this scene, and their coordinate reference system "
            f"({outlines.crs or 'unknown'})."
        )
    return PolygonMask(tuple(polygons))


def _to_pixels(corners: Ring, crs: str, path: PathText, grid: Grid, name: str) -> Ring:
    xs, ys = corners.T
    if grid.crs and crs == LONGITUDE_LATITUDE:
        _require_degrees(xs, ys, path)
    if grid.crs and crs:
        with reporting(
            f"The polygons of {path} cannot be projected onto {name}",
            "Save them as GeoJSON in longitude and latitude, or in the system of the scene.",
        ):
            systems = named_crs(crs), crs_of(grid.crs)
            xs, ys = map(np.asarray, transform(*systems, xs.tolist(), ys.tolist()))
    a, b, c, d, e, f = grid.transform
    determinant = a * e - b * d
    right, down = xs - c, ys - f
    cols, rows = e * right - b * down, a * down - d * right
    pixels = np.stack([cols, rows], axis=-1) / determinant
    if not np.isfinite(pixels).all():
        raise RasterError(
            f"Some polygons of {path} lie where the coordinate reference system of {name} "
            f"is not defined. Cut them to the surroundings of the scene."
        )
    if np.abs(pixels).max() > FARTHEST_PIXEL:
        raise RasterError(
            f"Some polygons of {path} reach over {FARTHEST_PIXEL} pixels beyond {name}. "
            f"Cut them to the surroundings of the scene."
        )
    return np.asarray(pixels)


def _require_degrees(xs: NDArray[np.float64], ys: NDArray[np.float64], path: PathText) -> None:
    """Require that coordinates are longitude and latitude, which may run on past 180 degrees."""
    if np.abs(xs).max() > 360 or np.abs(ys).max() > 90:
        raise RasterError(
            f"{path} states no other coordinate reference system than that of GeoJSON, and has "
            f"coordinates that are no longitude and latitude, such as {xs[0]:g}, {ys[0]:g}. Export "
            f"it in degrees (ogr2ogr -t_srs EPSG:4326), or in a format that states its system."
        )
