"""Names, wavelengths and radiometry of the bands of a file.

Nothing is invented: a number without a unit, or a range of wavelengths, is not a wavelength.
Formats store names and wavelengths in different metadata items: the first that has a value counts.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Iterator

from rasterio.io import DatasetReader

from ..pixels.bands import Band, Bands

log = logging.getLogger(__name__)

UNITS = ((r"nm|nanomet(?:er|re)s?", 1.0), (r"um|μm|microns?|micromet(?:er|re)s?", 1000.0))
"""Patterns in case-folded text, where the micro sign is a Greek mu; nm per unit."""

PLAUSIBLE = (100.0, 1e6)
"""Range from ultraviolet to 1 mm, nm; "10 nm" in a description is a width."""


def bands_of(dataset: DatasetReader, title: str, masks: Collection[int]) -> Bands:
    """Describe the bands of a raster, called ``title``, but those of the numbers ``masks``."""
    indexes = [index for index in dataset.indexes if index not in masks]
    envi = dataset.tags(ns="ENVI")
    names = [_name(dataset, index, envi) for index in indexes]
    named = all(names) and len(set(names)) == len(names)
    if any(names) and not named:
        log.info("%s: some names of bands are missing or equal, so bands are numbered", title)
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


def nanometres(text: str) -> float | None:
    """Return the only wavelength in a text, nm; None if there are none or several."""
    wavelengths = set(_nanometres_in(text.casefold()))
    return wavelengths.pop() if len(wavelengths) == 1 else None


def _nanometres_in(text: str) -> Iterator[float]:
    for unit, factor in UNITS:
        for match in re.finditer(rf"(?<![\w.])(\d+\.?\d*(?:e[-+]?\d+)?)\s*(?:{unit})\b", text):
            # The upper end of a range is not the centre of a band.
            ranged = re.search(r"\d\s*(?:-|\u2013|to)\s*$", text[: match.start()])
            value = round(float(match[1]) * factor, 6)
            if not ranged and PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
                yield value


def _entry(envi: dict[str, str], key: str, index: int) -> str:
    """Return the entry of a band in a list of an ENVI header."""
    entries = envi.get(key, "").strip(" {}\n").split(",")
    return entries[index - 1].strip() if index <= len(entries) else ""


def _name(dataset: DatasetReader, index: int, envi: dict[str, str]) -> str:
    tags = _folded(dataset.tags(index))
    items = (
        dataset.descriptions[index - 1],
        tags.get("bandname"),
        tags.get("band_name"),
        _entry(envi, "band_names", index),
    )
    return next((item.strip() for item in items if item and item.strip()), "")


def _wavelength(dataset: DatasetReader, index: int, envi: dict[str, str]) -> float | None:
    wavelengths = map(nanometres, _wavelength_items(dataset, index, envi))
    return next((value for value in wavelengths if value is not None), None)


def _wavelength_items(dataset: DatasetReader, index: int, envi: dict[str, str]) -> Iterator[str]:
    tags = _folded(dataset.tags(index))
    units = tags.get("wavelength_units") or tags.get("wavelength_unit") or ""
    yield f"{tags.get('wavelength', '')} {units}"
    yield f"{dataset.tags(index, ns='IMAGERY').get('CENTRAL_WAVELENGTH_UM', '')} um"
    yield f"{_entry(envi, 'wavelength', index)} {envi.get('wavelength_units', '')}"
    yield dataset.descriptions[index - 1] or ""


def _folded(tags: dict[str, str]) -> dict[str, str]:
    return {key.casefold(): value for key, value in tags.items()}


def _nodata(value: float | None) -> float | None:
    # NaN and infinity are never data; NaN here would make equal bands differ.
    return None if value is None or not math.isfinite(value) else float(value)
