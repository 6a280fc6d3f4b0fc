"""Outlines of parts along the sides of pixels, as linear rings through the corners.

A corner is a turn of an outline at the meeting point (row, col) of four pixels, (0, 0) being the
scene's top left.  It depends on these four pixels alone, and belongs to one part: where two pixels
touch only there, each has its own corner.  A side joins each corner to a neighbour of its part
along the row, and another side to one along the column; a ring leaves by the side that has the part
on its right, as seen on a screen.  Following these sides gives the rings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .runs import label
from .strips import Flags, Strip

CORNER = np.dtype(
    [
        ("part", np.int32),
        ("row", np.int32),
        ("col", np.int32),
        ("right", np.bool_),  # its side along the row leads right, not left
        ("down", np.bool_),  # its side along the column leads down, not up
        ("across", np.bool_),  # the ring leaves it along the row
    ]
)
Corners = NDArray[np.void]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Rings:
    """Linear rings that do not touch themselves, object by object.

    The parts of an object, each an outline and its holes, are in reading order of first pixels.
    """

    points: NDArray[np.float64]
    """Points of all rings, the first of a ring not repeated; axes (point, coordinate): col, row."""
    starts: Numbers
    """Index of the first point of each ring."""
    objects: Numbers
    """The object of each ring."""
    holes: NDArray[np.bool_]

    @property
    def stops(self) -> Numbers:
        """Index after the last point of each ring."""
        return np.append(self.starts[1:], len(self.points))

    @property
    def first(self) -> Numbers:
        """The first ring of each object."""
        return np.flatnonzero(np.diff(self.objects, prepend=-1))


def corners_of(strip: Strip, labels: Numbers) -> Corners:
    """Find the corners of a strip's pixels; ``labels`` holds the part of each pixel."""
    padded = np.pad(strip.flagged, ((0, 0), (1, 1)))
    width = padded.shape[1]
    at = np.flatnonzero(padded[1:-1]) + width
    rows, cols = np.divmod(at, width)
    pixels = _Pixels(
        padded.ravel(), width, at, labels[rows - 1, cols - 1], rows - 1 + strip.top, cols - 1
    )
    return np.concatenate([_corners_towards(pixels, *way) for way in product((-1, 1), repeat=2)])


class _Pixels(NamedTuple):
    """The flagged pixels of a strip."""

    flags: NDArray[np.bool_]
    """All pixels, row by row, with a frame around them."""
    width: int
    """Columns of these."""
    at: Numbers
    """Which of these are the flagged pixels."""
    parts: Numbers
    rows: Numbers
    cols: Numbers


def _corners_towards(pixels: _Pixels, down: int, right: int) -> Corners:
    """Find the outline's corners at one of the four corners of each pixel; -1 = up, left."""
    vertical = pixels.flags[pixels.at + down * pixels.width]
    horizontal = pixels.flags[pixels.at + right]
    diagonal = pixels.flags[pixels.at + down * pixels.width + right]
    inward = vertical & horizontal & ~diagonal
    chosen = np.flatnonzero(inward | ~(vertical | horizontal))
    turns_in = inward[chosen]
    corners = np.empty(len(chosen), CORNER)
    corners["part"] = pixels.parts[chosen]
    corners["row"] = pixels.rows[chosen] + (down > 0)
    corners["col"] = pixels.cols[chosen] + (right > 0)
    # Sides of an outward corner lead back along its pixel, of an inward one along the empty pixel.
    corners["right"] = (right > 0) == turns_in
    corners["down"] = (down > 0) == turns_in
    corners["across"] = (corners["right"] == corners["down"]) != turns_in
    return corners


def rings_of(corners: Corners, objects: Numbers) -> Rings:
    """Follow the corners of whole parts; ``objects`` holds the object of each part."""
    corners = corners[_along_rows(corners)]
    width = int(corners["col"].max(initial=0)) + 1
    number = corners["row"].astype(np.int64) * width + corners["col"]
    order, sizes = _loops(_following(corners), number)
    starts = np.cumsum(sizes) - sizes
    points = np.stack([corners["col"], corners["row"]], axis=1)[order].astype(np.float64)
    holes = signed_areas(points, starts) < 0  # rows grow downwards
    parts, begins = corners["part"][order[starts]], number[order[starts]]
    of_part = np.empty(len(objects), np.int64)
    of_part[parts[~holes]] = begins[~holes]
    sort = np.lexsort((begins, holes, of_part[parts], objects[parts]))
    return Rings(
        points[_runs(starts[sort], sizes[sort])],
        np.cumsum(sizes[sort]) - sizes[sort],
        objects[parts][sort],
        holes[sort],
    )


def rings_of_mask(mask: Flags) -> Rings:
    """Return the outlines of the pixels of a mask, axes (row, col), as those of one object.

    Examples
    --------
    >>> rings_of_mask(np.array([[True, True]])).points.tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
    """
    parts, count = label(mask, corners=False)
    strip = Strip(0, np.pad(mask, ((1, 1), (0, 0))), np.empty(mask.shape, np.float32))
    return rings_of(corners_of(strip, parts.astype(np.int64) - 1), np.zeros(count, np.int64))


def signed_areas(points: NDArray[np.float64], starts: Numbers) -> NDArray[np.float64]:
    """Return the area in each ring: > 0 if counter-clockwise where y points up."""
    if not len(starts):
        return np.empty(0)
    sizes = np.diff(starts, append=len(points))
    here = points - np.repeat(points[starts], sizes, axis=0)
    following = np.arange(1, len(points) + 1)
    following[starts + sizes - 1] = starts
    there = here[following]
    crossed = here[:, 0] * there[:, 1] - there[:, 0] * here[:, 1]
    return np.asarray(np.add.reduceat(crossed, starts) / 2)


def _runs(starts: Numbers, sizes: Numbers) -> Numbers:
    """Return the ranges ``start ... start + size - 1``, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(starts - ends + sizes, sizes)


def _along_rows(corners: Corners) -> Numbers:
    """Sort corners so that every pair (2k, 2k + 1) is joined by a side along a row."""
    # At one point the side that ends there comes before the one that begins.
    return np.lexsort((corners["right"], corners["col"], corners["row"], corners["part"]))


def _following(corners: Corners) -> Numbers:
    """Return the corner that follows each in its ring; corners are sorted along rows."""
    along_rows = np.arange(len(corners)) ^ 1
    order = np.lexsort((corners["down"], corners["row"], corners["col"], corners["part"]))
    along_cols = np.empty_like(along_rows)
    along_cols[order] = order[along_rows]
    return np.where(corners["across"], along_rows, along_cols)


def _loops(following: Numbers, points: Numbers) -> tuple[Numbers, Numbers]:
    """Return the corners of all rings, one after the other, and how many each has.

    A ring begins at its first corner in reading order.
    """
    order, sizes = _cycles(following)
    ring = np.repeat(np.arange(len(sizes)), sizes)
    sort = np.lexsort((points[order], ring))
    again = (np.diff(points[order][sort]) == 0) & (np.diff(ring[sort]) == 0)
    meets = np.zeros(len(sizes), np.bool_)
    meets[ring[sort][1:][again]] = True
    cycles, numbers = np.split(order[meets[ring]], np.cumsum(sizes[meets])[:-1]), points.tolist()
    cut = [loop for cycle in cycles if len(cycle) for loop in _simple(cycle.tolist(), numbers)]
    return (
        np.append(order[~meets[ring]], np.fromiter(chain.from_iterable(cut), np.int64)),
        np.append(sizes[~meets], np.array([len(loop) for loop in cut], np.int64)),
    )


def _cycles(following: Numbers) -> tuple[Numbers, Numbers]:
    """Return the numbers of each cycle of a permutation, the least first, and how many it has.

    Steps double until they are longer than the longest cycle (Wyllie 1979).
    """
    least, there = np.arange(len(following)), following
    while (least[there] != least).any():
        least, there = np.minimum(least, least[there]), there[there]
    ends = least == np.arange(len(following))
    left, there = np.where(ends, 0, 1), np.where(ends, np.arange(len(following)), following)
    while left[there].any():
        left, there = left + left[there], there[there]
    sizes = np.bincount(least, minlength=len(following))
    order = np.lexsort(((sizes[least] - left) % sizes[least], least))
    return order, sizes[ends]


def _simple(cycle: list[int], points: list[int]) -> Iterator[list[int]]:
    """Cut a ring where it meets itself: GeoJSON wants a hole that touches the outline instead."""
    path: list[int] = []
    position: dict[int, int] = {}  # of each point in the path
    for corner in cycle:
        point = points[corner]
        if point in position:
            loop = path[position[point] :]
            del path[position[point] :]
            for closed in loop:
                del position[points[closed]]
            yield _from_first(loop, points)
        position[point] = len(path)
        path.append(corner)
    yield _from_first(path, points)


def _from_first(loop: list[int], points: list[int]) -> list[int]:
    """Rotate a loop to begin at its first point in reading order."""
    first = min(range(len(loop)), key=lambda index: points[loop[index]])
    return loop[first:] + loop[:first]
