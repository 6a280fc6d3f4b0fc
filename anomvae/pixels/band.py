"""One band of a raster, as its file or its product describes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One band, as its file describes it."""

    index: int
    """Number of the band in its file, from 1."""
    name: str
    """Name; ``band_<index>`` where the file has none."""
    wavelength: float | None = None
    """Centre, nm."""
    scale: float = 1.0
    """Physical value = stored value * scale + offset."""
    offset: float = 0.0
    """See ``scale``."""
    nodata: float | None = None
    """Stored value of pixels without data."""
    fwhm: float | None = None
    """Full width at half maximum of its response, nm."""
    bad: str = ""
    """Why it is bad and dropped unless it is named, such as ``bbl = 0``; empty: it is good."""
