"""Tags of the bands of an output raster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..pixels.band import Band
from ..pixels.bands import Bands


@dataclass(frozen=True)
class BandTags:
    """Tags of a band."""

    own: Mapping[str, str] = field(default_factory=dict)
    """Those of its default domain."""
    imagery: Mapping[str, str] = field(default_factory=dict)
    """Those of GDAL's domain ``IMAGERY``."""


def spectral_tags(bands: Bands) -> tuple[BandTags, ...]:
    """Return the tags that state where bands lie, as ENVI and as GDAL name them."""
    return tuple(map(_spectral, bands))


def _spectral(band: Band) -> BandTags:
    if band.wavelength is None:
        return BandTags()
    own = {"wavelength": _text(band.wavelength), "wavelength_units": "nm"}
    imagery = {"CENTRAL_WAVELENGTH_UM": _text(band.wavelength / 1000)}
    if band.fwhm is not None:
        own |= {"fwhm": _text(band.fwhm), "fwhm_units": "nm"}
        imagery["FWHM_UM"] = _text(band.fwhm / 1000)
    return BandTags(own, imagery)


def _text(number: float) -> str:
    return f"{number:.10g}"
