"""ENVI cubes, and a GeoTIFF whose header of ENVI lies beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

from .cube import FIRST, STEP, ProductCube, draw_cube
from .rasters import write_raster
from .writer import ProductWriter

IGNORED = -9999
INT16 = 2
"""Code of ``data type``."""
GARBAGE = 30_000
"""Stored value of bad bands; it changes from pixel to pixel."""
WAVELENGTHS = (443, 490, 560, 665, 842, 1610)
FWHM = (20, 65, 35, 30, 115, 90)
BAD = (0, 4)
"""Where bad bands lie among those of the file, by position."""
BAD_WAVELENGTHS = (380, 760)


class EnviCube(ProductWriter):
    """An ENVI cube of 16 bits with gains and offsets; two bad bands hold garbage."""

    kind = "ENVI"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw six bands."""
        return draw_cube(WAVELENGTHS, fwhm=FWHM, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube; what is hidden becomes the ignored value."""
        path = folder / f"cube_{cube.day:%Y%m%d}.img"
        stored = _stored(cube)
        noise = np.random.default_rng(0).integers(-GARBAGE, GARBAGE, (*cube.shape, len(BAD)))
        marks, wavelengths, fwhm = [1] * len(WAVELENGTHS), [*cube.wavelengths], [*cube.fwhm]
        for number, position in enumerate(BAD):
            stored = np.insert(stored, position, noise[..., number], axis=-1)
            marks.insert(position, 0)
            wavelengths.insert(position, BAD_WAVELENGTHS[number])
            fwhm.insert(position, 10.0)
        stored.astype("<i2").tofile(path)
        count = len(marks)
        items = {
            "interleave": "bip",
            "map info": f"{{UTM, 1, 1, {cube.corner[0]}, {cube.corner[1]}, {cube.pixel}, "
            f"{cube.pixel}, {cube.epsg % 100}, North, WGS-84, units=Meters}}",
            "coordinate system string": f"{{{CRS.from_epsg(cube.epsg).to_wkt()}}}",
            "wavelength units": "Micrometers",
            "wavelength": _list(nm / 1000 for nm in wavelengths),
            "fwhm": _list(nm / 1000 for nm in fwhm),
            "bbl": _list(marks),
            "data gain values": _list([STEP] * count),
            "data offset values": _list([FIRST] * count),
            "data ignore value": IGNORED,
            "acquisition time": f"{cube.day}T10:20:30Z",
        }
        _write_header(path.with_suffix(".hdr"), cube, count, items)
        return path


class HeaderBesideGeoTIFF(ProductWriter):
    """A GeoTIFF of 16 bits; what its numbers mean is in a header of ENVI beside it."""

    kind = "raster with an ENVI header"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw six bands."""
        return draw_cube(WAVELENGTHS, fwhm=FWHM, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube; what is hidden becomes the ignored value."""
        path = folder / f"image_{cube.day:%Y%m%d}.tif"
        values = np.round(cube.reflectance * 10_000)
        values[cube.hidden | cube.missing] = IGNORED
        write_raster(path, np.moveaxis(values, -1, 0).astype(np.int16), cube)
        items = {
            "wavelength units": "Nanometers",
            "wavelength": _list(cube.wavelengths),
            "fwhm": _list(cube.fwhm),
            "reflectance scale factor": 10_000,
            "data ignore value": IGNORED,
        }
        _write_header(path.with_suffix(".hdr"), cube, values.shape[2], items)
        return path


def _stored(cube: ProductCube) -> NDArray[np.int16]:
    """Return stored numbers, axes (row, col, band)."""
    stored = np.round((cube.reflectance - FIRST) / STEP)
    stored[cube.hidden | cube.missing] = IGNORED
    return stored.astype(np.int16)


def _list(values: Iterable[float]) -> str:
    return "{" + ", ".join(f"{value:.10g}" for value in values) + "}"


def _write_header(path: Path, cube: ProductCube, count: int, items: dict[str, object]) -> None:
    rows, cols = cube.shape
    sizes = {"samples": cols, "lines": rows, "bands": count, "header offset": 0}
    sizes |= {"data type": INT16, "byte order": 0}
    lines = (f"{name} = {value}" for name, value in {**sizes, **items}.items())
    path.write_text("\n".join(["ENVI", *lines, ""]), encoding="utf-8")
