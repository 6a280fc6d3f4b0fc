"""What the products of imaging spectrometers have in common: how they store reflectance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cube import ProductCube

REFLECTANCE = 1e-4
"""Reflectance of one stored unit."""
BACKGROUND = -32768
"""Stored value of pixels without data."""


def stored_reflectance(cube: ProductCube) -> NDArray[np.int16]:
    """Return what products of DLR store, axes (band, row, col)."""
    values = np.where(cube.missing[..., None], 0.0, cube.reflectance)
    stored = np.round(values / REFLECTANCE).astype(np.int16)
    stored[cube.missing] = BACKGROUND
    return np.moveaxis(stored, -1, 0)
