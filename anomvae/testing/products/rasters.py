"""Rasters of products: how layers are written on the grid of a cube, and values become integers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from .cube import ProductCube


def write_raster(
    path: Path,
    layers: NDArray[Any],
    cube: ProductCube,
    side: float | None = None,
    *,
    driver: str = "GTiff",
    descriptions: Sequence[str] = (),
    **options: Any,  # noqa: ANN401 - those of the driver
) -> None:
    """Write layers, axes ([band,] row, col), from the corner of a cube, as its EPSG code has it.

    ``side`` is that of a pixel; None: as the cube.  ``descriptions`` are those of the bands.
    """
    layers = layers if layers.ndim == 3 else layers[np.newaxis]
    count, height, width = layers.shape
    corner = Affine(side, 0, cube.corner[0], 0, -side, cube.corner[1]) if side else None
    with rasterio.open(
        path,
        "w",
        driver=driver,
        dtype=layers.dtype,
        count=count,
        height=height,
        width=width,
        crs=f"EPSG:{cube.epsg}",
        transform=corner or Affine(*cube.transform),
        **options,
    ) as file:
        file.write(layers)
        for number, text in enumerate(descriptions, start=1):
            file.set_band_description(number, text)


def stored(
    values: NDArray[np.float64], scale: float, offset: float, nodata: int, dtype: str
) -> NDArray[Any]:
    """Return the integers of physical values, ``(value - offset) / scale``; NaN becomes nodata."""
    numbers = np.round((values - offset) / scale)
    return np.where(np.isnan(values), nodata, numbers).astype(dtype)
