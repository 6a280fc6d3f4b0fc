"""Annuli around pixels: a square window without the square guard window in its middle.

Values are summed as integers, exactly, by running sums, whose time does not depend on the side:
by the compiled kernel if there is one (`anomvae.native`), else by numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import native
from .views import Mask

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST = 0.25
"""Share of an annulus that needs data for its standard deviation to count."""
LARGEST = 64.0  # training standard deviations at which a value is clipped
STEP = 2.0**-16  # rounding of averaged values: their squares then fit 44 bits


@dataclass(frozen=True)
class Annulus:
    """A square window without its middle."""

    outer: int
    """Side of the window, pixels, odd."""
    guard: int
    """Side of the guard window, pixels, odd."""

    @property
    def radius(self) -> int:
        """Receptive radius, pixels."""
        return self.outer // 2

    @property
    def pixels(self) -> int:
        """Pixels of an annulus that lies inside the scene."""
        return self.outer**2 - self.guard**2

    def sums(self, values: Integers) -> Integers:
        """Sum integers (..., row, col) over the annulus of each pixel; exact, 0 outside."""
        sums = native.annulus_sums if native.library() else annulus_sums
        return sums(values, self.outer, self.guard)

    def means(self, values: Floats, valid: Mask) -> Floats:
        """Average ``valid`` values (..., row, col), rounded to steps of 2^-16; NaN over nothing."""
        count = self.sums(valid.astype(np.int64))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sums(in_steps(values, valid)) / count * STEP)

    def around(self, values: Floats, valid: Mask) -> Iterator[tuple[int, int, Floats]]:
        """Yield row and column of each ``valid`` pixel, and the valid pixels of its annulus.

        ``values`` have axes (row, col, value), those yielded (n, value), row by row: what an
        annulus holds does not depend on how much lies around it.
        """
        half, guard = self.radius, self.guard // 2
        for row, col in np.argwhere(valid).tolist():
            top, left = max(row - half, 0), max(col - half, 0)
            window = slice(top, row + half + 1), slice(left, col + half + 1)
            chosen = valid[window].copy()
            chosen[
                max(row - guard - top, 0) : row - top + guard + 1,
                max(col - guard - left, 0) : col - left + guard + 1,
            ] = False
            yield row, col, values[window][chosen]

    def enough(self, count: Integers) -> Mask:
        """Return where an annulus with ``count`` valid pixels counts."""
        return np.asarray(count >= LEAST * self.pixels)


def in_steps(values: Floats, valid: Mask) -> Integers:
    """Round values to integers, in steps of 2^-16; 0 where they are not valid."""
    if native.library():
        return native.in_steps(values, valid, LARGEST, STEP)
    return rounded(values, valid)


def rounded(values: Floats, valid: Mask) -> Integers:
    """Round values by numpy, as `in_steps` does."""
    finite = np.clip(np.where(valid, values, 0.0), -LARGEST, LARGEST)
    return np.rint(finite / STEP).astype(np.int64)


def annulus_sums(values: Integers, outer: int, guard: int) -> Integers:
    """Sum by numpy, as `anomvae.native.annulus_sums` does, see there."""
    return _box_sums(values, outer) - _box_sums(values, guard)


def _box_sums(values: Integers, side: int) -> Integers:
    """Sum over a square of odd ``side`` around each pixel; sums may wrap around."""
    for axis in (-2, -1):
        values = _run_sums(values, side // 2, axis)
    return values


def _run_sums(values: Integers, half: int, axis: int) -> Integers:
    """Sum over 2 half + 1 neighbours along an axis, by running sums."""
    length = values.shape[axis]
    before = np.zeros_like(np.take(values, [0], axis=axis))
    running = np.concatenate([before, np.cumsum(values, axis=axis)], axis=axis)
    positions = np.arange(length)
    ends = np.minimum(positions + half + 1, length)
    starts = np.maximum(positions - half, 0)
    return np.asarray(np.take(running, ends, axis=axis) - np.take(running, starts, axis=axis))
