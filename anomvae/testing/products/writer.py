"""The interface of what writes a product, and the plainest one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from .cube import ProductCube, draw_cube
from .rasters import write_raster


class ProductWriter(ABC):
    """Writes a cube as one product."""

    kind: str
    """What `ProductFacts.kind` must be."""
    exact: bool = True
    """Whether the product has the grid of the cube; else only control points, or another grid."""

    @abstractmethod
    def cube(self, seed: int = 0) -> ProductCube:
        """Draw a cube with the bands of the product, of 60 x 60 pixels."""

    @abstractmethod
    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write a cube into a folder; return what a user names: a file or a folder."""

    def stem(self, path: Path) -> str:
        """Return the stem that results of the product must have."""
        return path.stem


class GeoTIFF(ProductWriter):
    """A float32 GeoTIFF with wavelengths; clouds and shadows are no data."""

    kind = "raster"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw six bands."""
        return draw_cube((443, 490, 560, 665, 842, 1610), seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube; what is hidden becomes NaN."""
        path = folder / f"scene_{cube.day:%Y%m%d}.tif"
        values = cube.reflectance.astype(np.float32)
        values[cube.hidden] = np.nan
        names = [f"{nm:g} nm" for nm in cube.wavelengths]
        write_raster(path, np.moveaxis(values, -1, 0), cube, nodata=np.nan, descriptions=names)
        return path
