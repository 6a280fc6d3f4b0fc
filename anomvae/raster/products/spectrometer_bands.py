"""Bands of a product of an imaging spectrometer, as its metadata describe them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from ...errors import RasterError, listed
from ...pixels.bands import Band, Bands
from ...pixels.wavelengths import number_of
from .spectrometer import BandTags, Level

MOST_DIGITS = 10
AGAIN = "Fetch or unpack the product again."


def spectral_bands(root: Element, tags: BandTags, level: Level, path: str, count: int) -> Bands:
    """Describe the ``count`` bands of the spectra by the metadata, which are read from ``path``.

    Raises
    ------
    RasterError
        When the metadata describe other bands, or lack a number.
    """
    elements = root.findall(tags.band)
    if len(elements) != count:
        raise RasterError(
            f"{path} describes {len(elements)} bands, but the spectra have {count}. {AGAIN}"
        )
    described = sorted((_band(one, tags, path) for one in elements), key=lambda band: band.index)
    numbers = [band.index for band in described]
    if numbers != list(range(1, count + 1)):
        raise RasterError(
            f"{path} numbers the bands {listed(list(map(str, numbers)))}, but they are 1 to "
            f"{count}. {AGAIN}"
        )
    stated, bad = _number(root, "specific/backgroundValue"), dict(_bad_bands(root, count))
    background = level.background if stated is None else stated
    items = [replace(band, nodata=background, bad=bad.get(band.index, "")) for band in described]
    return Bands(tuple(items), source=count, named=True)


def _band(element: Element, tags: BandTags, path: str) -> Band:
    number = (element.get(tags.number) or element.findtext(tags.number) or "").strip()
    named = (tags.wavelength, tags.fwhm, tags.gain, tags.offset)
    wavelength, fwhm, gain, offset = (_number(element, tag) for tag in named)
    index = _index_of(number)
    if not (index and wavelength and fwhm and gain) or offset is None:
        raise RasterError(
            f"{path} is damaged: band {number or '?'} lacks one of its number, {', '.join(named)}. "
            f"{AGAIN}"
        )
    return Band(index, f"Band {index}", wavelength, scale=gain, offset=offset, fwhm=fwhm)


def _index_of(text: str) -> int | None:
    # Python refuses to read a number of thousands of digits.
    return int(text) if text.isdecimal() and len(text) < MOST_DIGITS else None


def _number(element: Element, path: str) -> float | None:
    return number_of(element.findtext(path) or "")


def _bad_bands(root: Element, count: int) -> Iterator[tuple[int, str]]:
    """Yield numbers of bands that are bad, and why: without any value, or not delivered."""
    for position, band in enumerate(root.findall("product/bandStatistics/bandID"), start=1):
        if _number(band, "stdDeviation") == 0 and (_number(band, "mean") or 0.0) < 0:
            yield _index_of(band.get("number") or "") or position, "no data (bandStatistics)"
    lists = [
        root.findtext(f"specific/{detector}ProductQuality/expectedChannelsList") or ""
        for detector in ("vnir", "swir")
    ]
    if all(lists):
        expected = set(map(_index_of, re.findall(r"\d+", ",".join(lists))))
        for number in set(range(1, count + 1)) - expected:
            yield number, "not delivered (expectedChannelsList)"
