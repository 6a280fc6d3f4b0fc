"""Wavelengths in texts; nm.

Nothing is invented: a number without a unit, or a range of wavelengths, is not a wavelength.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

UNITS = ((r"nm|nanomet(?:er|re)s?", 1.0), (r"um|μm|microns?|micromet(?:er|re)s?", 1000.0))
"""Patterns in case-folded text, where the micro sign is a Greek mu; nm per unit."""
# Possessive: whoever wrote a text of a million digits must not make the search quadratic.
NUMBER = r"(?<![\w.])(\d++(?:\.\d*+)?+(?:e[-+]?\d++)?+)\s*+"
LOWER_END = re.compile(r"\d\s*+(?:-|\u2013|to)\s*+")
"""The lower end of a range, up to its upper end."""
PLAUSIBLE = (100.0, 1e6)
"""Range from ultraviolet to 1 mm, nm; "10 nm" in a description is a width."""


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
