"""EMIT L2A: a swath that lies askew on its grid, a lookup table, and the mask file beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cube import ProductCube, draw_cube
from .writer import ProductWriter

if TYPE_CHECKING:
    import h5py

ANGLE = math.radians(25)
"""Between the track and north."""
FILL = -9999.0
MASK_BANDS = (
    *("Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag"),
    *("AOD550", "H2O (g cm-2)", "Aggregate Flag"),
)


class EMIT(ProductWriter):
    """A granule of EMIT L2A of V001."""

    kind = "EMIT L2A"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw eight bands on a grid of degrees."""
        nm = (450.0, 500.0, 560.0, 650.0, 860.0, 1250.0, 1650.0, 2200.0)
        cube = draw_cube(nm, fwhm=(8.5,) * len(nm), seed=seed)
        return replace(cube, epsg=4326, corner=(-116.5, 32.8), pixel=0.0005)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write reflectance and masks as the swath shows them."""
        import h5py

        granule = f"001_{cube.day:%Y%m%d}T165148_2428011_035.nc"
        swath = _Swath(cube)
        path = folder / f"EMIT_L2A_RFL_{granule}"
        with h5py.File(path, "w") as file:
            _describe(file, cube, swath)
            values = swath.of(cube.reflectance, 0.123)
            values[np.isnan(values)] = FILL
            _cube(file, "reflectance", values)
            parameters = file.create_group("sensor_band_parameters")
            parameters["wavelengths"] = np.array(cube.wavelengths, "f4")
            parameters["fwhm"] = np.array(cube.fwhm, "f4")
            parameters["good_wavelengths"] = np.ones(len(cube.wavelengths), "u1")
        with h5py.File(folder / f"EMIT_L2A_MASK_{granule}", "w") as file:
            _describe(file, cube, swath)
            flags = np.zeros((*cube.shape, len(MASK_BANDS)))
            flags[cube.clouds, 0] = flags[cube.hidden, 4] = 1
            flags[..., 2] = 1  # water hides nothing
            flags[..., 7] = 1
            _cube(file, "mask", swath.of(flags, 1.0))
            file["sensor_band_parameters/mask_bands"] = list(MASK_BANDS)
        return path


class _Swath:
    """Which row and column of a swath lies on each pixel of a grid.

    Three shears make a rotation under which no two pixels of the grid meet (Paeth 1986).
    """

    def __init__(self, cube: ProductCube) -> None:
        row, col = np.indices(cube.shape)
        col = col + np.round(-math.tan(ANGLE / 2) * row).astype(int)
        row = row + np.round(math.sin(ANGLE) * col).astype(int)
        col = col + np.round(-math.tan(ANGLE / 2) * row).astype(int)
        self.row, self.col = row - row.min(), col - col.min()
        self.shape = int(self.row.max()) + 1, int(self.col.max()) + 1
        self.there = ~cube.missing

    def of(self, values: NDArray[np.float64], beside: float) -> NDArray[np.float64]:
        """Return values, axes (row, col, band), in the geometry of the swath.

        Pixels of the swath that no pixel of the grid takes have the value ``beside``.
        """
        taken = np.full((*self.shape, values.shape[2]), beside)
        taken[self.row, self.col] = values
        return taken

    def table(self, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return a lookup table, from 1, negative in every third column; 0: no pixel."""
        signed = np.where(np.arange(places.shape[1]) % 3 == 0, -1, 1) * (places + 1)
        return np.where(self.there, signed, 0).astype(np.int32)


def _describe(file: h5py.File, cube: ProductCube, swath: _Swath) -> None:
    from rasterio.crs import CRS

    a, b, c, d, e, f = cube.transform
    file.attrs.update(
        {
            "instrument": "EMIT",
            "product_version": "V001",
            "geotransform": (c, a, b, f, d, e),
            "spatial_ref": CRS.from_epsg(cube.epsg).to_wkt(),
        }
    )
    file["location/glt_x"] = swath.table(swath.col)
    file["location/glt_y"] = swath.table(swath.row)


def _cube(file: h5py.File, name: str, values: NDArray[np.float64]) -> None:
    file[name] = values.astype(np.float32)
    file[name].attrs["_FillValue"] = np.array([FILL], "f4")
    file[name].attrs["units"] = "unitless"
    for dim, label in zip(file[name].dims, ("downtrack", "crosstrack", "bands"), strict=True):
        dim.label = label
