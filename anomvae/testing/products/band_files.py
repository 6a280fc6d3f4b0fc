"""Band files of products: GeoTIFFs of one band, and integers of physical values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from .cube import ProductCube


def write_band(path: Path, values: NDArray[Any], cube: ProductCube, nodata: float | None) -> None:
    """Write one band, axes (row, col), on the grid of a cube."""
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=values.dtype,
        height=height,
        width=width,
        count=1,
        nodata=nodata,
        crs=f"EPSG:{cube.epsg}",
        transform=Affine(*cube.transform),
    ) as file:
        file.write(values, 1)


def stored(
    values: NDArray[np.float64], scale: float, offset: float, nodata: int, dtype: str
) -> NDArray[Any]:
    """Return the integers of physical values, ``(value - offset) / scale``; NaN becomes nodata."""
    numbers = np.round((values - offset) / scale)
    return np.where(np.isnan(values), nodata, numbers).astype(dtype)
