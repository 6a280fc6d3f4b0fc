"""Where a PRISMA product lies: the grid of L2D, control points of the others."""

from __future__ import annotations

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError

from ...errors import RasterError
from ...pixels.grid import Grid
from ..crs import text_of
from ..georeference import Georeference
from ..losses import DAMAGED
from .hdf5 import HDF5File
from .prisma_cube import numbers
from .swath import control_points
from .variables import Variable

PIXEL = 30.0
"""Side of a pixel, m."""
CORNERS = (
    "Product_ULcorner_easting",
    "Product_ULcorner_northing",
    "Product_LRcorner_easting",
    "Product_LRcorner_northing",
)


def place_of(file: HDF5File, swath: str, shape: tuple[int, int], level: str) -> Georeference:
    """Locate the pixels of a product.

    Raises
    ------
    RasterError
        When the corners contradict the number of pixels, or coordinates are missing.
    """
    if level == "L2D":
        return Georeference(_grid(file, shape))
    latitude, longitude = (
        _coordinates(file, swath, name, shape) for name in ("Latitude", "Longitude")
    )
    return control_points(Grid(shape), latitude, longitude)


def _grid(file: HDF5File, shape: tuple[int, int]) -> Grid:
    """Return the grid of L2D; its corners are centres of pixels.

    Corners of the outer edges are taken as such, where they fit the number of pixels.
    """
    attributes = file.attributes()
    west, north, east, south = (numbers(attributes, key, file.name)[0] for key in CORNERS)
    (code, *_) = numbers(attributes, "Epsg_Code", file.name)
    steps = ((north - south) / PIXEL, (east - west) / PIXEL)
    centres = np.allclose(steps, np.subtract(shape, 1), atol=0.1)
    if not centres and not np.allclose(steps, shape, atol=0.1):
        raise RasterError(
            f"{file.name} contradicts itself: its corners are {steps[0]:g} x {steps[1]:g} pixels "
            f"of {PIXEL:g} m apart, but it has {shape[0]} x {shape[1]}. {DAMAGED}"
        )
    half = PIXEL / 2 if centres else 0.0
    try:
        crs = text_of(CRS.from_epsg(int(code)))
    except CRSError as error:
        raise RasterError(f"{file.name}: Epsg_Code = {code:g} is unknown. {DAMAGED}") from error
    return Grid(shape, (PIXEL, 0.0, west - half, 0.0, -PIXEL, north + half), crs)


def _coordinates(file: HDF5File, swath: str, name: str, shape: tuple[int, int]) -> Variable:
    folder = f"{swath}/Geolocation Fields"
    found = file.find(f"{folder}/{name}_VNIR") or file.variable(f"{folder}/{name}")
    if found.shape != shape:
        raise RasterError(
            f"{file.name} contradicts itself: {found.path} has the axes {found.shape}, but the "
            f"cubes {shape}. {DAMAGED}"
        )
    return found
