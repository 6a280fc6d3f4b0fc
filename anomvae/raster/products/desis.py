"""DESIS L1B, L1C and L2A: up to 235 bands from 401 to 1000 nm, 30 m.

Source: DLR, DESIS Product Specification (PAV-DLR-ICD-003, 2019).  The layers of ``QL_QUALITY-2``
are shadow, clear land, snow, haze over land and water, cloud over land and water, clear water,
aerosol and water vapour; only L2A has it.
"""

from __future__ import annotations

import re

from .product import ProductOptions
from .spectrometer import BandTags, Level, QualityMask, Spectrometer
from .spectrometer_product import SpectrometerProduct, recognise_spectra

RADIANCE = "radiance, mW/(cm2 sr um)"
BACKGROUND = -32768.0
SET = tuple(range(1, 256))
"""Numbers of a layer that is true."""
LAYERS = {
    1: "shadow",
    3: "snow",
    4: "haze over land",
    5: "haze over water",
    6: "cloud over land",
    7: "cloud over water",
}
"""Layers of ``QL_QUALITY-2`` that hide pixels, by their numbers."""

DESIS = Spectrometer(
    name="DESIS",
    pattern=re.compile(
        r"(?P<stem>DESIS-HSI-(?P<level>L\d[A-C])-.+?)"
        r"-(?P<part>METADATA|SPECTRAL_IMAGE|QL_[\w-]+?)"
        r"(?P<cog>_COG)?(?P<ends>(?:\.\w+)+)",
        re.IGNORECASE,
    ),
    tags=BandTags(
        band="specific/bandCharacterisation/band",
        number="bandNumber",
        wavelength="wavelengthCenterOfBand",
        fwhm="wavelengthWidthOfBand",
        gain="gainOfBand",
        offset="offsetOfBand",
    ),
    levels=(
        Level("L2A", "reflectance", BACKGROUND),
        Level("L1C", RADIANCE, BACKGROUND),
        Level("L1B", RADIANCE, BACKGROUND),
    ),
    masks=tuple(
        QualityMask("QL_QUALITY-2", hidden, SET, known=(), band=layer)
        for layer, hidden in LAYERS.items()
    ),
)


def recognise_desis(name: str, options: ProductOptions) -> SpectrometerProduct | None:
    """Recognise a product of DESIS."""
    return recognise_spectra(DESIS, name, options)
