"""The pixels of one object, found again from a map of flags; axes are (row, col).

A window around the peak grows towards the sides that the object reaches, until it holds the object
whole.  So memory and time follow the size of the object, not that of the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window, shape_of, tile_at, tiles
from .runs import label

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

NEAR = 16
"""Pixels on each side of the peak that are searched first."""
MOST_PIXELS = 2**20
"""Pixels of the largest window that is searched."""

SMALL = 128
"""Most pixels of an object that is found together with others: `pixels_of` finds it whole, too."""
TOGETHER = (512, 2048)
"""Rows and columns that are searched for small objects at a time."""


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


def pixels_of_small(
    flagged: Callable[[Window], Flags], peaks: Numbers, shape: tuple[int, int]
) -> tuple[Numbers, Numbers]:
    """Find the pixels of small objects, many at a time: faster than `pixels_of` for each.

    Parameters
    ----------
    flagged : callable
        Reads which pixels of a window are anomalous.
    peaks : array of int64, axes (object, coordinate)
        Row and column of a pixel of each object.
    shape : tuple of int
        Rows and columns of the scene.

    Returns
    -------
    places, owners : arrays of int64, axes (pixel,)
        Number of each pixel in the scene, and its object, from 0.  Objects of more than `SMALL`
        pixels, and those at a seam of the windows that are searched, have none.
    """
    places, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for tile in tiles(shape, TOGETHER):
        start, stop = ([getattr(part, end) for part in tile.keep] for end in ("start", "stop"))
        found = np.flatnonzero(((peaks >= start) & (peaks < stop)).all(axis=1))
        if not len(found):
            continue
        around = tile_at(tile.keep, shape, 1)
        labels, _ = label(flagged(around.read), corners=True)
        kept = labels[tuple((peaks[found] - [part.start for part in around.read]).T)]
        owner_of = np.full(labels.max() + 1, -1)
        owner_of[kept] = found
        rows, cols = np.nonzero(labels)
        owner_of[np.bincount(labels[rows, cols], minlength=len(owner_of)) > SMALL] = -1
        owner_of[_at_seams(labels, around.read, shape)] = -1
        owner = owner_of[labels[rows, cols]]
        rows, cols = rows + around.read[0].start, cols + around.read[1].start
        places.append((rows * shape[1] + cols)[owner >= 0])
        owners.append(owner[owner >= 0])
    return np.concatenate(places), np.concatenate(owners)


def _at_seams(labels: NDArray[np.int32], window: Window, shape: tuple[int, int]) -> Numbers:
    """Return the labels, 0 too, at those sides of a window that are not sides of the scene."""
    rows, cols = window
    sides = (
        (rows.start > 0, labels[0]),
        (rows.stop < shape[0], labels[-1]),
        (cols.start > 0, labels[:, 0]),
        (cols.stop < shape[1], labels[:, -1]),
    )
    return np.concatenate([np.zeros(1, np.int64), *(side for inner, side in sides if inner)])


def _component(flags: Flags, row: int, col: int) -> Flags:
    """Return the 8-connected pixels that hold a pixel."""
    labels, _ = label(flags, corners=True)
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
