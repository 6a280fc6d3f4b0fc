"""What a product shows: land with objects, clouds, shadows and a missing edge, in physical units.

Axes are (row, col[, band]); reflectance is 0 to 1, wavelengths are in nm.  Values are those that
the integers of every product store exactly: multiples of `STEP` from `FIRST`, which both 1e-4
(Sentinel-2) and 2.75e-5 with offset -0.2 (Landsat) divide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ..simulate import Anomaly, Sensor, simulate

FIRST, STEP = 2e-4, 11e-4
CLOUD, SHADOW = 0.75, 0.3
"""Reflectance of a cloud, and share of the light in a shadow."""
OBJECTS = (Anomaly("blue roof", (3, 3)), Anomaly("red roof", (2, 2)))

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ProductCube:
    """Pixels in physical units, on a grid."""

    reflectance: NDArray[np.float64]
    """Axes (row, col, band); NaN = no data."""
    wavelengths: tuple[float, ...]
    """Band centres, nm."""
    fwhm: tuple[float, ...]
    """Full widths at half maximum, nm."""
    clouds: Mask
    """Clouds, (row, col)."""
    shadows: Mask
    """Shadows of clouds, (row, col)."""
    objects: Mask
    """Planted anomalies, (row, col), clear of clouds and shadows."""
    epsg: int = 32633
    """Coordinate reference system."""
    corner: tuple[float, float] = (500_000.0, 4_000_020.0)
    """x and y of the upper left corner."""
    pixel: float = 20.0
    """Side of a pixel, in units of the coordinate reference system."""
    day: date = date(2024, 6, 1)
    """Day of the acquisition."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.clouds.shape[0], self.clouds.shape[1]

    @property
    def missing(self) -> Mask:
        """Pixels without data, (row, col)."""
        return np.asarray(np.isnan(self.reflectance).any(axis=-1))

    @property
    def hidden(self) -> Mask:
        """Pixels that the masks of the product hide, (row, col)."""
        return self.clouds | self.shadows

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """The affine transform of its grid."""
        return self.pixel, 0.0, self.corner[0], 0.0, -self.pixel, self.corner[1]


def draw_cube(
    wavelengths: Sequence[float],
    *,
    fwhm: Sequence[float] = (),
    shape: tuple[int, int] = (60, 60),
    pixel: float = 20.0,
    seed: int = 0,
) -> ProductCube:
    """Draw land in some bands; equal arguments give equal cubes.

    ``fwhm`` is by default 10 nm in each band.
    """
    sensor = Sensor(tuple(wavelengths), shadow=0.0)
    scene = simulate(shape, seed, anomalies=OBJECTS, sensor=sensor)
    values, objects = scene.block[0].astype(np.float64), scene.labels > 0
    clouds, shadows = _clouds(shape, objects, seed)
    values[clouds] = CLOUD
    values[shadows] *= SHADOW
    values = FIRST + STEP * np.round((values - FIRST) / STEP).clip(1)
    return ProductCube(
        values,
        tuple(map(float, wavelengths)),
        tuple(map(float, fwhm)) or (10.0,) * len(wavelengths),
        clouds=clouds,
        shadows=shadows,
        objects=objects,
        pixel=pixel,
    )


def _clouds(shape: tuple[int, int], objects: Mask, seed: int) -> tuple[Mask, Mask]:
    """Draw round clouds and, beside each, its shadow; away from objects by 3 pixels."""
    from scipy import ndimage

    rng = np.random.default_rng([seed, 1])
    row, col = np.indices(shape)
    clouds = np.zeros(shape, np.bool_)
    for middle in rng.uniform(0, 1, (3, 2)) * shape:
        clouds |= np.hypot(row - middle[0], col - middle[1]) < 5
    near = ndimage.binary_dilation(objects, iterations=3)
    shadows = np.roll(clouds, (6, 6), (0, 1)) & ~clouds
    return clouds & ~near, shadows & ~near
