"""Sums over square windows of arrays of integers, exact, at a cost that no side changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

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
