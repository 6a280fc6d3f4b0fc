"""Cubes of netCDF and HDF5 by the CF Conventions 1.11; what is hidden has the fill value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cube import ProductCube, draw_cube
from .writer import ProductWriter

SCALE, FILL = 1e-4, -9999
WAVELENGTHS = (443.0, 490.0, 560.0, 665.0, 842.0, 1610.0)


class NetCDF4(ProductWriter):
    """A cube of netCDF-4 whose axes are (x, band, y), packed and chunked."""

    kind = "netCDF"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw six bands."""
        return draw_cube(WAVELENGTHS, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube with coordinates, wavelengths in um, and a grid mapping."""
        import h5py
        from rasterio.crs import CRS

        path = folder / f"scene_{cube.day:%Y%m%d}.nc"
        xs, ys = _centres(cube)
        with h5py.File(path, "w") as file:
            file.attrs["_NCProperties"] = "version=2"
            for name, values, attributes in (
                ("x", xs, {"standard_name": "projection_x_coordinate", "units": "m"}),
                ("y", ys[::-1], {"standard_name": "projection_y_coordinate", "units": "m"}),
                ("wavelength", np.divide(cube.wavelengths, 1000), {"units": "um"}),
            ):
                file.create_dataset(name, data=values).attrs.update(attributes)
                file[name].make_scale(name)
            file["fwhm"] = np.divide(cube.fwhm, 1000)
            file["fwhm"].attrs["units"] = "um"
            file["fwhm"].dims[0].attach_scale(file["wavelength"])
            file["crs"] = 0
            file["crs"].attrs["crs_wkt"] = CRS.from_epsg(cube.epsg).to_wkt()
            packed = np.transpose(_packed(cube)[::-1], (1, 2, 0))
            data = file.create_dataset(
                "reflectance", data=packed, chunks=(17, 4, 13), compression="gzip"
            )
            for dim, name in zip(data.dims, ("x", "wavelength", "y"), strict=True):
                dim.attach_scale(file[name])
            data.attrs.update(
                {
                    "_FillValue": np.int16(FILL),
                    "scale_factor": SCALE,
                    "grid_mapping": "crs",
                    "units": "1",
                }
            )
        return path


class NetCDF3(ProductWriter):
    """Layers of netCDF-3, one variable for each band."""

    kind = "netCDF-3"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw six bands."""
        return draw_cube(WAVELENGTHS, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the layers, with a layer of flags that is no band."""
        from rasterio.crs import CRS
        from scipy.io import netcdf_file

        path = folder / f"layers_{cube.day:%Y%m%d}.nc"
        packed = _packed(cube)
        with netcdf_file(path, "w") as file:
            for name, values in zip(("x", "y"), _centres(cube), strict=True):
                file.createDimension(name, len(values))
                axis = file.createVariable(name, "f8", (name,))
                axis[:] = values
                axis.axis, axis.units = name.upper(), "m"
            mapping = file.createVariable("projection", "i4", ())
            mapping.spatial_ref = CRS.from_epsg(cube.epsg).to_wkt()
            for number, nm in enumerate(cube.wavelengths):
                layer = file.createVariable(f"rho_{nm:.0f}", "i2", ("y", "x"))
                layer[:] = packed[..., number]
                layer.radiation_wavelength, layer.radiation_wavelength_unit = nm, "nm"
                layer.scale_factor, layer.grid_mapping = SCALE, "projection"
                layer.missing_value = np.int16(FILL)
            flags = file.createVariable("flags", "i1", ("y", "x"))
            flags[:] = cube.hidden
            flags.flag_values, flags.flag_meanings = np.array([0, 1], "i1"), "clear hidden"
        return path


class HDF5(ProductWriter):
    """A cube of HDF5 without names of axes, which its wavelengths alone show."""

    kind = "HDF5"
    exact = False

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw six bands."""
        return draw_cube(WAVELENGTHS, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube, axes (row, band, col), big-endian floats without a place."""
        import h5py

        path = folder / f"cube_{cube.day:%Y%m%d}.h5"
        values = cube.reflectance.copy()
        values[cube.hidden] = np.nan
        with h5py.File(path, "w") as file:
            data = np.moveaxis(values, -1, 1).astype(">f4")
            file["instrument/cube"] = np.where(np.isnan(data), np.float32(FILL), data)
            file["instrument/cube"].attrs["_FillValue"] = np.float32(FILL)
            file["instrument/wavelength_nm"] = np.array(cube.wavelengths)
        return path


def _packed(cube: ProductCube) -> NDArray[np.int16]:
    values = np.round(cube.reflectance / SCALE)
    values[np.isnan(values) | cube.hidden[..., np.newaxis]] = FILL
    return values.astype(np.int16)


def _centres(cube: ProductCube) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, cols = cube.shape
    x, y = cube.corner
    xs, ys = np.arange(cols) + 0.5, np.arange(rows) + 0.5
    return np.asarray(x + cube.pixel * xs), np.asarray(y - cube.pixel * ys)
