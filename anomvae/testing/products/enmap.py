"""EnMAP L2A as DLR distributes it: spectra, masks and metadata in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .cube import ProductCube, draw_cube
from .rasters import write_raster
from .spectra import BACKGROUND, REFLECTANCE, stored_reflectance
from .writer import ProductWriter

WAVELENGTHS = (423.0, 490.4, 560.1, 665.2, 783.0, 842.7, 951.3, 957.8, 1240.5, 1610.2, 2200.9)
XML = """<?xml version="1.0" encoding="UTF-8"?>
<level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <metadata><name>{stem}-METADATA.XML</name></metadata>
 <base>
  <level>L2A</level>
  <temporalCoverage><startTime>{day}T10:45:26.000000Z</startTime></temporalCoverage>
 </base>
 <specific>
  <backgroundValue>{background}</backgroundValue>
  <vnirProductQuality><expectedChannelsList>{vnir}</expectedChannelsList></vnirProductQuality>
  <swirProductQuality><expectedChannelsList>{swir}</expectedChannelsList></swirProductQuality>
  <bandCharacterisation>
{bands}
  </bandCharacterisation>
 </specific>
 <product><bandStatistics>
{statistics}
 </bandStatistics></product>
</level_X>
"""
BAND = (
    '   <bandID number="{number}"><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>'
    "<FWHMOfBand>{fwhm}</FWHMOfBand><GainOfBand>{gain}</GainOfBand>"
    "<OffsetOfBand>0</OffsetOfBand></bandID>"
)
STATISTICS = (
    '  <bandID number="{number}"><mean>0.21</mean><stdDeviation>0.08</stdDeviation></bandID>'
)


class EnMAP(ProductWriter):
    """Clouds are in ``QL_QUALITY_CLOUD``, shadows in ``QL_QUALITY_CLOUDSHADOW``."""

    kind = "EnMAP L2A"

    def cube(self, seed: int = 0) -> ProductCube:
        """Draw eleven bands."""
        return draw_cube(WAVELENGTHS, fwhm=(8.0,) * len(WAVELENGTHS), pixel=30.0, seed=seed)

    def write(self, cube: ProductCube, folder: Path) -> Path:
        """Write a folder."""
        stem = (
            f"ENMAP01-____L2A-DT0000001867_{cube.day:%Y%m%d}T104526Z_008_V010302_20240628T165614Z"
        )
        product = folder / stem
        product.mkdir()
        write_raster(product / f"{stem}-SPECTRAL_IMAGE.TIF", stored_reflectance(cube), cube)
        nothing = np.zeros(cube.shape, np.bool_)
        for name, mask in {
            "CLOUD": cube.clouds,
            "CLOUDSHADOW": cube.shadows,
            **dict.fromkeys(("HAZE", "CIRRUS", "SNOW"), nothing),
        }.items():
            path = product / f"{stem}-QL_QUALITY_{name}.TIF"
            write_raster(path, mask.astype(np.uint8), cube)
        (product / f"{stem}-METADATA.XML").write_text(_metadata(cube, stem), encoding="utf-8")
        return product


def _metadata(cube: ProductCube, stem: str) -> str:
    numbers = range(1, len(cube.wavelengths) + 1)
    bands = (
        BAND.format(number=number, nm=nm, fwhm=fwhm, gain=REFLECTANCE)
        for number, nm, fwhm in zip(numbers, cube.wavelengths, cube.fwhm, strict=True)
    )
    return XML.format(
        stem=stem,
        day=cube.day,
        background=BACKGROUND,
        vnir=",".join(map(str, numbers[:7])),
        swir=",".join(map(str, numbers[7:])),
        bands="\n".join(bands),
        statistics="\n".join(STATISTICS.format(number=number) for number in numbers),
    )
