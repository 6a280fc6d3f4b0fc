"""The ground at a place of a raster: how long its pixels are there, and where north is.

Lengths are measured on the ellipsoid of WGS 84, whatever the coordinate reference system, its
units and its distortion; north is that of the meridian, not that of the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .earth import ECCENTRICITY, SEMI_MAJOR, on_earth, to_degrees
from .georeference import Georeference

POLE = 89.99
"""Latitudes from here on have no useful north, degrees."""

Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """The ground around a place of a raster.

    Examples
    --------
    >>> ground = Ground(10.0, 20.0, (0.0, -0.05))
    >>> ground.aspect, ground.bearing_of_north(ground.aspect)
    (2.0, 0.0)
    """

    col: float
    """Length of a step to the next column, m."""
    row: float
    """Length of a step to the next row, m."""
    north: tuple[float, float] | None
    """Columns and rows of a step of one metre towards true north; None at a pole."""

    @property
    def aspect(self) -> float:
        """How many times as high as wide a pixel is on the ground."""
        return self.row / self.col

    def bearing_of_north(self, aspect: float) -> float | None:
        """Return where north is in a picture: degrees clockwise from up; None at a pole.

        ``aspect``: how many times as high as wide a pixel is drawn.
        """
        if self.north is None:
            return None
        right, down = self.north[0], self.north[1] * aspect
        return math.degrees(math.atan2(right, -down)) + 0.0  # not -0


def ground_of(georeference: Georeference, at: tuple[float, float] | None = None) -> Ground | None:
    """Measure the ground at a place (col, row) of a raster, by default in its middle.

    None where the raster is not located on Earth, or its system is not defined there.
    """
    if not on_earth(georeference):
        return None
    rows, cols = georeference.grid.shape
    col, row = (cols / 2, rows / 2) if at is None else at
    half = max(0.5, min(rows, cols) / 200)
    steps = ((0, 0), (half, 0), (-half, 0), (0, half), (0, -half))
    degrees = to_degrees(georeference, np.array([(col + x, row + y) for x, y in steps]))
    if not np.isfinite(degrees).all():
        return None
    _, right, left, below, above = _positions(degrees)
    across, down = (right - left) / (2 * half), (below - above) / (2 * half)
    lengths = float(np.linalg.norm(across)), float(np.linalg.norm(down))
    if min(lengths) <= 0:
        return None
    return Ground(*lengths, _north(degrees[0], across, down))


def _north(at: Vectors, across: Vectors, down: Vectors) -> tuple[float, float] | None:
    """Return columns and rows of a metre towards north at a longitude and latitude."""
    longitude, latitude = np.radians(at)
    if abs(at[1]) >= POLE:
        return None
    sine = -math.sin(latitude)
    north = np.array(
        [sine * math.cos(longitude), sine * math.sin(longitude), math.cos(latitude)], np.float64
    )
    columns, rows = np.linalg.lstsq(np.stack([across, down], axis=1), north, rcond=None)[0]
    return float(columns), float(rows)


def _positions(degrees: Vectors) -> Vectors:
    """Convert longitudes and latitudes into positions around the centre of the Earth, m."""
    longitude, latitude = np.radians(degrees).T
    across = SEMI_MAJOR / np.sqrt(1 - (ECCENTRICITY * np.sin(latitude)) ** 2)
    return np.stack(
        [
            across * np.cos(latitude) * np.cos(longitude),
            across * np.cos(latitude) * np.sin(longitude),
            across * (1 - ECCENTRICITY**2) * np.sin(latitude),
        ],
        axis=1,
    )
