"""Numbers in words that people read: counts, shares, areas, places."""

from __future__ import annotations

import math

NONE = "\N{EN DASH}"
"""Stands for a number that is not known."""
HECTARE, KM2 = 1e4, 1e6  # m2


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, whose plural is that of most nouns if none is given.

    Examples
    --------
    >>> counted(1, "object"), counted(12345, "pixel"), counted(2, "pass", "passes")
    ('1 object', '12,345 pixels', '2 passes')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def share(part: float) -> str:
    """Return a share in percent, with two or three digits.

    Examples
    --------
    >>> share(0.0266), share(0.37), share(0.0000123), share(0.0)
    ('2.7 %', '37 %', '0.0012 %', '0 %')
    """
    percent = 100 * part
    if not percent or percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.{max(1, 1 - math.floor(math.log10(percent)))}f} %"


def number(value: float) -> str:
    """Return a number with four digits, and commas between thousands.

    Examples
    --------
    >>> number(12.34567), number(1270.95), number(0.000123456)
    ('12.35', '1,271', '0.0001235')
    """
    if not math.isfinite(value):
        return NONE
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"
    return f"{value:.4g}"


def area(m2: float) -> str:
    """Return an area in the unit that suits it.

    Examples
    --------
    >>> area(73.6), area(54321.0), area(2.5e6)
    ('74 m²', '5.4 ha', '2.5 km²')
    """
    if m2 < HECTARE:
        return f"{m2:,.0f} m²" if m2 >= 10 else f"{m2:.2g} m²"
    unit, name = (HECTARE, "ha") if m2 < KM2 else (KM2, "km²")
    return f"{m2 / unit:,.1f} {name}"


def degrees(longitude: float, latitude: float) -> str:
    """Return a place on Earth; five decimals are a metre.

    Examples
    --------
    >>> degrees(-117.20551, 32.70649)
    '32.70649° N, 117.20551° W'
    """
    return f"{angle(latitude, 'NS', 5)}, {angle(longitude, 'EW', 5)}"


def angle(degrees: float, sides: str, decimals: int) -> str:
    """Return a longitude or a latitude; ``sides`` are the letters of above and below 0.

    Examples
    --------
    >>> angle(-33.5, "NS", 1), angle(0.0, "EW", 0)
    ('33.5° S', '0°')
    """
    side = f" {sides[degrees < 0]}" if round(degrees, decimals) else ""
    return f"{abs(degrees):.{decimals}f}°{side}"
