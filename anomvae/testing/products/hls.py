"""Harmonized Landsat Sentinel-2 2.0, as NASA distributes it: band files and Fmask.

Structure: HLS Product User Guide 2.0 (NASA, 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .cube import ProductCube, draw_cube
from .rasters import stored, write_raster
from .writer import ProductWriter

BANDS: dict[str, dict[str, float]] = {
    "L30": {
        "B01": 443,
        "B02": 482,
        "B03": 561.5,
        "B04": 654.5,
        "B05": 865,
        "B06": 1608.5,
        "B07": 2200.5,
    },
    "S30": {
        "B01": 442.5,
        "B02": 492.5,
        "B03": 559.5,
        "B04": 664.8,
        "B05": 703.9,
        "B06": 739.8,
        "B07": 781.3,
        "B08": 832.9,
        "B8A": 864.4,
        "B11": 1612.1,
        "B12": 2194.1,
    },
}
"""Bands that are written, with their centres, nm."""
CLOUD, SHADOW, WATER, AEROSOL = 1 << 1, 1 << 3, 1 << 5, 1 << 6
"""Bits of Fmask."""


@dataclass(frozen=True)
class Hls(ProductWriter):
    """A folder of a granule."""

    sensor: str = "S30"
    """L30 or S30."""
    tile: str = "T32UNA"
    """Tile of the grid of Sentinel-2."""

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What `ProductFacts.kind` must be."""
        return f"HLS {self.sensor} v2.0"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw the bands of surface reflectance."""
        return draw_cube(tuple(BANDS[self.sensor].values()), pixel=30.0, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write the granule in a folder of its name."""
        name = f"HLS.{self.sensor}.{self.tile}.{cube.day:%Y%j}T101021.v2.0"
        path = folder / name
        path.mkdir()
        for number, band in enumerate(BANDS[self.sensor]):
            values = stored(cube.reflectance[..., number], 1e-4, 0.0, -9999, "int16")
            write_raster(path / f"{name}.{band}.tif", values, cube, nodata=-9999)
        fmask = np.full(cube.shape, WATER | AEROSOL, "uint8")
        fmask[cube.clouds] = CLOUD
        fmask[cube.shadows] = SHADOW
        fmask[cube.missing] = 255
        write_raster(path / f"{name}.Fmask.tif", fmask, cube, nodata=255)
        zenith = np.full(cube.shape, 4000, "uint16")
        write_raster(path / f"{name}.SZA.tif", zenith, cube, nodata=40000)
        return path

    def stem(self, path: Path) -> str:
        """Return the name of the granule."""
        return path.name
