"""What the files of a raster state about it: names, places and radiometry of its bands.

Formats store these in different metadata items: the first that has a value counts.  What is guessed
or contradicts is a sentence of `ProductFacts.guessed`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from ..errors import RasterError
from ..pixels.bands import Band, Bands
from ..pixels.dates import date_of
from ..pixels.wavelengths import number_of
from .envi_header import ENVI, EnviHeader, header_beside
from .product_facts import ProductFacts
from .spectral_items import SpectralItems

log = logging.getLogger(__name__)

COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
BAD = "bbl = 0"


@dataclass(frozen=True)
class Description:
    """What the files of a raster state about it."""

    bands: Bands
    """Its data bands."""
    facts: ProductFacts
    """What was recognised and guessed."""


def describe(dataset: DatasetReader, title: str, masks: Collection[int]) -> Description:
    """Describe a raster, called ``title``, and its bands but those of the numbers ``masks``.

    Raises
    ------
    RasterError
        When a scale is 0, or a scale or an offset is no number: values would be wrong.
    """
    header, problems = _header_of(dataset)
    items = SpectralItems(dataset, header)
    radiometry = _Radiometry.of(dataset, header)
    _require_numbers(title, radiometry, header)
    indexes = [index for index in dataset.indexes if index not in masks]
    names = _names(items, indexes)
    named = all(names) and len(set(names)) == len(names)
    if any(names) and not named:
        log.info("%s: some names of bands are missing or equal, so bands are numbered", title)
    spectra, guesses = items.spectra(indexes)
    bands = tuple(
        Band(
            index,
            name if named else f"band_{index}",
            wavelength=spectrum.wavelength,
            fwhm=spectrum.fwhm,
            scale=radiometry.scales[index - 1],
            offset=radiometry.offsets[index - 1],
            nodata=radiometry.nodata[index - 1],
            bad=BAD if _is_bad(items, index) else "",
        )
        for index, name, spectrum in zip(indexes, names, spectra, strict=True)
    )
    guessed = (*problems, *radiometry.problems, *guesses)
    facts = ProductFacts(
        kind=_kind(dataset, header),
        date=header.day or _day(dataset),
        unit=radiometry.unit,
        details=_details(header),
        guessed=guessed,
        picture=header.picture or _declared_colours(dataset),
    )
    unclear = any(names) and not named
    return Description(Bands(bands, source=len(bands), named=named, unclear=unclear), facts)


def _require_numbers(title: str, radiometry: _Radiometry, header: EnviHeader) -> None:
    # GDAL reads what is no number in a header as 0.
    scales = (*radiometry.scales, *header.gains)
    offsets = (*radiometry.offsets, *header.biases)
    if 0 in scales or not all(map(math.isfinite, (*scales, *offsets))):
        raise RasterError(
            f"{title} has a scale of 0, or a scale or an offset that is no number, so its values "
            f"are unknown. Correct its gains and offsets (data gain values in an ENVI header, "
            f"gdal_edit.py -scale)."
        )


def _header_of(dataset: DatasetReader) -> tuple[EnviHeader, tuple[str, ...]]:
    """Return the ENVI header of a raster, or that beside it, and a sentence on each problem."""
    own, beside = EnviHeader.of(dataset), header_beside(dataset)
    if beside is None or own.items:
        return own, own.problems
    if contradiction := beside.contradiction(dataset):
        return own, (f"{beside.name} beside it is not used: it has {contradiction}",)
    if beside.describes_values(dataset):
        return beside, beside.problems
    problem = (
        f"{beside.name} beside it describes numbers of another type, so its gains, scale factor "
        f"and ignored value are not used"
    )
    beside = beside.without_values()
    return beside, (problem, *beside.problems)


def _names(items: SpectralItems, indexes: list[int]) -> list[str]:
    """Return the name of each band; empty when it has none."""
    descriptions, names = items.dataset.descriptions, []
    for index in indexes:
        tags = items.tags(index)
        candidates = (
            descriptions[index - 1],
            tags.get("bandname"),
            tags.get("band_name"),
            items.envi.entry("band_names", index),
        )
        names.append(next((item.strip() for item in candidates if item and item.strip()), ""))
    return names


def _is_bad(items: SpectralItems, index: int) -> bool:
    return items.envi.is_bad(index) or number_of(items.tags(index).get("bbl", "")) == 0


@dataclass(frozen=True)
class _Radiometry:
    """What the numbers of each band mean, by position."""

    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: tuple[float | None, ...]
    unit: str
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: DatasetReader, header: EnviHeader) -> _Radiometry:
        """Read scales and offsets of a raster; where it has none, those of its ENVI header."""
        scales, offsets = dataset.scales, dataset.offsets
        nodata = tuple(_nodata(dataset, header, own) for own in dataset.nodatavals)
        silent = set(scales) <= {1.0} and set(offsets) <= {0.0}
        factor = header.reflectance_factor
        if factor is None or not (silent or dataset.driver == ENVI):
            if silent:
                scales, offsets = header.gains, header.biases
            return cls(scales, offsets, nodata, header.text("data_units"))
        same = all(math.isclose(scale * factor, 1) for scale in scales) and not any(offsets)
        problem = (
            f"the ENVI header has gains and a reflectance scale factor: values are divided by the "
            f"factor, {factor:g}, and the gains are not applied"
        )
        count = dataset.count
        problems = () if silent or same else (problem,)
        return cls((1 / factor,) * count, (0.0,) * count, nodata, "reflectance", problems)


def _nodata(dataset: DatasetReader, header: EnviHeader, own: float | None) -> float | None:
    # GDAL's ENVI driver reads a number in braces as 0.
    if own is None or (own == 0 and dataset.driver == ENVI):
        own = header.nodata
    # NaN and infinity are never data; NaN here would make equal bands differ.
    return None if own is None or not math.isfinite(own) else float(own)


def _kind(dataset: DatasetReader, header: EnviHeader) -> str:
    if dataset.driver == ENVI:
        return ENVI
    return "raster with an ENVI header" if header.name else "raster"


def _details(header: EnviHeader) -> tuple[tuple[str, str], ...]:
    details = {"header": header.name, "sensor": header.text("sensor_type")}
    return tuple((name, value) for name, value in details.items() if value)


def _day(dataset: DatasetReader) -> date | None:
    """Return the day of the acquisition by GDAL's own item; None: unknown."""
    return date_of(dataset.tags(ns="IMAGERY").get("ACQUISITIONDATETIME", ""))


def _declared_colours(dataset: DatasetReader) -> tuple[int, ...]:
    """Return the numbers of the bands declared red, green and blue; empty where one lacks."""
    declared = dataset.colorinterp
    return (
        tuple(declared.index(one) + 1 for one in COLOURS) if set(COLOURS) <= set(declared) else ()
    )
