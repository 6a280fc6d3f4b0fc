"""Wavelengths, widths and radiometry of the bands of a variable (CF Conventions 1.11)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from ...pixels.wavelengths import PLAUSIBLE, nanometres
from .variables import Container, Variable

NANOMETRES = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), 1000.0),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1000.0),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
}
"""nm per unit."""
STANDARD_NAMES = (
    "radiation_wavelength",
    "sensor_band_central_radiation_wavelength",
    "sensor_band_central_wavelength",
)
CENTRES = re.compile(
    r"(?:.*_)?(?:wavelengths?|wvls?|wl|lambda|(?:band_?)?cent(?:er|re)s?(?:_wavelengths?)?)"
    r"(?:_(?:nm|um))?",
    re.IGNORECASE,
)
"""Names of variables and attributes of wavelengths."""
WIDTHS = re.compile(r"(?:.*_)?(?:fwhm|band_?widths?)(?:_(?:nm|um))?", re.IGNORECASE)
GOOD = re.compile(r"good_wavelengths?|good_bands?", re.IGNORECASE)
BAD = re.compile(r"bbl|bad_bands?(?:_list)?", re.IGNORECASE)
NM_FROM = 100.0
"""Wavelengths from here are in nm, smaller ones in um, where no unit is stated."""


@dataclass(frozen=True)
class Spectrum:
    """What a file states about the bands along an axis."""

    wavelengths: tuple[float, ...] = ()
    """Centres, nm; empty: unknown."""
    fwhm: tuple[float, ...] = ()
    """Full widths at half maximum, nm; empty: unknown."""
    bad: tuple[str, ...] = ()
    """Why a band is bad, empty for good ones; empty: all are good."""
    linked: bool = False
    """Whether the file itself ties the wavelengths to the axis, not their number alone."""
    guessed: tuple[str, ...] = ()
    """What was taken for granted, a sentence each."""


def spectrum_of(file: Container, variable: Variable, axis: int) -> Spectrum:
    """Find the wavelengths along an axis of a variable: in coordinates, siblings, attributes."""
    size = variable.shape[axis]
    lists = list(_lists(file, variable, axis))
    for values in lists:
        found = _nanometres(values)
        if found is not None:
            centres, guessed = found
            return Spectrum(
                centres,
                _widths(lists, values),
                _bad(lists, size),
                values.linked,
                guessed,
            )
    return Spectrum()


def wavelength_of(variable: Variable) -> float | None:
    """Return the wavelength of a variable that is one band, nm; None: not stated."""
    for name in ("radiation_wavelength", "wavelength", "central_wavelength"):
        numbers = variable.numbers(name)
        unit = variable.text(f"{name}_units") or variable.text(f"{name}_unit")
        if len(numbers) == 1:
            found = _nanometres(_Values(name, unit, STANDARD_NAMES[0], numbers, True))
            if found is not None:
                return found[0][0]
    return nanometres(variable.text("long_name"))


@dataclass(frozen=True)
class _Values:
    """Numbers along an axis."""

    name: str
    unit: str
    standard_name: str
    numbers: tuple[float, ...]
    linked: bool

    @property
    def factor(self) -> float | None:
        """Nanometres per unit; None where no unit of length is stated."""
        ending = re.search(r"_(nm|um)$", self.name.casefold())
        unit = self.unit.casefold() or (ending[1] if ending else "")
        return NANOMETRES.get(unit)

    @property
    def is_centres(self) -> bool:
        """Whether they are wavelengths of bands."""
        if self.standard_name in STANDARD_NAMES:
            return True
        if WIDTHS.fullmatch(self.name) or GOOD.fullmatch(self.name):
            return False
        named = CENTRES.fullmatch(self.name) is not None
        small = self.factor is not None and self.factor < 1e6  # metres are those of a place
        return named or (small and self.linked)


def _lists(file: Container, variable: Variable, axis: int) -> Iterator[_Values]:
    """Yield what has a number for each index of an axis, what is tied to it first."""
    size, dim = variable.shape[axis], variable.dims[axis]
    if size < 2 and not dim:
        return
    along = [one for one in file.variables() if one.shape == (size,)]
    along.sort(key=lambda one: (one.path != dim, not dim or one.dims != (dim,), one.path))
    for one in along:
        linked = bool(dim) and (one.path == dim or one.dims == (dim,))
        if linked or not any(one.dims) or _own(one):
            yield _values(one, linked)
    parents = {variable.path, str(PurePosixPath(variable.path).parent), "/"}
    for parent in sorted(parents, key=len, reverse=True):
        attributes = file.attributes(parent)
        for name, value in attributes.items():
            if not isinstance(value, str) and len(value) == size > 1:
                unit = attributes.get(f"{name}_units", attributes.get(f"{name}_unit", ""))
                yield _Values(name, unit if isinstance(unit, str) else "", "", value, False)


def _own(variable: Variable) -> bool:
    """Return whether the axis of a variable is its own, as that of a lone list of numbers."""
    return variable.dims == (variable.path,)


def _values(variable: Variable, linked: bool) -> _Values:
    return _Values(
        variable.name,
        variable.text("units"),
        variable.text("standard_name"),
        tuple(variable.whole().tolist()),
        linked,
    )


def _nanometres(values: _Values) -> tuple[tuple[float, ...], tuple[str, ...]] | None:
    if not values.is_centres or not all(map(math.isfinite, values.numbers)):
        return None
    factor, guessed = values.factor, tuple[str, ...]()
    if factor is None:
        factor = 1.0 if min(values.numbers) >= NM_FROM else 1000.0
        unit = "nm" if factor == 1 else "um"
        guessed = (f"wavelengths: {values.name!r} in {unit}, by their size",)
    centres = tuple(round(number * factor, 6) for number in values.numbers)
    plausible = all(PLAUSIBLE[0] <= centre <= PLAUSIBLE[1] for centre in centres)
    return (centres, guessed) if plausible else None


def _widths(lists: list[_Values], centres: _Values) -> tuple[float, ...]:
    for values in lists:
        if WIDTHS.fullmatch(values.name) and all(number > 0 for number in values.numbers):
            factor = values.factor or centres.factor
            if factor is None:
                factor = 1.0 if min(centres.numbers) >= NM_FROM else 1000.0
            return tuple(round(number * factor, 6) for number in values.numbers)
    return ()


def _bad(lists: list[_Values], size: int) -> tuple[str, ...]:
    for values in lists:
        if GOOD.fullmatch(values.name):
            return tuple("" if number else f"{values.name} = 0" for number in values.numbers)
        if BAD.fullmatch(values.name):  # of ENVI: 1 is good
            flags = np.asarray(values.numbers)
            return tuple("" if flag else f"{values.name} = 0" for flag in flags)
    return ("",) * size
