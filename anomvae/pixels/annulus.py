"""Sums over square windows of arrays of integers, exact, at a cost that no side changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .views import Mask

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST = 0.25
"""Share of a ring that must have data for its statistics to count."""

LARGEST = 64.0  # training spreads beyond which a value is cut off
STEP = 2.0**-16  # what averaged values are rounded to: their squares then fit 44 bits


def in_steps(values: NDArray[np.float64], known: NDArray[np.bool_]) -> Integers:
    """Round values to integers, in steps of 2^-16; what is not known adds nothing."""
    finite = np.clip(np.where(known, values, 0.0), -LARGEST, LARGEST)
    return np.rint(finite / STEP).astype(np.int64)


def box_sums(values: Integers, side: int) -> Integers:
    """Sum over a square of odd ``side`` around every pixel, axes (..., row, col); outside is 0.

    Sums may wrap; differences of them undo it.
    """
    for axis in (-2, -1):
        values = _runs(values, side // 2, axis)
    return values


def _runs(values: Integers, half: int, axis: int) -> Integers:
    """Sum over 2 half + 1 neighbours along an axis, by running sums."""
    length = values.shape[axis]
    before = np.zeros_like(np.take(values, [0], axis=axis))
    running = np.concatenate([before, np.cumsum(values, axis=axis)], axis=axis)
    places = np.arange(length)
    ends = np.minimum(places + half + 1, length)
    starts = np.maximum(places - half, 0)
    return np.asarray(np.take(running, ends, axis=axis) - np.take(running, starts, axis=axis))


@dataclass(frozen=True)
class Annulus:
    """A square window without its middle."""

    outer: int
    """Side of the window, pixels, odd."""
    guard: int
    """Side of the middle that is left out, pixels, odd."""

    @property
    def radius(self) -> int:
        """How far it looks sideways, pixels."""
        return self.outer // 2

    @property
    def pixels(self) -> int:
        """Pixels it holds, inside a scene."""
        return self.outer**2 - self.guard**2

    def sums(self, values: Integers) -> Integers:
        """Sum integers (..., row, col) over the ring of every pixel; exact, and outside is 0."""
        return box_sums(values, self.outer) - box_sums(values, self.guard)

    def means(self, values: Floats, known: Mask) -> tuple[Floats, Mask]:
        """Average numbers (..., row, col) that are ``known``, in steps of 2^-16.

        Returns
        -------
        means : array, shape (..., row, col)
            NaN where nothing in the ring is known.
        seen : array of bool, the same shape
            Whether enough of the ring is known for its mean to count.
        """
        count = self.sums(known.astype(np.int64))
        return self.mean(in_steps(values, known), count) * STEP, self.enough(count)

    def enough(self, count: Integers) -> Mask:
        """Tell where a ring with ``count`` known pixels counts."""
        return np.asarray(count >= LEAST * self.pixels)

    def mean(self, values: Integers, count: Integers) -> Floats:
        """Average integers over the annulus of every pixel, of which ``count`` are known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sums(values) / count)
