"""Where a file says its pixels lie: what a map must repeat to open in the same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.rpc import RPC

from ..pixels.grid import IDENTITY, Grid


@dataclass(frozen=True)
class Georeference:
    """All that a raster says about where it lies."""

    grid: Grid
    """Shape, transform and coordinate reference system."""
    gcps: tuple[GroundControlPoint, ...] = ()
    """Ground control points; some rasters have these alone."""
    gcps_crs: str = ""
    """Coordinate reference system of ``gcps`` as WKT; empty when unknown."""
    rpcs: RPC | None = None
    """Rational polynomial coefficients of a scene that is not orthorectified."""
    area_or_point: str = "Area"
    """``Area`` or ``Point``: what of a pixel its coordinates mean."""

    @property
    def indirect(self) -> bool:
        """Whether pixels are located, but only through points or polynomials."""
        return not self.grid.located and bool(self.gcps or self.rpcs)

    @property
    def crs_name(self) -> str | None:
        """The coordinate reference system by authority, such as EPSG:32633, or else as WKT."""
        crs = _crs(self.grid.crs or self.gcps_crs)
        return None if crs is None else str(crs.to_string())

    def creation(self) -> dict[str, Any]:
        """Say it in the arguments of `rasterio.open`."""
        found: dict[str, Any] = {"height": self.grid.shape[0], "width": self.grid.shape[1]}
        if self.rpcs:
            found["rpcs"] = self.rpcs
        if self.gcps and not self.grid.located:  # a TIFF holds a transform or points, not both
            return found | {"gcps": list(self.gcps), "crs": _crs(self.gcps_crs)}
        if self.grid.transform != IDENTITY:
            found["transform"] = Affine(*self.grid.transform)
        return found | {"crs": _crs(self.grid.crs)}

    def tags(self) -> dict[str, str]:
        """Say it in the tags of a dataset."""
        # A TIFF that says Point without a CRS is read back with an invented local one.
        known = self.grid.crs or self.gcps_crs
        return {"AREA_OR_POINT": self.area_or_point} if known else {}


def georeference_of(dataset: DatasetReader) -> Georeference:
    """Read where a raster says it lies."""
    gcps, gcps_crs = dataset.gcps
    return Georeference(
        grid=grid_of(dataset),
        gcps=tuple(gcps),
        gcps_crs=_wkt(gcps_crs),
        rpcs=dataset.rpcs,
        area_or_point=dataset.tags().get("AREA_OR_POINT", "Area"),
    )


def grid_of(dataset: DatasetReader) -> Grid:
    """Read shape, transform and coordinate reference system of a raster."""
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    return Grid(dataset.shape, (a, b, c, d, e, f), _wkt(dataset.crs))


def _wkt(crs: CRS | None) -> str:
    # WKT 2 says every system; WKT 1 cannot say all of them.
    return str(crs.to_wkt(version="WKT2_2019")) if crs else ""


def _crs(wkt: str) -> CRS | None:
    return CRS.from_wkt(wkt) if wkt else None
