"""Coordinates on the sides of a map: degrees, lengths, or columns and rows where it has no place.

A grid may be rotated: a tick at the bottom is where a line of equal coordinate meets that side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mapping.location import angle_text
from ..pixels.tiling import Window
from ..raster import Georeference, in_degrees, on_earth
from ..raster.crs import crs_of
from ..raster.gdal import session

SHORT_UNITS = {"metre": "m", "meter": "m", "US survey foot": "ft (US survey)", "foot": "ft"}
THIN_SPACE = "\N{THIN SPACE}"
MOST_TICKS = 6


@dataclass(frozen=True)
class Side:
    """The ticks of a side of a map."""

    label: str
    """The coordinate, with its unit."""
    places: tuple[float, ...]
    """Where ticks are: columns of the bottom side, rows of the left one."""
    labels: tuple[str, ...]
    """What is written there."""


@dataclass(frozen=True)
class MapCoordinates:
    """Coordinates of a part of a map."""

    bottom: Side
    """Along the last row."""
    left: Side
    """Along the first column."""
    lines: tuple[NDArray[np.float64], ...] = ()
    """Lines of equal coordinates where the grid is rotated, axes (end, coordinate): col, row."""

    @classmethod
    def of(cls, where: Georeference, window: Window, apart: tuple[float, float]) -> MapCoordinates:
        """Choose the ticks of a part of a map; labels are at least so far apart, columns and rows.

        Labels at the bottom are a multiple as far apart, by their length.
        """
        rows, cols = window
        if not on_earth(where):
            sides = (
                _pixels("Column (pixels)", cols, apart[0]),
                _pixels("Row (pixels)", rows, apart[1]),
            )
            return cls(*sides)
        a, b, c, d, e, f = where.grid.transform
        forms = {"x": (a, b, c), "y": (d, e, f)}
        # Where the grid is turned by more than 45 degrees, x changes along the left side.
        across, down = ("x", "y") if abs(a) >= abs(d) else ("y", "x")
        kinds = _kinds(where)
        bottom = _side(kinds[across], forms[across], cols, rows.stop, apart[0])
        turned = (forms[down][1], forms[down][0], forms[down][2])
        left = _side(kinds[down], turned, rows, cols.start, apart[1])
        lines: list[NDArray[np.float64]] = []
        if min(abs(a) + abs(e), abs(b) + abs(d)) > 1e-9 * (abs(a) + abs(d)):  # rotated
            ends = [(place, rows.stop) for place in bottom.places]
            lines = _lines(forms[across], ends, window)
            lines += _lines(forms[down], [(cols.start, place) for place in left.places], window)
        return cls(bottom, left, tuple(lines))


@dataclass(frozen=True)
class _Kind:
    """What a coordinate is."""

    name: str
    unit: str
    compass: str = ""
    """Letters of above and below 0, of degrees."""

    @property
    def label(self) -> str:
        return self.name if self.compass else f"{self.name} ({self.unit})"

    def text(self, value: float, decimals: int) -> str:
        if self.compass:
            wrapped = (value + 180) % 360 - 180 if self.compass == "EW" else value
            return angle_text(wrapped, self.compass, decimals)
        return f"{value + 0.0:,.{decimals}f}".replace(",", THIN_SPACE)


def _kinds(where: Georeference) -> dict[str, _Kind]:
    if in_degrees(where):
        return {"x": _Kind("Longitude", "", "EW"), "y": _Kind("Latitude", "", "NS")}
    with session():
        crs = crs_of(where.grid.crs)
        unit = "degrees" if crs.is_geographic else str(crs.linear_units)
    unit = SHORT_UNITS.get(unit, unit)
    return {"x": _Kind("Easting", unit), "y": _Kind("Northing", unit)}


def _side(
    kind: _Kind, form: tuple[float, float, float], along: slice, fixed: float, apart: float
) -> Side:
    """Return the ticks of a coordinate ``form[0] * place + form[1] * fixed + form[2]``."""
    slope, start = form[0], form[1] * fixed + form[2]
    if not slope:
        return Side(kind.label, (), ())
    ends = sorted((slope * along.start + start, slope * along.stop + start))
    step = _step(abs(slope) * apart, (ends[1] - ends[0]) / MOST_TICKS)
    values = _multiples(step, ends)
    if not values:
        step = _step(step * 0.4)
        values = _multiples(step, ends)
    decimals = max(0, math.ceil(-math.log10(step) - 1e-9))
    places = tuple((value - start) / slope for value in values)
    labels = tuple(kind.text(value, decimals) for value in values)
    return Side(kind.label, places, labels)


def _pixels(label: str, along: slice, apart: float) -> Side:
    """Return ticks at the middles of columns or rows, by their numbers from 0."""
    step = max(1, round(_step(apart, (along.stop - along.start) / MOST_TICKS)))
    numbers = range(-(-along.start // step) * step, along.stop, step)
    return Side(
        label,
        tuple(number + 0.5 for number in numbers),
        tuple(f"{number:,}".replace(",", THIN_SPACE) for number in numbers),
    )


def _step(*least: float) -> float:
    """Return the smallest of 1, 2 or 5 of a power of ten that is not below any number."""
    lowest = max(*least, 1e-12)
    power = math.floor(math.log10(lowest))
    steps = [float(f"{digit}e{exponent}") for exponent in (power, power + 1) for digit in (1, 2, 5)]
    return next(step for step in steps if step >= lowest * (1 - 1e-9))


def _multiples(step: float, ends: Sequence[float]) -> tuple[float, ...]:
    first, last = math.ceil(ends[0] / step - 1e-9), math.floor(ends[1] / step + 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def _lines(
    form: tuple[float, float, float], places: Sequence[tuple[float, float]], window: Window
) -> list[NDArray[np.float64]]:
    """Return the lines of equal coordinate through places (col, row), across the window."""
    direction = np.array([-form[1], form[0]], np.float64)
    direction /= np.hypot(*direction)
    reach = sum(part.stop - part.start for part in window) * direction
    return [np.stack([place - reach, place + reach]) for place in np.array(places)]


def system_of(where: Georeference) -> str:
    """Return the name of the coordinate reference system of a map, with its code."""
    named = re.search(r'"([^"]+)"', where.grid.crs)
    code = f"EPSG:{where.grid.epsg}" if where.grid.epsg else ""
    name = named[1] if named else ""
    return f"{name} ({code})" if name and code else name or code
