"""The grid of a raster: where its pixels are on Earth.

A grid is rows and columns, the six numbers of the affine transform, and the coordinate reference
system as text.  Two rasters fit together if their grids agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import GridMismatch

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of a raster without georeference."""


@dataclass(frozen=True)
class Grid:
    """Rows, columns, and their position on Earth."""

    shape: tuple[int, int]
    """Rows and columns, pixels."""
    transform: tuple[float, float, float, float, float, float] = IDENTITY
    """``x = a*col + b*row + c; y = d*col + e*row + f``, in units of ``crs``."""
    crs: str = ""
    """Coordinate reference system as text of GDAL (WKT); empty when unknown."""

    @property
    def located(self) -> bool:
        """Whether the grid has a georeference."""
        return bool(self.crs) or self.transform != IDENTITY

    @property
    def epsg(self) -> str:
        """The EPSG code of ``crs``; empty without one."""
        # The last code: those before belong to datums, axes and units.
        code = re.search(r'(?:ID|AUTHORITY)\["EPSG","?(\d+)"?\]\]\s*$', self.crs)
        return code[1] if code else ""

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in squared units of ``crs``."""
        a, b, _, d, e, _ = self.transform
        return abs(a * e - b * d)

    def require_same(self, other: Grid, name: str, other_name: str) -> None:
        """Require that ``other`` has the same pixels.

        A grid without georeference fits any other of its shape: labels and masks from an image
        editor have none.

        Raises
        ------
        GridMismatch
            When the shapes or the EPSG codes differ, or both grids are located and are more than a
            tenth of a pixel apart.
        """
        if self.shape != other.shape:
            raise GridMismatch(
                f"{other_name} has {_size(other)} pixels, but {name} has {_size(self)}. "
                f"Cut or resample it to the same grid (gdalwarp -te -ts)."
            )
        if self.epsg and other.epsg and self.epsg != other.epsg:
            raise GridMismatch(
                f"{other_name} is in EPSG:{other.epsg}, but {name} in EPSG:{self.epsg}. "
                f"Warp it to the same grid (gdalwarp -t_srs -te -ts)."
            )
        if self.located and other.located and not self._close(other):
            raise GridMismatch(
                f"{other_name} lies elsewhere than {name}: transform {_numbers(other)} against "
                f"{_numbers(self)}. Warp it to the same grid (gdalwarp -t_srs -te -ts)."
            )

    def _close(self, other: Grid) -> bool:
        rows, cols = self.shape
        tolerance = 0.1 * self.pixel_area**0.5
        corners = [(0, 0), (rows, 0), (0, cols), (rows, cols)]
        return all(
            abs(here - there) <= tolerance
            for corner in corners
            for here, there in zip(self.at(*corner), other.at(*corner), strict=True)
        )

    def at(self, row: float, col: float) -> tuple[float, float]:
        """Return x and y of a place; (0, 0) is the outer corner of the first pixel."""
        a, b, c, d, e, f = self.transform
        return a * col + b * row + c, d * col + e * row + f

    def pixel_at(self, x: float, y: float) -> tuple[float, float]:
        """Return row and column of a place in the units of ``crs``.

        Examples
        --------
        >>> grid = Grid((9, 9), (10.0, 0.0, 500.0, 0.0, -10.0, 900.0))
        >>> grid.at(2, 3), grid.pixel_at(530.0, 880.0)
        ((530.0, 880.0), (2.0, 3.0))
        """
        a, b, c, d, e, f = self.transform
        scale = a * e - b * d
        return (a * (y - f) - d * (x - c)) / scale, (e * (x - c) - b * (y - f)) / scale


def _size(grid: Grid) -> str:
    return f"{grid.shape[0]} x {grid.shape[1]}"


def _numbers(grid: Grid) -> str:
    return "(" + ", ".join(f"{number:g}" for number in grid.transform) + ")"
