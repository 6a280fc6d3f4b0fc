"""Simulated scenes as files: GeoTIFFs of reflectance, and of labels.

Reflectance is uint16 with scale 0.0001, where 0 is no data; labels are uint8, 1 at planted
anomalies and 255 at no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from .simulate import ANOMALIES, Anomaly, SimulatedScene

PIXEL = 10.0
"""Side of a pixel, m."""
SCALE = 1e-4
"""Reflectance of one count."""
STEP = 8
"""Quantisation step in counts, 0.8 of the noise: invisible, and the files are smaller."""
NO_DATA = 0
NO_LABEL = 255


@dataclass(frozen=True)
class Sample:
    """A scene to draw."""

    name: str
    """Stem of its file names."""
    seed: int
    """Of the simulated land."""
    easting: float
    """Left edge in UTM zone 33 north, m."""
    anomalies: tuple[Anomaly, ...] = ANOMALIES
    northing: float = 5_390_000.0
    """Upper edge, m."""


def write_scene(path: Path, scene: SimulatedScene, sample: Sample) -> Path:
    """Write the reflectance, with wavelengths, scale and no data as GDAL metadata."""
    pixels = counts(scene)
    with rasterio.open(path, "w", **profile(pixels, sample), nodata=NO_DATA, predictor=2) as file:
        file.write(pixels)
        file.descriptions = scene.names
        file.scales, file.offsets = [SCALE] * len(pixels), [0.0] * len(pixels)
        file.update_tags(TIFFTAG_IMAGEDESCRIPTION=f"Simulated reflectance, seed {sample.seed}")
        for band, wavelength in enumerate(scene.wavelengths, start=1):
            file.update_tags(band, wavelength=f"{wavelength:g}", wavelength_units="Nanometers")
    return path


def write_labels(path: Path, scene: SimulatedScene, sample: Sample) -> Path:
    """Write the labels of the anomalies."""
    pixels = np.where(scene.valid, scene.labels, NO_LABEL).astype(np.uint8)[None]
    with rasterio.open(path, "w", **profile(pixels, sample), nodata=NO_LABEL) as file:
        file.write(pixels)
        file.descriptions = ("anomalous",)
    return path


def counts(scene: SimulatedScene) -> NDArray[np.uint16]:
    """Return reflectance as counts, axes (band, row, col)."""
    # A valid pixel without reflectance must differ from no data: at least one step.
    steps = np.rint(scene.block[0].astype(np.float64) / (STEP * SCALE)).clip(1)
    pixels = np.where(scene.valid[..., None], STEP * steps, NO_DATA)
    return np.moveaxis(pixels, -1, 0).astype(np.uint16)


def profile(pixels: NDArray[Any], sample: Sample) -> dict[str, Any]:
    """Return the rasterio profile of a file of these pixels, axes (band, row, col)."""
    return {
        "driver": "GTiff",
        "count": pixels.shape[0],
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "dtype": pixels.dtype,
        "crs": CRS.from_epsg(32633),
        "transform": Affine(PIXEL, 0, sample.easting, 0, -PIXEL, sample.northing),
        "tiled": True,  # several blocks, to exercise windowed reads
        "blockxsize": 48,
        "blockysize": 48,
        "interleave": "band",
        "compress": "deflate",
        "zlevel": 9,
    }
