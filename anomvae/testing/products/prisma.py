"""PRISMA L2D and L1 as ASI distributes them: one file of HDF-EOS5."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cube import ProductCube, draw_cube
from .writer import ProductWriter

if TYPE_CHECKING:
    import h5py

WAVELENGTHS = (449.2, 492.7, 559.0, 664.7, 782.9, 833.8, 951.0, 1239.6, 1606.8, 2199.6)
SWIR = 943.0
"""Where the wavelengths of the second detector begin, nm."""
OVERLAP = 972.7
"""A band of the first detector beyond, nm; it holds numbers of no meaning."""
SCALE = 2e-5
"""Reflectance of one stored unit of L2."""
FACTOR = 1e5
"""Stored units of one unit of radiance of L1."""
NOT_ACQUIRED = {"Vnir": 3, "Swir": 2}
"""Bands without wavelength: the first of VNIR, the last of SWIR."""


class PRISMA(ProductWriter):
    """L2D: clouds and shadows are in the matrices of errors."""

    kind = "PRISMA L2D"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw ten bands."""
        return draw_cube(WAVELENGTHS, fwhm=(11.0,) * len(WAVELENGTHS), pixel=30.0, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write a file."""
        import h5py

        path = folder / f"PRS_L2D_STD_{cube.day:%Y%m%d}103522_{cube.day:%Y%m%d}103526_0001.he5"
        with h5py.File(path, "w") as file:
            file.attrs["Processing_Level"] = np.bytes_("2D")
            file.attrs["Product_StartTime"] = np.bytes_(f"{cube.day}T10:35:22.000000")
            _write_detectors(file, "PRS_L2D_HCO", cube, SCALE, "L2", cube.hidden)
            for key in ("Vnir", "Swir"):
                file.attrs[f"L2Scale{key}Min"] = np.float32(0)
                file.attrs[f"L2Scale{key}Max"] = np.float32(65535 * SCALE)
            _write_corners(file, cube)
        return path


class PRISMAL1(ProductWriter):
    """L1: clouds are in ``Cloud_Mask``, shadows in the matrices of errors; no grid."""

    kind = "PRISMA L1"
    exact = False

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw ten bands."""
        return PRISMA().cube(seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write a file; the numbers of the cube are radiances."""
        import h5py

        path = folder / f"PRS_L1_STD_OFFL_{cube.day:%Y%m%d}103522_{cube.day:%Y%m%d}103526_0001.he5"
        with h5py.File(path, "w") as file:
            file.attrs["Processing_Level"] = np.bytes_("1")
            _write_detectors(file, "PRS_L1_HCO", cube, 1 / FACTOR, "SAT", cube.shadows)
            for key in ("Vnir", "Swir"):
                file.attrs[f"ScaleFactor_{key}"] = np.float32(FACTOR)
                file.attrs[f"Offset_{key}"] = np.float32(0)
            swath = file["HDFEOS/SWATHS/PRS_L1_HCO"]
            swath["Data Fields/Cloud_Mask"] = cube.clouds.astype(np.uint8)
            for detector in ("VNIR", "SWIR"):
                lat, lon = coordinates(cube)
                swath[f"Geolocation Fields/Latitude_{detector}"] = lat
                swath[f"Geolocation Fields/Longitude_{detector}"] = lon
        return path


def coordinates(cube: ProductCube) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return latitude and longitude of the pixels of a swath, degrees."""
    row, col = np.indices(cube.shape).astype(np.float32)
    return 45 - 3e-4 * row - 5e-5 * col, 9 + 4e-4 * col - 6e-5 * row


def _write_detectors(
    file: h5py.File,
    swath: str,
    cube: ProductCube,
    scale: float,
    matrix: str,
    errors: NDArray[np.bool_],
) -> None:
    """Write both cubes, axes (row, band, col), by descending wavelength."""
    nm, fwhm = np.array(cube.wavelengths), np.array(cube.fwhm)
    values = np.where(cube.missing[..., None], 0.0, cube.reflectance)
    stored = np.round(values / scale).astype(np.uint16)
    for key, own in {"Vnir": nm < SWIR, "Swir": nm >= SWIR}.items():
        numbers, centres, widths = stored[..., own], nm[own], fwhm[own]
        if key == "Vnir":
            numbers = np.concatenate([numbers, np.full((*cube.shape, 1), 7, np.uint16)], axis=-1)
            centres, widths = np.append(centres, OVERLAP), np.append(widths, 13.0)
        pad = NOT_ACQUIRED[key]
        around = (pad, 0) if key == "Vnir" else (0, pad)
        numbers = np.pad(numbers[..., ::-1], ((0, 0), (0, 0), around))
        centres, widths = np.pad(centres[::-1], around), np.pad(widths[::-1], around)
        file.attrs[f"List_Cw_{key}"] = centres.astype(np.float32)
        file.attrs[f"List_Fwhm_{key}"] = widths.astype(np.float32)
        file.attrs[f"List_Cw_{key}_Flags"] = (centres > 0).astype(np.int32)
        fields = f"HDFEOS/SWATHS/{swath}/Data Fields/{key.upper()}"
        file[f"{fields}_Cube"] = np.swapaxes(numbers, 1, 2)
        marks = np.broadcast_to(errors[:, None], file[f"{fields}_Cube"].shape)
        file[f"{fields}_PIXEL_{matrix}_ERR_MATRIX"] = marks.astype(np.uint8)


def _write_corners(file: h5py.File, cube: ProductCube) -> None:
    """Write the place of L2D: corners are the centres of pixels."""
    rows, cols = cube.shape
    west, north = cube.corner[0] + cube.pixel / 2, cube.corner[1] - cube.pixel / 2
    east, south = west + (cols - 1) * cube.pixel, north - (rows - 1) * cube.pixel
    file.attrs["Epsg_Code"] = np.uint32(cube.epsg)
    file.attrs["Projection_Name"] = np.bytes_("UTM")
    for corner, (x, y) in {
        "UL": (west, north),
        "UR": (east, north),
        "LL": (west, south),
        "LR": (east, south),
    }.items():
        file.attrs[f"Product_{corner}corner_easting"] = np.float64(x)
        file.attrs[f"Product_{corner}corner_northing"] = np.float64(y)
