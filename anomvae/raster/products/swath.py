"""Where the pixels of a swath are: control points of arrays of latitude and longitude."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from ...pixels.grid import Grid
from ..crs import text_of
from ..georeference import Georeference
from .variables import Variable

POINTS = 12
"""Control points along each side of a swath."""


def control_points(grid: Grid, latitude: Variable, longitude: Variable) -> Georeference:
    """Locate a grid by some pixels of arrays of latitude and longitude, axes (row, col), degrees.

    The arrays give the centre of each pixel; one at 0, 0 or beyond the Earth is not known.
    """
    lines, samples = (np.unique(np.linspace(0, n - 1, POINTS).astype(int)) for n in grid.shape)
    ys, xs = (_sampled(one, lines, samples) for one in (latitude, longitude))
    points = tuple(
        GroundControlPoint(int(row) + 0.5, int(col) + 0.5, float(x), float(y))
        for row, *values in zip(lines, xs, ys, strict=True)
        for col, x, y in zip(samples, *values, strict=True)
        if abs(x) <= 360 and abs(y) <= 90 and (x, y) != (0, 0)
    )
    return Georeference(grid, gcps=points, gcps_crs=text_of(CRS.from_epsg(4326)) if points else "")


def _sampled(
    variable: Variable, lines: NDArray[np.int64], samples: NDArray[np.int64]
) -> NDArray[np.float64]:
    width = slice(0, variable.shape[1])
    rows = [variable.read((slice(line, line + 1), width))[0][samples] for line in lines.tolist()]
    return np.asarray(rows, np.float64)
