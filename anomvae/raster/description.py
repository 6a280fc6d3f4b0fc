"""What a file says of its bands: names, wavelengths, radiometry.

Nothing is invented: a wavelength without a unit, or a range of wavelengths, is not a wavelength.
Formats put these facts in different places, so each place is asked in turn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from ..pixels.bands import Band, Bands

UNITS = (
    (r"nm|nanomet(?:er|re)s?", 1.0),
    (r"um|μm|microns?|micromet(?:er|re)s?", 1000.0),
)
"""Patterns in case-folded text, which turns the micro sign into a Greek mu; nm per unit."""

PLAUSIBLE = (100.0, 1e6)
"""From ultraviolet to a millimetre, nm; "10 nm" in a description is a width."""


def bands_of(dataset: DatasetReader) -> Bands:
    """Describe the data bands of a raster; alpha says which pixels are valid and is none."""
    indexes = data_indexes(dataset)
    envi = _Envi(dataset)
    names = [_name(dataset, index, envi) for index in indexes]
    named = all(names) and len(set(names)) == len(names)
    items = tuple(
        Band(
            index,
            name if named else f"band_{index}",
            wavelength=_wavelength(dataset, index, envi),
            scale=dataset.scales[index - 1],
            offset=dataset.offsets[index - 1],
            nodata=_nodata(dataset.nodatavals[index - 1]),
        )
        for index, name in zip(indexes, names, strict=True)
    )
    return Bands(items, source=len(items), named=named)


def data_indexes(dataset: DatasetReader) -> list[int]:
    """List the numbers of the bands that hold data, from 1."""
    alphas = alpha_indexes(dataset)
    return [index for index in dataset.indexes if index not in alphas]


def alpha_indexes(dataset: DatasetReader) -> list[int]:
    """List the numbers of the bands that only say which pixels are valid, from 1."""
    kinds = zip(dataset.indexes, dataset.colorinterp, strict=True)
    return [index for index, kind in kinds if kind is ColorInterp.alpha]


def nanometres(text: str) -> float | None:
    """Find the one wavelength in a text, nm.

    Examples
    --------
    >>> nanometres("B4, central wavelength 665 nm")
    665.0
    >>> nanometres("Band 1 (0.55 Micrometers)")
    550.0
    >>> nanometres("450-520 nm") is None
    True
    """
    found = set(_nanometres_in(text.casefold()))
    return found.pop() if len(found) == 1 else None


def _nanometres_in(text: str) -> Iterator[float]:
    for unit, factor in UNITS:
        for match in re.finditer(rf"(?<![\w.])(\d+\.?\d*(?:e[-+]?\d+)?)\s*(?:{unit})\b", text):
            # The far end of a range is not the centre of a band.
            ranged = re.search(r"\d\s*(?:-|\u2013|to)\s*$", text[: match.start()])
            value = round(float(match[1]) * factor, 6)
            if not ranged and PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
                yield value


class _Envi:
    """The lists in an ENVI header, one entry per band of the file."""

    def __init__(self, dataset: DatasetReader) -> None:
        tags = dataset.tags(ns="ENVI")
        self._names = _listed(tags.get("band_names", ""))
        self._wavelengths = _listed(tags.get("wavelength", ""))
        self._units = tags.get("wavelength_units", "")

    def name(self, index: int) -> str:
        return self._names[index - 1] if index <= len(self._names) else ""

    def wavelength(self, index: int) -> str:
        known = index <= len(self._wavelengths)
        return f"{self._wavelengths[index - 1]} {self._units}" if known else ""


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.strip(" {}\n").split(",")] if text else []


def _name(dataset: DatasetReader, index: int, envi: _Envi) -> str:
    tags = _folded(dataset.tags(index))
    places = (
        dataset.descriptions[index - 1],
        tags.get("bandname"),
        tags.get("band_name"),
        envi.name(index),
    )
    return next((place.strip() for place in places if place and place.strip()), "")


def _wavelength(dataset: DatasetReader, index: int, envi: _Envi) -> float | None:
    return _first(nanometres(place) for place in _wavelength_places(dataset, index, envi))


def _wavelength_places(dataset: DatasetReader, index: int, envi: _Envi) -> Iterator[str]:
    tags = _folded(dataset.tags(index))
    units = tags.get("wavelength_units") or tags.get("wavelength_unit") or ""
    yield f"{tags.get('wavelength', '')} {units}"
    yield f"{dataset.tags(index, ns='IMAGERY').get('CENTRAL_WAVELENGTH_UM', '')} um"
    yield envi.wavelength(index)
    yield dataset.descriptions[index - 1] or ""


def _first(values: Iterable[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)


def _folded(tags: dict[str, str]) -> dict[str, str]:
    return {key.casefold(): value for key, value in tags.items()}


def _nodata(value: float | None) -> float | None:
    # NaN and infinity are never data, said or not; left in, equal bands would differ.
    return None if value is None or not math.isfinite(value) else float(value)
