"""The pixels around objects: which object is nearest, by the larger of rows and columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEAREST, FARTHEST = 2, 5
"""Pixels from an object at which its annulus begins and ends: those beside it mix with it."""

Numbers = NDArray[np.int32]


def annulus_of(objects: Numbers) -> Numbers:
    """Return the object in whose annulus each pixel lies, (row, col); 0 = none.

    Parameters
    ----------
    objects : array of int32, axes (row, col)
        The number of the object of each pixel, from 1; 0 = none.  A pixel as near to several
        objects belongs to the one of the lowest number.
    """
    nearest = np.pad(objects, 1, constant_values=-1)
    width, annulus = nearest.shape[1], np.zeros_like(nearest)
    steps = np.array([-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1])
    flat, front = nearest.reshape(-1), np.flatnonzero(nearest > 0)
    most = int(nearest.max()) + 1
    for distance in range(1, FARTHEST + 1):
        place, number = (front[:, np.newaxis] + steps).ravel(), np.repeat(flat[front], len(steps))
        free = flat[place] == 0
        pairs = np.sort(place[free] * most + number[free])  # of one place, the lowest number first
        place, number = np.divmod(pairs, most)
        first = np.diff(place, prepend=-1) > 0
        front = place[first]
        flat[front] = number[first]
        if distance >= NEAREST:
            annulus.reshape(-1)[front] = flat[front]
    return annulus[1:-1, 1:-1]
