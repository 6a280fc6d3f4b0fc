"""Sentinel-2 L1C and L2A as SAFE folders, with the structure that ESA publishes.

Source: ESA, Sentinel-2 Products Specification Document 15.0 (S2-PDGS-TAS-DI-PSD, 2023).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .cube import FIRST, SHADOW, STEP, ProductCube, draw_cube
from .rasters import write_raster
from .writer import ProductWriter

CENTRES = {
    **{"B01": 442.7, "B02": 492.4, "B03": 559.8, "B04": 664.6, "B05": 704.1, "B06": 740.5},
    **{"B07": 782.8, "B08": 832.8, "B8A": 864.7, "B09": 945.1, "B10": 1373.5, "B11": 1613.7},
    **{"B12": 2202.4},
}
"""Centres of the bands of Sentinel-2A, nm."""
TEN, SIXTY = ("B02", "B03", "B04", "B08"), ("B01", "B09", "B10")
"""Bands by the sides of their pixels, metres; all others have 20 m."""
QUANTIFICATION = 10_000
SHARED = 3
"""Pixels of a cube along a pixel of 60 m."""


@dataclass(frozen=True)
class Sentinel2(ProductWriter):
    """A SAFE folder; its cube has pixels of 20 m."""

    level: str = "L2A"
    """``L1C`` or ``L2A``."""
    baseline: str = "04.00"
    """Processing baseline; from 04.00 on numbers have an offset."""
    tile: str = "T33SVB"
    """Name of the tile."""

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What `ProductFacts.kind` must be."""
        return f"Sentinel-2 {self.level}"

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""
        return tuple(band for band in CENTRES if (self.level, band) != ("L2A", "B10"))

    @property
    def coarse(self) -> tuple[str, ...]:
        """Names of the bands that have pixels of 60 m only."""
        own = self.level == "L2A" and self._offset != 0  # with 20 m, too, since 04.00
        return tuple(band for band in SIXTY if not (own and band == "B01"))

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw all bands; those of 60 m are equal in each square of 3 x 3 pixels."""
        names = self.bands
        cube = draw_cube([CENTRES[band] for band in names], fwhm=[21.0] * len(names), seed=seed)
        if self.level == "L1C":  # its mask has clouds of 60 m, and no shadows
            cube = _without_shadows(cube)
        values = cube.reflectance.copy()
        for at in (names.index(band) for band in self.coarse if band in names):
            values[..., at] = _repeated(values[::SHARED, ::SHARED, at], SHARED)
        values[_grown(cube.missing)] = np.nan  # in all bands, as where a satellite does not look
        return replace(cube, reflectance=values)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube; return the SAFE folder."""
        safe = folder / f"{self._name(cube)}.SAFE"
        granule = safe / "GRANULE" / f"{self.level}_{self.tile}_A012345_{cube.day:%Y%m%d}T103022"
        images = granule / "IMG_DATA"
        for band, values in zip(self.bands, np.moveaxis(cube.reflectance, -1, 0), strict=True):
            numbers = np.rint(values * QUANTIFICATION) - self._offset
            stored = np.where(np.isnan(values), 0, numbers).astype(np.uint16)
            for side in self._sides(band):
                write_jp2(self._image(images, cube, band, side), _at(stored, side), cube, side)
        self._write_mask(cube, granule)
        _write_xml(granule / "MTD_TL.xml", self._tile_metadata(cube))
        listed = sorted(path.relative_to(safe).with_suffix("") for path in images.rglob("*.jp2"))
        names = [path.as_posix() for path in listed]
        _write_xml(safe / f"MTD_MSI{self.level}.xml", self._metadata(names))
        return safe

    def stem(self, path: Path) -> str:
        """Return the name of the product."""
        return path.name.removesuffix(".SAFE")

    @property
    def _offset(self) -> int:
        return -1000 if float(self.baseline) >= 4 else 0

    def _name(self, cube: ProductCube) -> str:
        day, number = f"{cube.day:%Y%m%d}", self.baseline.replace(".", "")
        return f"S2A_MSI{self.level}_{day}T103021_N{number}_R108_{self.tile}_20250101T000000"

    def _sides(self, band: str) -> tuple[int, ...]:
        if self.level == "L1C":
            return (10,) if band in TEN else (60,) if band in SIXTY else (20,)
        if band in self.coarse:
            return (60,)
        return (10,) if band == "B08" else (10, 20) if band in TEN else (20,)

    def _image(self, images: Path, cube: ProductCube, band: str, side: int) -> Path:
        name = f"{self.tile}_{cube.day:%Y%m%d}T103021_{band}"
        if self.level == "L1C":
            return images / f"{name}.jp2"
        return images / f"R{side}m" / f"{name}_{side}m.jp2"

    def _write_mask(self, cube: ProductCube, granule: Path) -> None:
        if self.level == "L2A":
            classes = np.select([cube.missing, cube.clouds, cube.shadows], [0, 9, 3], 4)
            path = self._image(granule / "IMG_DATA", cube, "SCL", 20)
            write_jp2(path, classes.astype(np.uint8), cube, 20)
        elif self._offset:
            clouds = cube.clouds[::SHARED, ::SHARED].astype(np.uint8)
            layers = np.stack([clouds, np.zeros_like(clouds), np.zeros_like(clouds)])
            write_jp2(granule / "QI_DATA" / "MSK_CLASSI_B00.jp2", layers, cube, 60)

    def _metadata(self, images: list[str]) -> Element:
        number = {"L1C": "1C", "L2A": "2A"}[self.level]
        root = Element(f"{{https://psd-14.sentinel2.eo.esa.int}}Level-{number}_User_Product")
        info = SubElement(SubElement(root, "General_Info"), "Product_Info")
        _add(info, "PROCESSING_BASELINE", self.baseline)
        take = SubElement(info, "Datatake")
        _add(take, "SPACECRAFT_NAME", "Sentinel-2A")
        _add(take, "SENSING_ORBIT_NUMBER", "108")
        _add(take, "SENSING_ORBIT_DIRECTION", "DESCENDING")
        granule = SubElement(info, "Granule")
        for name in images:
            _add(granule, "IMAGE_FILE", name)
        image = SubElement(root, "Product_Image_Characteristics")
        value, offset = "QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET"
        if self.level == "L2A":
            value, offset = "BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"
        _add(image, value, str(QUANTIFICATION), unit="none")
        for band_id, (_, centre) in enumerate(CENTRES.items()):
            if self._offset:
                _add(image, offset, str(self._offset), band_id=str(band_id))
            _add_spectrum(image, str(band_id), centre)
        return root

    def _tile_metadata(self, cube: ProductCube) -> Element:
        root = Element(f"{{https://psd-14.sentinel2.eo.esa.int}}Level-{self.level[1:]}_Tile_ID")
        place = SubElement(SubElement(root, "Geometric_Info"), "Tile_Geocoding")
        _add(place, "HORIZONTAL_CS_CODE", f"EPSG:{cube.epsg}")
        for side in (10, 20, 60):
            size = SubElement(place, "Size", resolution=str(side))
            _add(size, "NROWS", str(cube.shape[0] * 20 // side))
            _add(size, "NCOLS", str(cube.shape[1] * 20 // side))
            corner = SubElement(place, "Geoposition", resolution=str(side))
            for tag, number in zip(("ULX", "ULY"), cube.corner, strict=True):
                _add(corner, tag, f"{number:g}")
            _add(corner, "XDIM", str(side))
            _add(corner, "YDIM", str(-side))
        return root


def write_jp2(path: Path, values: NDArray[np.generic], cube: ProductCube, side: int) -> None:
    """Write numbers, axes ([band,] row, col), without loss, from the corner of a cube."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raster(
        *(path, values, cube, side), driver="JP2OpenJPEG", QUALITY=100, REVERSIBLE="YES", YCC="NO"
    )


def _at(values: NDArray[np.uint16], side: int) -> NDArray[np.uint16]:
    """Bring numbers of 20 m onto another grid."""
    return _repeated(values, 2) if side == 10 else values[:: side // 20, :: side // 20]


def _repeated(values: NDArray[Any], times: int) -> NDArray[Any]:
    return values.repeat(times, axis=0).repeat(times, axis=1)


def _without_shadows(cube: ProductCube) -> ProductCube:
    """Light the shadows, and grow the clouds to whole pixels of 60 m."""
    values = cube.reflectance.copy()
    values[cube.shadows] /= SHADOW
    values = FIRST + STEP * np.round((values - FIRST) / STEP).clip(1)
    none = np.zeros_like(cube.clouds)
    return replace(cube, reflectance=values, clouds=_grown(cube.clouds), shadows=none)


def _grown(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of 60 m that hold any of some pixels."""
    square = np.ones((SHARED, SHARED), np.bool_)
    middles = ndimage.binary_dilation(pixels, square)[1::SHARED, 1::SHARED]
    return _repeated(middles, SHARED)


def _add_spectrum(parent: Element, band_id: str, centre: float) -> None:
    band = SubElement(parent, "Spectral_Information", bandId=band_id)
    wave = SubElement(band, "Wavelength")
    _add(wave, "CENTRAL", f"{centre:g}", unit="nm")
    response = SubElement(band, "Spectral_Response")
    _add(response, "STEP", "1", unit="nm")
    _add(response, "VALUES", " ".join(["0.1", *["1"] * 21, "0.1"]))


def _write_xml(path: Path, root: Element) -> None:
    path.write_bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text
