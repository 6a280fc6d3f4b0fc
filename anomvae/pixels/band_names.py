"""Names of bands: one name for all spellings of a band, and the names common to all sensors.

``B2``, ``B02``, ``SR_B2``, ``Band 2 (490 nm)`` and ``B2, central wavelength 490 nm`` are one name.
Common names are those of the STAC extension ``eo``, version 2.0.0 (2024).  A wavelength gives a
band its common name; without wavelengths, what the bands of a file are called gives it, where every
sensor with such bands agrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .band import Band
from .wavelengths import nanometres


class Common(NamedTuple):
    """Where bands of a common name lie, nm."""

    low: float
    high: float
    centre: float


COMMON: Mapping[str, Common] = {
    "coastal": Common(400, 450, 443),
    "blue": Common(450, 530, 490),
    "green": Common(510, 600, 560),
    "green05": Common(510, 550, 531),
    "yellow": Common(585, 625, 605),
    "red": Common(620, 690, 665),
    "rededge": Common(690, 790, 740),
    "rededge071": Common(695, 715, 705),
    "rededge075": Common(730, 750, 740),
    "rededge078": Common(765, 795, 783),
    "nir": Common(760, 900, 842),
    "nir08": Common(850, 880, 865),
    "nir09": Common(930, 960, 945),
    "cirrus": Common(1350, 1400, 1375),
    "swir16": Common(1550, 1750, 1610),
    "swir22": Common(2080, 2350, 2190),
    "lwir": Common(10400, 12500, 11450),
    "lwir11": Common(10600, 11190, 10900),
    "lwir12": Common(11500, 12510, 12000),
}
"""Ranges of the STAC extension ``eo`` 2.0.0; centres are those of Sentinel-2 and Landsat 8."""

ALIASES: Mapping[str, str] = {
    "coastalaerosol": "coastal",
    "aerosol": "coastal",
    "nearinfrared": "nir",
    "nirbroad": "nir",
    "nirnarrow": "nir08",
    "watervapour": "nir09",
    "watervapor": "nir09",
    "rededge1": "rededge071",
    "rededge2": "rededge075",
    "rededge3": "rededge078",
    "swir1": "swir16",
    "swir2": "swir22",
    "panchromatic": "pan",
}
"""Other words for common names."""

SENTINEL2: Mapping[str, str] = {
    "b1": "coastal",
    "b2": "blue",
    "b3": "green",
    "b4": "red",
    "b5": "rededge071",
    "b6": "rededge075",
    "b7": "rededge078",
    "b8": "nir",
    "b8a": "nir08",
    "b9": "nir09",
    "b10": "cirrus",
    "b11": "swir16",
    "b12": "swir22",
}
OLI: Mapping[str, str] = {
    "b1": "coastal",
    "b2": "blue",
    "b3": "green",
    "b4": "red",
    "b5": "nir08",
    "b6": "swir16",
    "b7": "swir22",
    "b8": "pan",
    "b9": "cirrus",
    "b10": "lwir11",
    "b11": "lwir12",
}
TM: Mapping[str, str] = {
    "b1": "blue",
    "b2": "green",
    "b3": "red",
    "b4": "nir",
    "b5": "swir16",
    "b6": "lwir",
    "b7": "swir22",
    "b8": "pan",
}
SENSORS = (SENTINEL2, OLI, TM)
"""Common names of the bands of Sentinel-2, Landsat 8 and 9, and Landsat 4, 5 and 7."""

AFTER = re.compile(r"\s*[,(:;].*|\s+-\s+(?!\d).*|(?<=\w)[ _]\d+m$", re.DOTALL)
"""What follows a name: a description, or a resolution."""
PRODUCT = re.compile(r"^\w*\d{8}\w*_(?=[a-z_]*b\d)")
"""The name of a product in front of that of a band, with a date."""
DESIGNATOR = re.compile(
    r"(?:(?:sr|st|toa|boa|s?refl|rad)[ _]?)?(?P<word>b(?:and)?)[ _.-]*0*(\d{1,5})([a-z]?)"
)
"""Letter B or the word band, and a number."""


LONGEST = 200
"""Characters of a name that may have several spellings."""


def canonical(name: str) -> str:
    """Return the one name of a band, whatever its spelling.

    Examples
    --------
    >>> [canonical(name) for name in ("B02", "SR_B2", "Band 2 (490 nm)", "B8A", "Near Infrared")]
    ['b2', 'b2', 'b2', 'b8a', 'nir']
    >>> canonical("490.0 Nanometers")
    '490nm'
    """
    text = name.casefold().strip()
    if len(text) > LONGEST:
        return text
    short = PRODUCT.sub("", AFTER.sub("", text))
    if match := DESIGNATOR.fullmatch(short):
        return f"b{match[2]}{match[3]}"
    wavelength = nanometres(text)
    if wavelength is not None and short[:1].isdigit():
        return f"{wavelength:g}nm"
    word = re.sub(r"[\W_]+", "", short)
    return ALIASES.get(word, word) or text


def is_number(name: str) -> bool:
    """Return whether a name only numbers a band, such as ``band_012`` or ``590 nm``."""
    short = AFTER.sub("", name.casefold().strip()[:LONGEST])
    match = DESIGNATOR.fullmatch(short)
    return match["word"] == "band" if match else short[:1].isdigit()


def name_of(band: Band) -> str:
    """Return the canonical name of a band; empty where its file has none."""
    return "" if band.name == f"band_{band.index}" else canonical(band.name)


def common_band(bands: Sequence[Band], name: str) -> Band | None:
    """Return the band of a common name; None: there is none, or it is not known.

    It is the band of that name, else the one nearest to the centre of its range, else the one that
    all sensors with bands called like these give that name.

    Examples
    --------
    >>> bands = [Band(1, "B3", 560.0), Band(2, "B4", 665.0), Band(3, "B5", 705.0)]
    >>> common_band(bands, "red").name
    'B4'
    """
    named = [band for band in bands if name_of(band) == name]
    if named or name not in {*COMMON, "pan"}:
        return named[0] if len(named) == 1 else None
    if any(band.wavelength is not None for band in bands):
        return _nearest(bands, name)
    return _of_sensors(bands, name)


def _nearest(bands: Sequence[Band], name: str) -> Band | None:
    low, high, centre = COMMON.get(name, Common(0, 0, 0))
    distances = [
        (abs(band.wavelength - centre), number)
        for number, band in enumerate(bands)
        if band.wavelength is not None and low <= band.wavelength <= high
    ]
    return bands[min(distances)[1]] if distances else None


def _of_sensors(bands: Sequence[Band], name: str) -> Band | None:
    names = {"" if is_number(band.name) else name_of(band): band for band in bands}
    found = {
        next((own for own, common in sensor.items() if common == name), None)
        for sensor in sensors_of(names)
    }
    return names.get(found.pop() or "") if len(found) == 1 else None


def sensors_of(names: Iterable[str]) -> list[Mapping[str, str]]:
    """Return the sensors that have bands of all these canonical names."""
    wanted = set(names)
    return [sensor for sensor in SENSORS if wanted <= sensor.keys()]
