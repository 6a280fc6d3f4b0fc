"""A STAC item of Sentinel-2 beside its GeoTIFFs, as catalogues publish it.

Sources: STAC 1.0 and 1.1 (2021, 2024); the items of Earth Search (Element 84, v1, 2023) and of
Microsoft's Planetary Computer (2022) for what they state, and do not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .cube import ProductCube, draw_cube
from .rasters import write_raster
from .writer import ProductWriter

BANDS = {
    **{"blue": ("B02", 0.492, 0.098, 10), "green": ("B03", 0.56, 0.045, 10)},
    **{"red": ("B04", 0.665, 0.038, 10), "rededge1": ("B05", 0.704, 0.019, 20)},
    **{"nir": ("B08", 0.833, 0.145, 10), "swir16": ("B11", 1.614, 0.143, 20)},
}
"""Name, centre and width (um) and side of a pixel (metres) of each band, by its common name."""
QUANTIFICATION, OFFSET = 10_000, 1000


@dataclass(frozen=True)
class StacWriter(ProductWriter):
    """An ``item.json`` of six bands; its cube has pixels of 20 m."""

    kind: str = "STAC item"
    version: str = "1.0.0"
    """1.0.0 (``eo:bands`` and ``raster:bands``) or 1.1.0 (``bands``)."""
    planetary: bool = False
    """As the Planetary Computer: assets named B02 ..., no scale and no offset stated."""
    subtracted: bool = False
    """Whether the offset was subtracted from the pixels, as Earth Search does and states."""
    baseline: str = "05.09"
    """Processing baseline."""

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw the bands."""
        centres = [round(centre * 1000, 3) for _, centre, _, _ in BANDS.values()]
        return draw_cube(
            centres, fwhm=[width * 1000 for _, _, width, _ in BANDS.values()], seed=seed
        )

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the cube; return the item."""
        offset = 0 if self.subtracted or float(self.baseline) < 4 else OFFSET
        numbers = np.rint(cube.reflectance * QUANTIFICATION) + offset
        stored = np.where(np.isnan(cube.reflectance), 0, numbers).astype(np.uint16)
        assets = {}
        for number, (common, (name, *_, side)) in enumerate(BANDS.items()):
            key = name if self.planetary else common
            values = stored[..., number].repeat(20 // side, 0).repeat(20 // side, 1)
            write_raster(folder / f"{name}.tif", values, cube, side)
            assets[key] = self._asset(name, common)
        classes = np.select([cube.missing, cube.clouds, cube.shadows], [0, 9, 3], 4)
        write_raster(folder / "SCL.tif", classes.astype(np.uint8), cube, 20)
        scl = "SCL" if self.planetary else "scl"
        assets[scl] = {"href": "./SCL.tif", "type": TIFF, "roles": ["data", "reflectance"]}
        path = folder / "item.json"
        path.write_text(json.dumps(self._item(cube, assets | self._others())))
        return path

    def stem(self, path: Path) -> str:
        """Return the id."""
        return str(json.loads(path.read_text())["id"])

    def _item(self, cube: ProductCube, assets: dict[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "datetime": f"{cube.day:%Y-%m-%d}T10:30:21.024000Z",
            "constellation": "sentinel-2",
            "platform": "sentinel-2a",
            "s2:processing_baseline": self.baseline,
        }
        if not self.planetary:
            properties["earthsearch:boa_offset_applied"] = self.subtracted
        return {
            "type": "Feature",
            "stac_version": self.version,
            "id": "S2A_33SVB_0_L2A",
            "collection": "sentinel-2-l2a",
            "geometry": None,
            "properties": properties,
            "links": [],
            "assets": assets,
        }

    def _asset(self, name: str, common: str) -> dict[str, Any]:
        _, centre, width, side = BANDS[common]
        asset: dict[str, Any] = {
            "href": f"./{name}.tif",
            "type": TIFF,
            "roles": ["data"],
            "gsd": side,
        }
        spectrum = {
            "common_name": common,
            "center_wavelength": centre,
            "full_width_half_max": width,
        }
        stated = float(self.baseline) >= 4
        numbers = {"scale": 1 / QUANTIFICATION, "offset": -OFFSET / QUANTIFICATION * stated}
        if self.version == "1.1.0":
            band = {f"eo:{key}": value for key, value in spectrum.items()}
            band |= {f"raster:{key}": value for key, value in numbers.items()}
            return asset | {"bands": [{"name": name, "nodata": 0} | band]}
        if not self.planetary:
            asset["raster:bands"] = [{"nodata": 0, "unit": "1"} | numbers]
        return asset | {"eo:bands": [{"name": name} | spectrum]}

    def _others(self) -> dict[str, Any]:
        """Return assets that are no data: a picture, water vapour, a copy in JPEG 2000."""
        visual = {"href": "./TCI.tif", "type": TIFF, "eo:bands": [{"name": "B04"}, {"name": "B03"}]}
        return {
            "visual": visual | {"roles": ["data" if self.planetary else "visual"]},
            "thumbnail": {"href": "./thumb.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
            "wvp": {"href": "./WVP.tif", "type": TIFF, "roles": ["data", "reflectance"]},
            "blue-jp2": self._asset("B02", "blue") | {"type": "image/jp2"},
            "metadata": {"href": "./a.xml", "type": "application/xml", "roles": ["metadata"]},
        }


TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
