"""Wavelengths of bands: numbers and units of text become nm; nothing is invented.

A number without a unit, or a range of wavelengths, is not a wavelength; `guessed_unit` guesses the
unit of a whole list by its size, where a caller reports it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

UNITS = ((r"nm|nanomet(?:er|re)s?", 1.0), (r"um|μm|microns?|micromet(?:er|re)s?", 1000.0))
"""Patterns in case-folded text, where the micro sign is a Greek mu; nm per unit."""
# Possessive: whoever wrote a text of a million digits must not make the search quadratic.
NUMBER = r"(?<![\w.])(\d++(?:\.\d*+)?+(?:e[-+]?\d++)?+)\s*+"
LOWER_END = re.compile(r"\d\s*+(?:-|\u2013|to)\s*+")
"""The lower end of a range, up to its upper end."""

PLAUSIBLE = (100.0, 1e6)
"""Range from ultraviolet to 1 mm, nm; "10 nm" in a description is a width."""
SMALLEST_NM = 100.0
"""Numbers below are micrometres where no unit is given: no band lies at 100 nm or at 100 um."""


@dataclass(frozen=True)
class Unit:
    """A unit of wavelengths, or of what is inverse to them: wavenumbers and frequencies."""

    factor: float
    """nm per unit; where inverse, nm times the unit."""
    inverse: bool = False
    """Whether a wavelength is the factor divided by the number."""

    def centre(self, value: float) -> float | None:
        """Return a wavelength, nm; None where no band can lie there."""
        if not value > 0:
            return None
        nm = round(self.factor / value if self.inverse else self.factor * value, 6)
        return nm if PLAUSIBLE[0] <= nm <= PLAUSIBLE[1] else None

    def width(self, value: float, centre: float) -> float | None:
        """Return a width, nm, of a band at a wavelength, nm; None where no band is so wide."""
        nm = value * centre**2 / self.factor if self.inverse else value * self.factor
        return round(nm, 6) if 0 < nm < centre else None


NM, UM = Unit(1.0), Unit(1e3)
NAMES = (
    (r"nm|nanomet(er|re)s?", NM),
    (r"um|μm|microns?|micromet(er|re)s?", UM),
    (r"mm|millimet(er|re)s?", Unit(1e6)),
    (r"cm|centimet(er|re)s?", Unit(1e7)),
    (r"m|met(er|re)s?", Unit(1e9)),
    (r"å|a|angstroms?", Unit(0.1)),
    (r"wavenumbers?|(1/cm|cm\^?-1|cm⁻¹)", Unit(1e7, inverse=True)),
    (r"ghz|gigahertz", Unit(299_792_458.0, inverse=True)),
    (r"mhz|megahertz", Unit(299_792_458_000.0, inverse=True)),
)
"""Patterns of the names of units in case-folded text.  The first nine of the list of ENVI (NV5,
ENVI Header Files, 2024, ``wavelength units``); the others, ``Index`` and ``Unknown``, are none."""


def unit_of(name: str) -> Unit | None:
    """Return the unit of a name; None where it is unknown."""
    folded = name.strip().casefold()
    return next((unit for pattern, unit in NAMES if re.fullmatch(pattern, folded)), None)


def guessed_unit(values: Collection[float]) -> Unit | None:
    """Guess the unit of wavelengths without one, by their size; None where they contradict it.

    Examples
    --------
    >>> guessed_unit([450, 2450]) == NM, guessed_unit([0.45, 2.45]) == UM
    (True, True)
    >>> guessed_unit([0.45, 2450]) is None
    True
    """
    if not values or not all(value > 0 for value in values):
        return None
    if min(values) < SMALLEST_NM <= max(values):
        return None
    unit = NM if min(values) >= SMALLEST_NM else UM
    return unit if all(unit.centre(value) is not None for value in values) else None


def number_of(text: str) -> float | None:
    """Return the number that a text is; None where it is none, or not finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def nanometres(text: str) -> float | None:
    """Return the only wavelength in a text, nm; None if there are none or several."""
    wavelengths = set(_nanometres_in(text.casefold()))
    return wavelengths.pop() if len(wavelengths) == 1 else None


def _nanometres_in(text: str) -> Iterator[float]:
    # The upper end of a range is not the centre of a band.
    upper_ends = {match.end() for match in LOWER_END.finditer(text)}
    for unit, factor in UNITS:
        for match in re.finditer(rf"{NUMBER}(?:{unit})\b", text):
            value = round(float(match[1]) * factor, 6)
            if match.start() not in upper_ends and PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
                yield value
