"""Coordinates on the sides of a map: degrees, lengths, or columns and rows where it has no place.

A grid may be rotated: a tick at the bottom is where a line of equal coordinate meets that side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window
from ..raster import Georeference, in_degrees, on_earth
from ..raster.crs import crs_of
from ..raster.gdal import session
from ..words import angle
from .print_sheet import text_width

SHORT_UNITS = {"metre": "m", "meter": "m", "US survey foot": "ft (US survey)", "foot": "ft"}
THIN_SPACE = "\N{THIN SPACE}"
MOST_TICKS = 6
ROOM = 1.5
"""Space between two labels, mm."""


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
    def of(
        cls, where: Georeference, window: Window, scale: tuple[float, float], size: float
    ) -> MapCoordinates:
        """Choose the ticks of a part of a map, so that labels do not overlap.

        ``scale`` is mm for a column and a row, ``size`` that of letters, points.
        """
        rows, cols = window
        labels = _Labels(scale[0], size), _Labels(scale[1], size)
        if not on_earth(where):
            middle = 1.0, 0.0, -0.5
            named = _Kind("Column", "pixels", whole=True), _Kind("Row", "pixels", whole=True)
            bottom = _side(named[0], middle, cols, 0, labels[0])
            return cls(
                bottom, _side(_Kind("Row", "pixels", whole=True), middle, rows, 0, labels[1])
            )
        a, b, c, d, e, f = where.grid.transform
        forms = {"x": (a, b, c), "y": (d, e, f)}
        # Where the grid is turned by more than 45 degrees, x changes along the left side.
        across, down = ("x", "y") if abs(a) >= abs(d) else ("y", "x")
        kinds = _kinds(where)
        bottom = _side(kinds[across], forms[across], cols, rows.stop, labels[0])
        turned = (forms[down][1], forms[down][0], forms[down][2])
        left = _side(kinds[down], turned, rows, cols.start, labels[1])
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
    whole: bool = False
    """Whether it has whole numbers alone."""

    @property
    def label(self) -> str:
        return self.name if self.compass else f"{self.name} ({self.unit})"

    def text(self, value: float, decimals: int) -> str:
        if self.compass:
            wrapped = (value + 180) % 360 - 180 if self.compass == "EW" else value
            return angle(wrapped, self.compass, decimals)
        text = f"{value + 0.0:,.{decimals}f}".replace(",", THIN_SPACE)
        return text.replace("-", "\N{MINUS SIGN}")


def _kinds(where: Georeference) -> dict[str, _Kind]:
    if in_degrees(where):
        return {"x": _Kind("Longitude", "", "EW"), "y": _Kind("Latitude", "", "NS")}
    with session():
        crs = crs_of(where.grid.crs)
        unit = "degrees" if crs.is_geographic else str(crs.linear_units)
    unit = SHORT_UNITS.get(unit, unit)
    return {"x": _Kind("Easting", unit), "y": _Kind("Northing", unit)}


@dataclass(frozen=True)
class _Labels:
    """How labels are written along a side."""

    scale: float
    """mm for a pixel."""
    size: float
    """Of letters, points."""

    def fit(self, texts: Sequence[str], apart: float) -> bool:
        """Whether labels so many pixels apart leave room between them."""
        return apart * self.scale >= max(text_width(text, self.size) for text in texts) + ROOM


def _side(
    kind: _Kind,
    form: tuple[float, float, float],
    along: slice,
    fixed: float,
    written: _Labels,
) -> Side:
    """Return the ticks of a coordinate ``form[0] * place + form[1] * fixed + form[2]``."""
    slope, start = form[0], form[1] * fixed + form[2]
    if not slope:
        return Side(kind.label, (), ())
    ends = sorted((slope * along.start + start, slope * along.stop + start))
    values: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    for step in _steps((ends[1] - ends[0]) / MOST_TICKS):
        if kind.whole and step % 1:
            continue
        found = _multiples(step, ends)
        if not found and values:  # none of a coarser step: one of the finer one
            values, labels = values[:1], labels[:1]
            break
        decimals = next(places for places in range(16) if math.isclose(round(step, places), step))
        values, labels = found, tuple(kind.text(value, decimals) for value in found)
        if labels and (len(labels) == 1 or written.fit(labels, step / abs(slope))):
            break
    return Side(kind.label, tuple((value - start) / slope for value in values), labels)


def _steps(least: float) -> Iterator[float]:
    """Yield 1, 2, 2.5 and 5 of powers of ten, those not below a number, the finest first."""
    power = math.floor(math.log10(least))
    for exponent in range(power, power + 5):
        for digit in (1, 2, 2.5, 5):
            step = float(f"{digit}e{exponent}")
            if step >= least * (1 - 1e-9):
                yield step


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
