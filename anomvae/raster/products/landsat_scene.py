"""Bands, masks and facts of a Landsat product whose metadata are read; sources: `landsat`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import RasterError
from ..mask_layers import MaskLayer
from ..mask_rules import Bits
from ..mask_schemes import QA_PIXEL, QA_RADSAT
from ..product_facts import ProductFacts
from .files import ProductFiles
from .landsat_bands import Sensor
from .landsat_mtl import CONTENTS, IMAGE, PROJECTION, Mtl
from .raster import Raster
from .stack import StackBand

KEY = re.compile(r"FILE_NAME_BAND_(?P<number>(?P<thermal>ST_B)?\d+(?:_VCID_\d)?)")
PANCHROMATIC = "8"
"""Number of the band of 15 m, which is not read."""
PIXEL, SATURATION = "QUALITY_L1_PIXEL", "QUALITY_L1_RADIOMETRIC_SATURATION"
WHOLE_PIXEL = (9, 11)
"""Bits of QA_RADSAT that are of no single band: dropped, hidden by terrain."""


@dataclass(frozen=True)
class LandsatScene:
    """A product whose metadata are read."""

    files: ProductFiles
    mtl: Mtl
    sensor: Sensor
    folder: str
    """Folder of the metadata file below the root, with a slash; empty: the root."""

    @property
    def level(self) -> str:
        """Processing level: L2SP, L2SR, L1TP, L1GT or L1GS."""
        return self.mtl.text(CONTENTS, "PROCESSING_LEVEL")

    @property
    def surface(self) -> bool:
        """Whether it is of Level-2."""
        return self.level.startswith("L2")

    @property
    def sun(self) -> float | None:
        """Sine of the sun elevation; None: unknown, or the sun is not up."""
        text = self.mtl.find(IMAGE, "SUN_ELEVATION")
        sine = 0.0 if text is None else self._sine()
        return sine if sine > 0 else None

    def _sine(self) -> float:
        return math.sin(math.radians(self.mtl.number(IMAGE, "SUN_ELEVATION")))

    def bands(self) -> list[StackBand]:
        """Return the bands that the metadata name, with their scales."""
        keys = [(KEY.fullmatch(name), file) for name, file in self.mtl.of(CONTENTS)]
        found = [
            self._band(match, file)
            for match, file in keys
            if match is not None and match["number"] != PANCHROMATIC
        ]
        if not found:
            raise RasterError(f"{self.mtl.path} names no bands of 30 m. Fetch the product again.")
        return found

    def _band(self, match: re.Match[str], file: str) -> StackBand:
        key = match["number"]
        number = key.removeprefix("ST_B")
        scale, offset = self._factors(key, number)
        band = self.sensor.get(number)
        plain = f"SR_B{number}" if self.surface else f"B{number}"
        return StackBand(
            key if match["thermal"] else plain,
            self._path(file),
            wavelength=None if band is None else band.wavelength,
            fwhm=None if band is None else band.fwhm,
            scale=scale,
            offset=offset,
            nodata=0,
        )

    def _factors(self, key: str, number: str) -> tuple[float, float]:
        """Return scale and offset of the physical values of a band."""
        if key != number:
            return self._pair("LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", "TEMPERATURE", key)
        if self.surface:
            return self._pair("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", "REFLECTANCE", key)
        group = "LEVEL1_RADIOMETRIC_RESCALING"
        if self.mtl.find(group, f"REFLECTANCE_MULT_BAND_{key}") is None:
            return self._pair(group, "RADIANCE", key)
        scale, offset = self._pair(group, "REFLECTANCE", key)
        sun = self.sun or 1.0
        return scale / sun, offset / sun

    def _pair(self, group: str, quantity: str, key: str) -> tuple[float, float]:
        name = f"{quantity}_MULT_BAND_{key}"
        scale = self.mtl.number(group, name)
        if not scale > 0:
            raise RasterError(
                f"{self.mtl.path} has {name} = {scale:g}, which scales nothing: it is damaged. "
                f"Fetch the product again."
            )
        return scale, self.mtl.number(group, f"{quantity}_ADD_BAND_{key}")

    def _path(self, file: str) -> str:
        """Return the path of a file that the metadata name; only the product's own are taken."""
        name = f"{self.folder}{file}"
        if name not in self.files.names:
            raise RasterError(
                f"{self.mtl.path} names {file}, which does not lie beside it. Fetch all files of "
                f"the product into one folder."
            )
        return self.files.path(name)

    def masks(self) -> tuple[MaskLayer, ...]:
        """Return the masks of clouds, shadows and snow, and of saturated bands."""
        layers = []
        pixel, saturation = self._quality(PIXEL), self._quality(SATURATION)
        if pixel is not None:
            layers.append(QA_PIXEL.layer(Raster(pixel)))
        if saturation is not None:
            title = "QA_RADSAT: saturated in a band in use, dropped, hidden by terrain"
            layers.append(MaskLayer(Raster(saturation), self._saturated(), title))
        return tuple(layers)

    def _quality(self, key: str) -> str | None:
        file = self.mtl.find(CONTENTS, f"FILE_NAME_{key}")
        name = f"{self.folder}{file}"
        return self.files.path(name) if name in self.files.names else None

    def _saturated(self) -> Bits:
        numbers = {band.name: re.sub(r"(?:S[RT]_)?B", "", band.name) for band in self.bands()}
        known = {name: self.sensor.get(number) for name, number in numbers.items()}
        bits = tuple(
            (name, band.saturation)
            for name, band in known.items()
            if band is not None and band.saturation is not None
        )
        return Bits(
            (*(bit for _, bit in bits), *WHOLE_PIXEL), known=tuple(QA_RADSAT.meanings), bands=bits
        )

    def facts(self, shape: tuple[int, int]) -> ProductFacts:
        """Return what it is; ``shape`` are the rows and columns of its bands."""
        mtl, sun = self.mtl, self.sun
        unit = "reflectance, ST_B* in K" if self.level == "L2SP" else "reflectance"
        details = [("path/row", f"{mtl.text(IMAGE, 'WRS_PATH')}/{mtl.text(IMAGE, 'WRS_ROW')}")]
        guessed = list(self._clip(shape))
        if not self.surface:
            unit = "reflectance at the top of the atmosphere, thermal bands in W/(m2 sr um)"
            if sun is None:
                guessed.append("The sun elevation is unknown: reflectance is not corrected for it")
            else:
                elevation = f"{mtl.number(IMAGE, 'SUN_ELEVATION'):g} degrees"
                details.append(("sun elevation", f"{elevation}, corrected"))
        if self._quality(PIXEL) is None:
            guessed.append(QA_PIXEL.lacking)
        mission = mtl.text(IMAGE, "SPACECRAFT_ID").removeprefix("LANDSAT_")
        return ProductFacts(
            kind=f"Landsat {mission} {self.level}",
            date=mtl.day(),
            unit=unit,
            details=tuple(details),
            guessed=tuple(guessed),
        )

    def _clip(self, shape: tuple[int, int]) -> Iterator[str]:
        """Yield what is assumed where the bands have another size than the metadata state."""
        sides = ("REFLECTIVE_LINES", "REFLECTIVE_SAMPLES")
        if any(self.mtl.find(PROJECTION, side) is None for side in sides):
            return
        rows, cols = (int(self.mtl.number(PROJECTION, side)) for side in sides)
        found = f"{shape[0]} x {shape[1]} pixels"
        if shape[0] > rows or shape[1] > cols:
            raise RasterError(
                f"{self.mtl.path} states {rows} x {cols} pixels, but the bands have {found}. "
                f"Fetch the product again."
            )
        if shape != (rows, cols):
            yield f"The bands have {found}, of {rows} x {cols} in the metadata: a clip"
