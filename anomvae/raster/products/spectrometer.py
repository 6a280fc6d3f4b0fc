"""An imaging spectrometer whose products are spectra in one raster, metadata as XML, and masks.

EnMAP and DESIS are distributed alike: files of one beginning, ``-SPECTRAL_IMAGE``,
``-METADATA.XML`` and ``-QL_QUALITY...``, in a folder or an archive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple


class QualityMask(NamedTuple):
    """A raster of classes beside the spectra."""

    part: str
    """End of its name: ``QL_QUALITY_CLOUD``."""
    hides: str
    """What is hidden, in words."""
    classes: tuple[int, ...] = (1,)
    """Classes that are hidden."""
    known: tuple[int, ...] = (0, 1)
    """Classes that are defined; empty: any."""
    band: int = 1
    """Number of the band, from 1."""


class BandTags(NamedTuple):
    """Names of the elements that describe a band."""

    band: str
    """Path of the element of a band, from the root."""
    number: str
    """Attribute or element with the number of the band, from 1."""
    wavelength: str
    """Centre, nm."""
    fwhm: str
    """Full width at half maximum, nm."""
    gain: str
    """Physical value = stored value * gain + offset."""
    offset: str
    """See ``gain``."""


class Level(NamedTuple):
    """A level of processing."""

    name: str
    """``L2A``"""
    unit: str = ""
    """Physical unit of its values."""
    background: float | None = None
    """Stored value of pixels without data, where the metadata state none."""
    refused: str = ""
    """Why it is not read; empty: it is."""


@dataclass(frozen=True)
class Spectrometer:
    """A sensor, and how its products are written."""

    name: str
    """Name of the sensor."""
    pattern: re.Pattern[str]
    """A whole file name; groups ``stem``, ``level``, ``part``, ``cog`` and ``ends``."""
    tags: BandTags
    """Elements of the metadata."""
    levels: tuple[Level, ...]
    """The levels that are known."""
    masks: tuple[QualityMask, ...]
    """The masks that hide pixels by default."""
