"""DESIS L2A as DLR distributes it: spectra, quality layers and metadata in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .cube import ProductCube, draw_cube
from .rasters import write_raster
from .spectra import BACKGROUND, REFLECTANCE, stored_reflectance
from .writer import ProductWriter

WAVELENGTHS = (426.9, 490.7, 559.6, 664.2, 704.9, 740.7, 783.3, 842.1, 864.8)
CLEAR_LAND, SHADOW, CLOUD = 1, 0, 5
"""Layers of ``QL_QUALITY-2``, from 0."""
XML = """<?xml version="1.0" encoding="UTF-8"?>
<hsi_doc>
 <base><temporalCoverage>
  <startTime>{day}T10:45:26.000000Z</startTime>
 </temporalCoverage></base>
 <specific>
  <bandCharacterisation>
{bands}
  </bandCharacterisation>
  <interiorOrientation><band><bandNumber>1</bandNumber></band></interiorOrientation>
 </specific>
</hsi_doc>
"""
BAND = """   <band><bandNumber>{number}</bandNumber>
    <wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>
    <wavelengthWidthOfBand>{fwhm}</wavelengthWidthOfBand>
    <gainOfBand>{gain}</gainOfBand><offsetOfBand>0</offsetOfBand>
    <deadPixels>0</deadPixels></band>"""


class DESIS(ProductWriter):
    """Clouds and shadows are layers of ``QL_QUALITY-2``."""

    kind = "DESIS L2A"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw nine bands."""
        return draw_cube(WAVELENGTHS, fwhm=(3.5,) * len(WAVELENGTHS), pixel=30.0, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write a folder."""
        stem = f"DESIS-HSI-L2A-DT1203190212_025-{cube.day:%Y%m%d}T021128-V0210"
        product = folder / stem
        product.mkdir()
        write_raster(
            product / f"{stem}-SPECTRAL_IMAGE.tif",
            stored_reflectance(cube),
            cube,
            nodata=BACKGROUND,
            interleave="pixel",
        )
        layers = np.zeros((*cube.shape, 10), np.uint8)
        layers[..., SHADOW], layers[..., CLOUD] = cube.shadows, cube.clouds
        layers[..., CLEAR_LAND] = ~cube.hidden
        layers[..., 8:] = 20, 42  # aerosol and water vapour
        write_raster(product / f"{stem}-QL_QUALITY-2.tif", np.moveaxis(layers, -1, 0), cube)
        (product / f"{stem}-METADATA.xml").write_text(_metadata(cube), encoding="utf-8")
        return product


def _metadata(cube: ProductCube) -> str:
    bands = (
        BAND.format(number=number, nm=nm, fwhm=fwhm, gain=REFLECTANCE)
        for number, (nm, fwhm) in enumerate(zip(cube.wavelengths, cube.fwhm, strict=True), 1)
    )
    return XML.format(day=cube.day, bands="\n".join(bands))
