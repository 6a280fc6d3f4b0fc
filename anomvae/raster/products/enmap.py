"""EnMAP L1C and L2A: 224 bands from 418 to 2445 nm, 30 m.

Sources: DLR, EnMAP HSI Product Specification Level 1, Level 2 (EN-PCV-ICD-2009-2, 2023); the
reader of the EnMAP-Box (2024), for bands without data.
"""

from __future__ import annotations

import re

from .product import ProductOptions
from .spectrometer import BandTags, Level, QualityMask, Spectrometer
from .spectrometer_product import SpectrometerProduct, recognise_spectra

ENMAP = Spectrometer(
    name="EnMAP",
    pattern=re.compile(
        r"(?P<stem>ENMAP\d\d-_*(?P<level>L\d[A-C])-.+?)"
        r"-(?P<part>METADATA|SPECTRAL_IMAGE(?:_VNIR|_SWIR)?|QL_\w+?)"
        r"(?P<cog>_COG)?(?P<ends>(?:\.\w+)+)",
        re.IGNORECASE,
    ),
    tags=BandTags(
        band="specific/bandCharacterisation/bandID",
        number="number",
        wavelength="wavelengthCenterOfBand",
        fwhm="FWHMOfBand",
        gain="GainOfBand",
        offset="OffsetOfBand",
    ),
    levels=(
        Level("L2A", "reflectance", -32768.0),
        Level("L1C", "radiance, W/(m2 sr nm)", 0.0),
        Level("L1B", refused="holds VNIR and SWIR on grids of their own"),
    ),
    masks=(
        QualityMask("QL_QUALITY_CLOUD", "cloud"),
        QualityMask("QL_QUALITY_CLOUDSHADOW", "cloud shadow"),
        QualityMask("QL_QUALITY_HAZE", "haze"),
        QualityMask("QL_QUALITY_CIRRUS", "cirrus", (1, 2, 3), (0, 1, 2, 3)),
        QualityMask("QL_QUALITY_SNOW", "snow"),
    ),
)


def recognise_enmap(name: str, options: ProductOptions) -> SpectrometerProduct | None:
    """Recognise a product of EnMAP."""
    return recognise_spectra(ENMAP, name, options)
