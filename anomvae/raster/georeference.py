"""Georeference of a raster: what a map must repeat to lie on its scene."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.io import DatasetReader
from rasterio.rpc import RPC

from ..addresses import displayed
from ..errors import RasterError
from ..names import printable
from ..pixels.grid import IDENTITY, Grid
from .crs import crs_of, text_of

METRES = ("metre", "meter", "m")
"""Names of the metre in coordinate reference systems."""
FARTHEST = 1e30
"""Largest number in a georeference, in any unit; areas and sums of such are finite, too."""


@dataclass(frozen=True)
class Georeference:
    """Everything that locates a raster."""

    grid: Grid
    """Shape, transform and coordinate reference system."""
    gcps: tuple[GroundControlPoint, ...] = ()
    """Ground control points; some rasters have nothing else."""
    gcps_crs: str = ""
    """Coordinate reference system of ``gcps`` as text of GDAL (WKT); empty when unknown."""
    rpcs: RPC | None = None
    """Rational polynomial coefficients (RPC) of a scene that is not orthorectified."""
    area_or_point: str = "Area"
    """``Area`` or ``Point``: whether coordinates mean the corner or the centre of a pixel."""

    @property
    def indirect(self) -> bool:
        """Whether only control points or polynomials locate the pixels."""
        return not self.grid.located and bool(self.gcps or self.rpcs)

    @property
    def crs_name(self) -> str | None:
        """The coordinate reference system by code, such as EPSG:32633, otherwise as WKT."""
        crs = crs_of(self.grid.crs or self.gcps_crs)
        return str(crs.to_string()) if crs else None

    @property
    def in_metres(self) -> bool:
        """Whether a projected coordinate reference system of metres locates the pixels."""
        crs = crs_of(self.grid.crs)
        if not crs or self.grid.transform == IDENTITY:
            return False
        return bool(crs.is_projected) and str(crs.linear_units).lower() in METRES

    @property
    def facts(self) -> tuple[object, ...]:
        """Everything as plain values whose text is the same in each version of PROJ."""
        grid, points = self.grid, [(p.row, p.col, p.x, p.y, p.z) for p in self.gcps]
        rpcs = self.rpcs and self.rpcs.to_dict()
        located = grid.shape, grid.transform, grid.epsg or grid.crs
        return (*located, points, self.gcps_crs if points else "", rpcs, self.area_or_point)

    def creation(self) -> dict[str, Any]:
        """Return the arguments of `rasterio.open` that store the georeference."""
        options: dict[str, Any] = {"height": self.grid.shape[0], "width": self.grid.shape[1]}
        if self.rpcs:
            options["rpcs"] = self.rpcs
        if self.gcps and not self.grid.located:  # a TIFF holds a transform or points, not both
            return options | {"gcps": list(self.gcps), "crs": crs_of(self.gcps_crs)}
        if self.grid.transform != IDENTITY:
            options["transform"] = Affine(*self.grid.transform)
        return options | {"crs": crs_of(self.grid.crs) or None}

    def tags(self) -> dict[str, str]:
        """Return the tags of a dataset that store the georeference."""
        # GDAL reads a Point TIFF without a CRS back with an invented local one.
        crs = self.grid.crs or self.gcps_crs
        return {"AREA_OR_POINT": self.area_or_point} if crs else {}


def georeference_of(dataset: DatasetReader) -> Georeference:
    """Read the georeference of a raster.

    Raises
    ------
    RasterError
        When it holds numbers that locate nothing, as `grid_of`.
    """
    gcps, gcps_crs = dataset.gcps
    _require_finite(dataset, "control points", *((p.x, p.y) for p in gcps))
    return Georeference(
        grid=grid_of(dataset),
        gcps=tuple(gcps),
        gcps_crs=text_of(gcps_crs),
        rpcs=dataset.rpcs,
        area_or_point=dataset.tags().get("AREA_OR_POINT", "Area"),
    )


def grid_of(dataset: DatasetReader) -> Grid:
    """Read shape, transform and coordinate reference system of a raster.

    Raises
    ------
    RasterError
        When the transform holds NaN, an infinite number, or one beyond `FARTHEST`.
    """
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    rows, cols = dataset.shape
    corners = [
        (a * col + b * row + c, d * col + e * row + f) for row in (0, rows) for col in (0, cols)
    ]
    _require_finite(dataset, "transform", (a, b, c, d, e, f), *corners)
    return Grid(dataset.shape, (a, b, c, d, e, f), text_of(dataset.crs))


def _require_finite(dataset: DatasetReader, what: str, *numbers: Iterable[float]) -> None:
    # abs(NaN) <= x is false
    if not all(abs(number) <= FARTHEST for number in chain(*numbers)):
        raise RasterError(
            f"{printable(displayed(dataset.name))} cannot lie where it says: its {what} "
            f"{'hold' if what.endswith('s') else 'holds'} NaN, or a number beyond {FARTHEST:g}. "
            f"Correct the georeference, or remove it (gdal_edit.py -unsetgt)."
        )


def matrix_of(grid: Grid) -> NDArray[np.float64]:
    """Return the matrix that maps (col, row, 1) to (x, y, 1)."""
    return np.reshape([*grid.transform, 0.0, 0.0, 1.0], (3, 3))
