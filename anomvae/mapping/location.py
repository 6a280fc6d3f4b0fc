"""Where a map lies on Earth, as its pictures show it: scale, north, and corners."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..pixels.tiling import Window, whole
from ..raster import Georeference, Ground, ground_of, to_degrees
from ..words import angle

DEGREE = 111_320.0
"""Length of a degree at the equator, m."""
UNITS = ((1000.0, "km"), (1.0, "m"), (0.01, "cm"), (0.001, "mm"))


@dataclass(frozen=True)
class Location:
    """Where a part of a map lies."""

    ground: Ground
    """Pixels and north in its middle."""
    corners: tuple[str, str]
    """Latitude and longitude of the upper left and of the lower right corner."""

    @classmethod
    def of(cls, georeference: Georeference, window: Window | None = None) -> Location | None:
        """Measure a part of a map, by default the whole; None where it is not on Earth."""
        rows, cols = whole(georeference.grid.shape) if window is None else window
        middle = (cols.start + cols.stop) / 2, (rows.start + rows.stop) / 2
        ground = ground_of(georeference, middle)
        if ground is None:
            return None
        ends = np.array([(cols.start, rows.start), (cols.stop, rows.stop)], np.float64)
        corners = to_degrees(georeference, ends).tolist()
        first, last = (place_text(lon, lat, ground.col) for lon, lat in corners)
        return cls(ground, (first, last))


@dataclass(frozen=True)
class ScaleBar:
    """A length that a picture shows.

    Examples
    --------
    >>> ScaleBar.fitting(730.0)
    ScaleBar(length=500.0, label='500 m')
    """

    length: float
    """m."""
    label: str
    """The length with its unit."""

    @classmethod
    def fitting(cls, longest: float) -> ScaleBar:
        """Choose 1, 2 or 5 of a power of 10 of metres, at most a length."""
        power = math.floor(math.log10(longest))
        rounded = [float(f"{digit}e{power}") for digit in (1, 2, 5)]
        length = max((each for each in rounded if each <= longest), default=rounded[0])
        size, unit = next((pair for pair in UNITS if length >= pair[0]), UNITS[-1])
        return cls(length, f"{length / size:g} {unit}")


def place_text(longitude: float, latitude: float, pixel: float) -> str:
    """Write a place with as many digits as a pixel, m, needs; empty where it is not defined.

    Examples
    --------
    >>> place_text(-117.21034, 32.7, 10.0)
    '32.7000° N, 117.2103° W'
    """
    if not (math.isfinite(longitude) and math.isfinite(latitude)):
        return ""
    decimals = decimals_of(2 * pixel / DEGREE)
    longitude = (longitude + 180) % 360 - 180
    return f"{angle(latitude, 'NS', decimals)}, {angle(longitude, 'EW', decimals)}"


def decimals_of(step: float) -> int:
    """Return how many decimals differ for numbers that lie a step apart, at most 8."""
    return min(8, max(0, math.ceil(-math.log10(step) - 1e-9)))
