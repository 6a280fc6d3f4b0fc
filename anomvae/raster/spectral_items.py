"""Wavelengths and widths of bands, from the metadata items in which formats store them, in nm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from rasterio.io import DatasetReader

from ..pixels.wavelengths import UM, Unit, guessed_unit, nanometres, number_of, unit_of
from .envi_header import ENVI, NONE, EnviHeader

T = TypeVar("T")


class Spectrum(NamedTuple):
    """Where a band lies."""

    wavelength: float | None = None
    """Centre, nm; None: unknown."""
    fwhm: float | None = None
    """Full width at half maximum, nm; None: unknown."""


class _Item(NamedTuple):
    """A wavelength or a width as a file states it."""

    text: str
    unit: str

    @property
    def bare(self) -> float | None:
        """The number of an item without a unit; None where it has one, or is no number."""
        return number_of(self.text) if self.unit.strip().casefold() in NONE else None

    @property
    def centre(self) -> float | None:
        """The wavelength, nm; None where it is none."""
        unit, value = unit_of(self.unit), number_of(self.text)
        return nanometres(self.text) if unit is None or value is None else unit.centre(value)

    def width(self, centre: float, default: Unit | None) -> float | None:
        """Return the width, nm, of a band at a wavelength, nm; None where it is none."""
        unit = default if self.bare is not None else unit_of(self.unit)
        value = number_of(self.text)
        return None if unit is None or value is None else unit.width(value, centre)


@dataclass(frozen=True)
class SpectralItems:
    """The items of a raster that state where its bands lie."""

    dataset: DatasetReader
    """The open raster."""
    envi: EnviHeader
    """Its ENVI header."""

    def spectra(self, indexes: Sequence[int]) -> tuple[list[Spectrum], tuple[str, ...]]:
        """Return where bands lie, by their numbers from 1, and a sentence on each guess."""
        centres = [_first(item.centre for item in self._centres(index)) for index in indexes]
        unit, guess = None, self._unknown_unit
        if not any(centres) and not guess:
            bare = [_first(item.bare for item in self._centres(index)) for index in indexes]
            unit, sentence = _guessed(bare)
            guess += sentence
            if unit is not None:
                centres = [None if number is None else unit.centre(number) for number in bare]
        pairs = zip(indexes, centres, strict=True)
        widths = [self._width(*pair, unit) for pair in pairs]
        return list(map(Spectrum, centres, widths)), guess

    def _width(self, index: int, centre: float | None, unit: Unit | None) -> float | None:
        if centre is None:
            return None
        return _first(item.width(centre, unit) for item in self._widths(index))

    def _centres(self, index: int) -> Iterator[_Item]:
        if self._derived and "wavelength" in self.envi.misfits:
            return  # GDAL gives the first bands what the list has
        tags, imagery = self.tags(index), self.dataset.tags(index, ns="IMAGERY")
        yield _Item(tags.get("wavelength", ""), self._unit(tags, "wavelength"))
        yield _Item(imagery.get("CENTRAL_WAVELENGTH_UM", ""), "um")
        yield _Item(self.envi.entry("wavelength", index), self.envi.text("wavelength_units"))
        yield _Item(self._descriptions[index - 1] or "", "")

    def _widths(self, index: int) -> Iterator[_Item]:
        tags, imagery = self.tags(index), self.dataset.tags(index, ns="IMAGERY")
        for name in ("fwhm", "bandwidth"):
            unit = self._unit(tags, name) or self._unit(tags, "wavelength")
            yield _Item(tags.get(name, ""), unit)
        # Before GDAL's own, which is rounded to whole nanometres.
        yield _Item(self.envi.entry("fwhm", index), self.envi.text("wavelength_units"))
        yield _Item(imagery.get("FWHM_UM", ""), "um")

    def tags(self, index: int) -> dict[str, str]:
        """Return the tags of a band by names in lower case, those of ENVI's domain included."""
        return self._tags[index - 1]

    @cached_property
    def _tags(self) -> list[dict[str, str]]:
        both = (
            {**self.dataset.tags(index, ns=ENVI), **self.dataset.tags(index)}
            for index in self.dataset.indexes
        )
        return [{key.casefold(): value for key, value in tags.items()} for tags in both]

    def _unit(self, tags: dict[str, str], what: str) -> str:
        names = (f"{what}_units", f"{what}_unit")
        return _first(tags.get(name) or self._shared.get(name) for name in names) or ""

    @property
    def _derived(self) -> bool:
        """Whether GDAL makes the tags and descriptions of bands from the ENVI header."""
        return bool(self.dataset.driver == ENVI)

    @cached_property
    def _shared(self) -> dict[str, str]:
        return {key.casefold(): value for key, value in self.dataset.tags().items()}

    @cached_property
    def _descriptions(self) -> tuple[str | None, ...]:
        return tuple(self.dataset.descriptions)

    @property
    def _unknown_unit(self) -> tuple[str, ...]:
        name = self.envi.text("wavelength_units")
        if not self.envi.text("wavelength") or not name or unit_of(name) is not None:
            return ()
        return (f"wavelength units = {name!r} is no unit of wavelengths, so they are not used",)


def _first(values: Iterator[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _guessed(numbers: Sequence[float | None]) -> tuple[Unit | None, tuple[str, ...]]:
    """Guess the unit of the wavelengths of all bands; return a sentence about it."""
    values = [value for value in numbers if value is not None]
    if not values:
        return None, ()
    spread = f"the wavelengths, {min(values):g} to {max(values):g}, have no unit"
    unit = guessed_unit(values)
    if unit is None:
        return None, (f"{spread} and fit none, so they are not used",)
    return unit, (f"{spread}, taken as {'micrometres' if unit == UM else 'nanometres'}",)
