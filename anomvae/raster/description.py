"""Names, wavelengths and radiometry of the bands of a file.

Nothing is invented: a number without a unit, or a range of wavelengths, is not a wavelength.
Formats store names and wavelengths in different metadata items: the first that has a value counts.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rasterio.io import DatasetReader

from ..pixels.bands import Band, Bands
from ..pixels.wavelengths import nanometres

log = logging.getLogger(__name__)

ENVI_LISTS = ("band_names", "wavelength")


def bands_of(dataset: DatasetReader, title: str, masks: Collection[int]) -> Bands:
    """Describe the bands of a raster, called ``title``, but those of the numbers ``masks``."""
    indexes = [index for index in dataset.indexes if index not in masks]
    header = _Header.of(dataset)
    names = [header.name(index) for index in indexes]
    scales, offsets, nodata = dataset.scales, dataset.offsets, dataset.nodatavals
    marked = bad_bands_of(dataset)
    named = all(names) and len(set(names)) == len(names)
    if any(names) and not named:
        log.info("%s: some names of bands are missing or equal, so bands are numbered", title)
    items = tuple(
        Band(
            index,
            name if named else f"band_{index}",
            wavelength=header.wavelength(index),
            scale=scales[index - 1],
            offset=offsets[index - 1],
            nodata=_nodata(nodata[index - 1]),
            bad="bbl = 0" if index in marked else "",
        )
        for index, name in zip(indexes, names, strict=True)
    )
    return Bands(items, source=len(items), named=named, unclear=any(names) and not named)


def bad_bands_of(dataset: DatasetReader) -> set[int]:
    """Return the numbers of the bands that are 0 in the bad-band list of an ENVI header."""
    marks = _entries(dataset.tags(ns="ENVI"), "bbl")
    return {index for index, mark in enumerate(marks, start=1) if mark.strip() in {"0", "0.0"}}


@dataclass(frozen=True)
class _Header:
    """What a file states about its bands, each list read once: they are made anew at each call."""

    dataset: DatasetReader
    descriptions: tuple[str | None, ...]
    envi: dict[str, list[str]]
    """Lists of an ENVI header, by key."""
    envi_units: str

    @classmethod
    def of(cls, dataset: DatasetReader) -> _Header:
        """Read the header of a raster."""
        envi = dataset.tags(ns="ENVI")
        lists = {key: _entries(envi, key) for key in ENVI_LISTS}
        return cls(dataset, dataset.descriptions, lists, envi.get("wavelength_units", ""))

    def name(self, index: int) -> str:
        """Return the name of a band; empty when it has none."""
        tags = _folded(self.dataset.tags(index))
        items = (
            self.descriptions[index - 1],
            tags.get("bandname"),
            tags.get("band_name"),
            self._entry("band_names", index),
        )
        return next((item.strip() for item in items if item and item.strip()), "")

    def wavelength(self, index: int) -> float | None:
        """Return the wavelength of a band, nm."""
        wavelengths = map(nanometres, self._wavelength_items(index))
        return next((value for value in wavelengths if value is not None), None)

    def _wavelength_items(self, index: int) -> Iterator[str]:
        tags = _folded(self.dataset.tags(index))
        units = tags.get("wavelength_units") or tags.get("wavelength_unit") or ""
        imagery = self.dataset.tags(index, ns="IMAGERY")
        yield f"{tags.get('wavelength', '')} {units}"
        yield f"{imagery.get('CENTRAL_WAVELENGTH_UM', '')} um"
        yield f"{self._entry('wavelength', index)} {self.envi_units}"
        yield self.descriptions[index - 1] or ""

    def _entry(self, key: str, index: int) -> str:
        """Return the entry of a band in a list of an ENVI header."""
        entries = self.envi[key]
        return entries[index - 1].strip() if index <= len(entries) else ""


def _entries(header: dict[str, str], key: str) -> list[str]:
    """Return the entries of a list in an ENVI header."""
    return header.get(key, "").strip(" {}\n").split(",")


def _folded(tags: dict[str, str]) -> dict[str, str]:
    return {key.casefold(): value for key, value in tags.items()}


def _nodata(value: float | None) -> float | None:
    # NaN and infinity are never data; NaN here would make equal bands differ.
    return None if value is None or not math.isfinite(value) else float(value)
