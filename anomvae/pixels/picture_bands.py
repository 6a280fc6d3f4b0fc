"""Which bands are shown as red, green and blue: those of these colours, where a scene has them.

A band that is bad, or in which the air absorbs nearly all light, is never shown where there are
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .band import Band
from .bands import Bands
from .wavelengths import nanometres, number_of

NATURAL = ("red", "green", "blue")
INFRARED = ("nir", "red", "green")
ABSORBED = ((0.0, 400.0), (1340.0, 1470.0), (1790.0, 1970.0), (2480.0, 3000.0))
"""Wavelengths, nm, at which water vapour, or below 400 nm the instrument, leaves little signal."""
LONGEST = 40
"""Characters of a name in a caption."""


@dataclass(frozen=True)
class PictureBands:
    """The bands of a picture."""

    positions: tuple[int, int, int]
    """Bands shown as red, green and blue, positions from 0 among the bands in use."""
    caption: str
    """What is shown, for people, such as ``natural colour: B4 (665 nm), ...``."""


def picture_bands(bands: Bands, declared: Sequence[int] = ()) -> PictureBands:
    """Choose the bands of a picture.

    Parameters
    ----------
    bands : Bands
        Those in use; at least one.
    declared : sequence of int, optional
        Numbers of the bands that the file shows as red, green and blue, from 1, where it names
        any; they count where no band is known to be red, green and blue.

    Examples
    --------
    >>> bands = [Band(1, "B2", 490), Band(2, "B3", 560), Band(3, "B4", 665), Band(4, "B8", 842)]
    >>> picture = picture_bands(Bands(tuple(bands), source=4, named=True))
    >>> picture.positions, picture.caption
    ((2, 1, 0), 'natural colour: B4 (665 nm), B3 (560 nm), B2 (490 nm)')
    """
    usable = _usable(bands)
    by_number = {band.index: band for band in usable}
    found = {
        "natural colour": _common(usable, NATURAL),
        "as the file shows them": [by_number.get(number) for number in declared],
        "false colour (near infrared, red, green)": _common(usable, INFRARED),
    }
    for title, chosen in found.items():
        known = [band for band in chosen if band is not None]
        if len(chosen) == len({band.index for band in known}) == 3:
            return _picture(bands, title, known)
    return _spaced(bands, usable)


def _usable(bands: Bands) -> Bands:
    """Return the bands that may be shown; all where there are fewer than three."""
    good = [band for band in bands if not band.bad] or list(bands)
    clear = [band for band in good if not _is_absorbed(band)]
    return bands.keep(clear if len(clear) >= 3 else good)


def _is_absorbed(band: Band) -> bool:
    nm = band.wavelength
    return nm is not None and any(low <= nm <= high for low, high in ABSORBED)


def _common(bands: Bands, names: Sequence[str]) -> list[Band | None]:
    return [bands.common(name) for name in names]


def _spaced(bands: Bands, usable: Bands) -> PictureBands:
    """Show bands that are spaced evenly, or one in grey."""
    items, placed = list(usable), [band.wavelength for band in usable if band.wavelength]
    if len(items) < 3:
        return _picture(bands, "grey", items[:1] * 3)
    title = "colours not known"
    if len(placed) == len(items):  # the longest is red
        title = "false colour"
        items.sort(key=lambda band: band.wavelength or 0.0)
    elif len(items) == 3:
        items.reverse()
    steps = np.linspace(len(items) - 1, 0, 5)[1:4] if len(items) > 3 else (2, 1, 0)
    return _picture(bands, title, [items[int(step)] for step in steps])


def _picture(bands: Bands, title: str, chosen: Sequence[Band]) -> PictureBands:
    numbers = bands.indexes
    red, green, blue = (numbers.index(band.index) for band in chosen)
    names = ", ".join(dict.fromkeys(band_label(band.name, band.wavelength) for band in chosen))
    return PictureBands((red, green, blue), f"{title}: {names}")


def band_label(name: str, wavelength: float | None) -> str:
    """Return a short text for a band: its name and its wavelength, nm, each once.

    Examples
    --------
    >>> band_label("B4", 664.6), band_label("664.599976 Nanometers", 664.599976)
    ('B4 (664.6 nm)', '664.6 nm')
    """
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
    if wavelength is None:
        return short
    nm = f"{wavelength:.4g} nm" if wavelength < 1000 else f"{wavelength:.0f} nm"
    if number_of(name) is not None:
        return nm
    if nanometres(name) is None:
        return f"{short} ({nm})"
    return nm if name[:1].isdigit() else short
