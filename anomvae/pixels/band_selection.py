"""Which bands of a file a user names, as by ``--bands``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import ConfigError, hint, listed
from .band import Band
from .band_names import canonical, common_band, name_of
from .wavelengths import nanometres

NUMBER = r"(\d+\.?\d*|\.\d+)"
WAVELENGTHS = rf"{NUMBER}\s*-\s*{NUMBER}\s*(nm|um|µm|μm)"
NANOMETRES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "μm": 1000.0}  # micro sign and Greek mu
NEAR = 0.01
"""Relative distance up to which a band lies at a wavelength."""


def selected(bands: Sequence[Band], text: str) -> list[Band]:
    """Select bands by a text: in its order, each band once.

    Parameters
    ----------
    bands : sequence of Band
        All data bands of a file.
    text : str
        Comma-separated names in any spelling (``B4``, ``B04``), common names (``red``), numbers
        (``3``), ranges of numbers (``3-7``) or of wavelengths (``450-900nm``, ``0.45-0.9um``), or
        ``good``.  What follows a minus is left out (``-1340-1460nm``, ``-B10``): of the other
        parts, or of the good bands where there are none; nothing lies there in bands of other
        wavelengths.  Ranges leave bad bands out.

    Raises
    ------
    ConfigError
        When a part names no band, or none remains.
    """
    parts = [part for part in (part.strip() for part in text.split(",")) if part]
    without = [part for part in parts if part.startswith("-") and not _called(bands, part)]
    dropped = {band.index for part in without for band in _left_out(bands, part[1:].strip())}
    chosen: dict[int, Band] = {}
    for part in parts:
        if part not in without:
            chosen |= {band.index: band for band in _matching(bands, part, bad=False)}
    if without and not chosen:
        chosen = {band.index: band for band in bands if not band.bad}
    remaining = [band for band in chosen.values() if band.index not in dropped]
    if not remaining:
        names = listed([band.name for band in bands])
        raise ConfigError(f"bands = {text!r} names no band. Known: {names}.")
    return remaining


def _left_out(bands: Sequence[Band], part: str) -> list[Band]:
    if re.fullmatch(WAVELENGTHS, part) and any(band.wavelength is not None for band in bands):
        return _in_wavelengths(bands, part)  # a broad-band sensor may have none there
    return _matching(bands, part, bad=True)


def _matching(bands: Sequence[Band], part: str, *, bad: bool) -> list[Band]:
    """Return the bands that a part names; ``bad``: ranges have bad bands, too."""
    if named := _named(bands, part) or _numbered(bands, part):
        return named
    within = _in_wavelengths(bands, part) or _in_numbers(bands, part)
    matching = [band for band in within if bad or not band.bad]
    if within and not matching:
        raise ConfigError(
            f"bands: {part} holds bad bands alone ({listed([band.name for band in within])}). "
            f"Name those to use by their names or numbers."
        )
    if not matching:
        raise ConfigError(_no_band(bands, part))
    return matching


def _no_band(bands: Sequence[Band], part: str) -> str:
    if re.fullmatch(WAVELENGTHS, part):
        places = sorted(band.wavelength for band in bands if band.wavelength is not None)
        known = f"wavelengths are {places[0]:g} to {places[-1]:g} nm" if places else "none is known"
        return f"No band has a wavelength of {part}: {known}. Name other bands."
    return (
        f"No band is {part!r} (a name, a common name such as red, a number from 1 to "
        f"{max(band.index for band in bands)}, a range of numbers, or of wavelengths such as "
        f"450-900nm, or good). {hint(part, [band.name for band in bands])}"
    )


def _named(bands: Sequence[Band], part: str) -> list[Band]:
    """Return the bands of a name: as it is written, else in any spelling, else a common name."""
    if exact := _called(bands, part):
        return exact
    name = canonical(part)
    if spelt := [band for band in bands if name_of(band) == name]:
        return spelt
    if part.casefold() == "good":
        return [band for band in bands if not band.bad]
    common = common_band(bands, name)
    return [common] if common else _at_wavelength(bands, part)


def _called(bands: Sequence[Band], part: str) -> list[Band]:
    return [band for band in bands if band.name.casefold() == part.casefold()]


def _at_wavelength(bands: Sequence[Band], part: str) -> list[Band]:
    wanted = nanometres(part)
    if wanted is None:
        return []
    distances = [
        (abs(band.wavelength - wanted), number)
        for number, band in enumerate(bands)
        if band.wavelength is not None and abs(band.wavelength - wanted) <= NEAR * wanted
    ]
    return [bands[min(distances)[1]]] if distances else []


def _in_wavelengths(bands: Sequence[Band], part: str) -> list[Band]:
    match = re.fullmatch(WAVELENGTHS, part)
    if match is None:
        return []
    low, high = (float(number) * NANOMETRES[match[3]] for number in match.groups()[:2])
    return [b for b in bands if b.wavelength is not None and low <= b.wavelength <= high]


def _numbered(bands: Sequence[Band], part: str) -> list[Band]:
    return [band for band in bands if re.fullmatch(r"\d{1,9}", part) and band.index == int(part)]


def _in_numbers(bands: Sequence[Band], part: str) -> list[Band]:
    match = re.fullmatch(r"(\d{1,9})\s*-\s*(\d{1,9})", part)
    if match is None:
        return []
    low, high = int(match[1]), int(match[2])
    if high > max(band.index for band in bands):
        return []  # a range beyond the file is a mistake
    return [band for band in bands if low <= band.index <= high]
