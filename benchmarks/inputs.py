"""Rasters to measure speed with: made once, kept in a folder, the same on every machine.

Each is like those of archives: a tiled DEFLATE GeoTIFF of uint16, reflectance times 10,000, of
smooth mixtures of five materials with noise, and small objects of a sixth material in each block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from anomvae.files import staging

BLOCK = 512
MATERIALS = 5
NOISE = 60  # of 10,000
OBJECT = 3  # pixels a side
SCATTERED = 105  # objects of a block: 0.5 % of its pixels
COMPRESSION = {"compress": "DEFLATE", "predictor": 2, "zlevel": 6}


@dataclass(frozen=True)
class Scene:
    """A square raster."""

    bands: int
    """Number of bands."""
    megapixels: float
    """Millions of pixels, nearly."""
    scattered: bool = False
    """Whether many objects are scattered over each block; otherwise it has one, at its corner."""

    @property
    def name(self) -> str:
        """Its name in tables."""
        more = ", scattered objects" if self.scattered else ""
        return f"{self.bands} bands, {self.megapixels:g} Mpixel{more}"

    @property
    def stem(self) -> str:
        """The stem of its file."""
        more = "-scattered" if self.scattered else ""
        return f"{self.bands}-bands-{self.megapixels:g}-mpixel{more}"

    @property
    def side(self) -> int:
        """Number of rows, and of columns."""
        return round(math.sqrt(self.megapixels * 1e6))

    @property
    def pixels(self) -> int:
        """Exact number of pixels."""
        return self.side**2

    @property
    def block(self) -> int:
        """Side of the file's blocks, pixels; not larger than a small scene."""
        return min(BLOCK, -(-self.side // 16) * 16)

    def made(self, folder: Path) -> Path:
        """Return the path of the file in a folder; write it if it is absent."""
        name = f"{self.stem}.tif"
        if not (folder / name).exists():
            with staging(folder, name) as stage:
                self._write(stage.path(name))
                stage.publish(name)
        return folder / name

    def _write(self, path: Path) -> None:
        profile = {
            "driver": "GTiff",
            "dtype": "uint16",
            "count": self.bands,
            "height": self.side,
            "width": self.side,
            "nodata": 0,
            "crs": "EPSG:32633",
            "transform": Affine(10, 0, 5e5, 0, -10, 5e6),
            "tiled": True,
            "blockxsize": self.block,
            "blockysize": self.block,
            "num_threads": "all_cpus",
            "bigtiff": "if_safer",
        }
        with rasterio.open(path, "w", **profile, **COMPRESSION) as dataset:
            for row in range(0, self.side, BLOCK):
                for col in range(0, self.side, BLOCK):
                    size = min(BLOCK, self.side - row), min(BLOCK, self.side - col)
                    window = (row, row + size[0]), (col, col + size[1])
                    values = block((row, col), size, self.bands)
                    if self.scattered:
                        scatter(values, row + col)
                    dataset.write(np.moveaxis(values, -1, 0), window=window)


def block(corner: tuple[int, int], size: tuple[int, int], bands: int) -> NDArray[np.uint16]:
    """Draw a part of the land, axes (row, col, band); equal arguments give equal values."""
    rng = np.random.default_rng((*corner, bands))
    rows, cols = (start + np.arange(side) for start, side in zip(corner, size, strict=True))
    waves = [
        np.sin(rows[:, None] / (90 + 17 * one) + one) + np.cos(cols / (70 + 23 * one) - one)
        for one in range(MATERIALS)
    ]
    shares = np.exp(np.stack(waves, axis=-1)).astype(np.float32)
    shares /= shares.sum(axis=-1, keepdims=True)
    values = shares @ spectra(bands)[:MATERIALS]
    values += NOISE * rng.standard_normal(values.shape, np.float32)
    values[: min(OBJECT, size[0]), : min(OBJECT, size[1])] = spectra(bands)[MATERIALS]
    return np.asarray(values.clip(1, 65_535), np.uint16)


def scatter(values: NDArray[np.uint16], seed: int) -> None:
    """Plant small objects in a block, axes (row, col, band), some of which touch."""
    rng, material = np.random.default_rng(seed), spectra(values.shape[-1])[MATERIALS]
    for row, col, more in rng.integers(0, (*values.shape[:2], 2), (SCATTERED, 3)):
        part = values[row : row + OBJECT + more, col : col + OBJECT + more]
        part[:] = material + NOISE * rng.standard_normal(part.shape)


def spectra(bands: int) -> NDArray[np.float32]:
    """Return the spectra of the materials and of the objects, axes (material, band)."""
    along = np.linspace(0, 3, bands)
    curves = [2500 + 1500 * np.sin(along * (1 + one / 2) + 2 * one) for one in range(MATERIALS + 1)]
    return np.asarray(curves, np.float32)
