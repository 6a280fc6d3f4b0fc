"""The pixels of one object, found again from a map of flags; axes are (row, col).

A window around the peak grows towards the sides that the object reaches, until it holds the object
whole.  So memory and time follow the size of the object, not that of the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window, shape_of, tile_at

Flags = NDArray[np.bool_]

NEAR = 16
"""Pixels on each side of the peak that are searched first."""
MOST_PIXELS = 2**20
"""Pixels of the largest window that is searched."""


@dataclass(frozen=True, eq=False)
class Membership:
    """The pixels of an object."""

    window: Window
    """The rows and columns of the scene that they lie in."""
    mask: Flags
    """Which pixels of the window they are."""
    whole: bool = True
    """False: the object is so large that these are only its pixels around the peak."""

    @property
    def area_px(self) -> int:
        """The number of pixels."""
        return int(np.count_nonzero(self.mask))


def pixels_of(
    flagged: Callable[[Window], Flags],
    peak: tuple[int, int],
    shape: tuple[int, int],
    most: int = MOST_PIXELS,
) -> Membership:
    """Find the pixels of the object at a peak.

    Parameters
    ----------
    flagged : callable
        Reads which pixels of a window are anomalous.
    peak : tuple of int
        Row and column of a pixel of the object, which is anomalous.
    shape : tuple of int
        Rows and columns of the scene.
    most : int, optional
        Pixels of the largest window that is searched.  Of an object that reaches beyond, those
        pixels are found that are connected to the peak inside the window.
    """
    at = slice(peak[0], peak[0] + 1), slice(peak[1], peak[1] + 1)
    window = tile_at(at, shape, NEAR).read
    while True:
        mask = _component(flagged(window), peak[0] - window[0].start, peak[1] - window[1].start)
        box = _box(mask)
        wider = _wider(window, box, shape)
        if wider == window or np.prod(shape_of(wider)) > most:
            rows, cols = (
                slice(outer.start + part.start, outer.start + part.stop)
                for outer, part in zip(window, box, strict=True)
            )
            return Membership((rows, cols), mask[box], whole=wider == window)
        window = wider


def _component(flags: Flags, row: int, col: int) -> Flags:
    """Return the 8-connected pixels that hold a pixel."""
    from scipy.ndimage import label

    labels, _ = label(flags, np.ones((3, 3)))
    return np.asarray(labels == labels[row, col])


def _box(mask: Flags) -> Window:
    """Return the smallest window that holds all pixels of a mask, of which there is one."""
    rows, cols = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _wider(window: Window, box: Window, shape: tuple[int, int]) -> Window:
    """Extend a window by its own length at each side that a box reaches, but not past the scene."""
    rows, cols = (
        slice(
            part.start if inner.start else max(0, part.start - (part.stop - part.start)),
            part.stop
            if inner.stop < part.stop - part.start
            else min(side, part.stop + (part.stop - part.start)),
        )
        for part, inner, side in zip(window, box, shape, strict=True)
    )
    return rows, cols
