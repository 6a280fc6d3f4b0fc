"""What the products of imaging spectrometers have in common: their spectra and masks as GeoTIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from .cube import ProductCube

REFLECTANCE = 1e-4
"""Reflectance of one stored unit."""
BACKGROUND = -32768
"""Stored value of pixels without data."""


def stored_reflectance(cube: ProductCube) -> NDArray[np.int16]:
    """Return what products of DLR store, axes (row, col, band)."""
    values = np.where(cube.missing[..., None], 0.0, cube.reflectance)
    stored = np.round(values / REFLECTANCE).astype(np.int16)
    stored[cube.missing] = BACKGROUND
    return stored


def write_layers(
    path: Path,
    layers: NDArray[Any],
    cube: ProductCube,
    *,
    nodata: float | None = None,
    interleave: str = "band",
) -> None:
    """Write layers, axes (row, col, band), on the grid of a cube as a GeoTIFF."""
    height, width, count = layers.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=layers.dtype,
        height=height,
        width=width,
        count=count,
        crs=f"EPSG:{cube.epsg}",
        transform=Affine(*cube.transform),
        nodata=nodata,
        interleave=interleave,
    ) as file:
        file.write(np.moveaxis(layers, -1, 0))
