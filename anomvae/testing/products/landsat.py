"""Landsat Collection 2, as USGS distributes it: band files, masks and an MTL in three forms.

Structure of the MTL: Landsat 8-9 Collection 2 Level-2 Science Product Guide (USGS LSDS-1619, 2024).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from .cube import ProductCube, draw_cube
from .rasters import stored, write_raster
from .writer import ProductWriter

WAVELENGTHS = (443, 482, 561.5, 654.5, 865, 1608.5, 2200.5)
SCALE, OFFSET = 2.75e-5, -0.2
KELVIN = (0.00341802, 149.0)
"""Scale and offset of surface temperature."""
CLOUD, SHADOW, FILL, CLEAR = 1 << 3, 1 << 4, 1 << 0, 1 << 6
"""Bits of QA_PIXEL."""
SUN_ELEVATION = 30.0
"""Degrees; its sine is 0.5."""

Groups = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Landsat(ProductWriter):
    """A folder of Landsat 8 or 9; Level-1 is written without thermal bands."""

    level: str = "L2SR"
    """L2SR, L2SP (with a temperature band of 300 K) or L1TP."""
    mission: int = 9
    """8 or 9."""
    scene: str = "193027"
    """Path and row."""

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What `ProductFacts.kind` must be."""
        return f"Landsat {self.mission} {self.level}"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw the seven reflective bands."""
        return draw_cube(WAVELENGTHS, pixel=30.0, seed=seed)

    def identifier(self, cube: ProductCube) -> str:
        """Return the product identifier."""
        sensor = f"LC{self.mission:02d}_{self.level}_{self.scene}"
        return f"{sensor}_{cube.day:%Y%m%d}_{cube.day:%Y%m%d}_02_T1"

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the product in a folder of its identifier."""
        name = self.identifier(cube)
        path = folder / name
        path.mkdir()
        groups = self.metadata(cube)
        for number in range(1, 8):
            values = stored(cube.reflectance[..., number - 1], SCALE, OFFSET, 0, "uint16")
            file = str(groups["PRODUCT_CONTENTS"][f"FILE_NAME_BAND_{number}"])
            write_raster(path / file, values, cube, nodata=0)
        if self.level == "L2SP":
            kelvin = stored(np.full(cube.shape, 300.0), *KELVIN, 0, "uint16")
            write_raster(path / f"{name}_ST_B10.TIF", kelvin, cube, nodata=0)
        pixel = np.full(cube.shape, CLEAR, "uint16")
        for hidden, bit in ((cube.clouds, CLOUD), (cube.shadows, SHADOW), (cube.missing, FILL)):
            pixel[hidden] = bit
        write_raster(path / f"{name}_QA_PIXEL.TIF", pixel, cube, nodata=1)
        saturated = np.zeros(cube.shape, "uint16")
        write_raster(path / f"{name}_QA_RADSAT.TIF", saturated, cube, nodata=None)
        for form, text in mtl_texts(groups).items():
            (path / f"{name}_MTL.{form}").write_text(text, encoding="utf-8")
        return path

    def stem(self, path: Path) -> str:
        """Return the product identifier."""
        return path.name

    def metadata(self, cube: ProductCube) -> Groups:
        """Return groups of names and values of the MTL."""
        name, rows, cols = self.identifier(cube), *cube.shape
        prefix = "" if self.level.startswith("L1") else "SR_"
        bands = {f"FILE_NAME_BAND_{n}": f"{name}_{prefix}B{n}.TIF" for n in range(1, 8)}
        thermal = self.level == "L2SP"
        level1 = _factors("REFLECTANCE", range(1, 8), SCALE / 2, OFFSET / 2)  # sine of 30 degrees
        return {
            "PRODUCT_CONTENTS": {
                "LANDSAT_PRODUCT_ID": name,
                "PROCESSING_LEVEL": self.level,
                "COLLECTION_NUMBER": "02",
                **bands,
                **({"FILE_NAME_BAND_ST_B10": f"{name}_ST_B10.TIF"} if thermal else {}),
                "FILE_NAME_QUALITY_L1_PIXEL": f"{name}_QA_PIXEL.TIF",
                "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{name}_QA_RADSAT.TIF",
            },
            "IMAGE_ATTRIBUTES": {
                "SPACECRAFT_ID": f"LANDSAT_{self.mission}",
                "SENSOR_ID": "OLI_TIRS",
                "WRS_PATH": self.scene[:3],
                "WRS_ROW": self.scene[3:],
                "DATE_ACQUIRED": f"{cube.day}",
                "SUN_ELEVATION": SUN_ELEVATION,
            },
            "PROJECTION_ATTRIBUTES": {"REFLECTIVE_LINES": rows, "REFLECTIVE_SAMPLES": cols},
            "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": _factors(
                "REFLECTANCE", range(1, 8), SCALE, OFFSET
            ),
            "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS": _factors("TEMPERATURE", ["ST_B10"], *KELVIN),
            "LEVEL1_PROCESSING_RECORD": {"LANDSAT_PRODUCT_ID": name.replace("L2SP", "L1TP")},
            "LEVEL1_RADIOMETRIC_RESCALING": level1,
        }


def mtl_texts(groups: Groups) -> dict[str, str]:
    """Return the MTL in its forms: json, txt and xml."""
    root = Element("LANDSAT_METADATA_FILE")
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for name, members in groups.items():
        element = SubElement(root, name)
        lines.append(f"  GROUP = {name}")
        for key, value in members.items():
            SubElement(element, key).text = str(value)
            text = f'"{value}"' if isinstance(value, str) else f"{value}"
            lines.append(f"    {key} = {text}")
        lines.append(f"  END_GROUP = {name}")
    lines += ["END_GROUP = LANDSAT_METADATA_FILE", "END"]
    texts = {name: {key: str(v) for key, v in members.items()} for name, members in groups.items()}
    return {
        "json": json.dumps({"LANDSAT_METADATA_FILE": texts}, indent=2),
        "txt": "\n".join(lines) + "\n",
        "xml": tostring(root, encoding="unicode"),
    }


def _factors(
    quantity: str, keys: list[str] | range, scale: float, offset: float
) -> dict[str, object]:
    scales = {f"{quantity}_MULT_BAND_{key}": scale for key in keys}
    return {**scales, **{f"{quantity}_ADD_BAND_{key}": offset for key in keys}}
