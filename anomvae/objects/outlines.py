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

import numpy as np
from numpy.typing import NDArray

from .strips import Strip

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
    ways = product((-1, 1), repeat=2)
    return np.concatenate([_corners_towards(padded, labels, strip.top, *way) for way in ways])


def _corners_towards(
    flagged: NDArray[np.bool_], labels: Numbers, top: int, down: int, right: int
) -> Corners:
    """Find the outline's corners at one of the four corners of each pixel; -1 = up, left."""
    inner = flagged[1:-1, 1:-1]
    vertical = _neighbours(flagged, down, 0)
    horizontal = _neighbours(flagged, 0, right)
    outward = inner & ~vertical & ~horizontal
    inward = inner & vertical & horizontal & ~_neighbours(flagged, down, right)
    rows, cols = np.nonzero(outward | inward)
    turns_in = inward[rows, cols]
    corners = np.empty(len(rows), CORNER)
    corners["part"] = labels[rows, cols]
    corners["row"] = rows + top + (down > 0)
    corners["col"] = cols + (right > 0)
    # Sides of an outward corner lead back along its pixel, of an inward one along the empty pixel.
    corners["right"] = (right > 0) == turns_in
    corners["down"] = (down > 0) == turns_in
    corners["across"] = (corners["right"] == corners["down"]) != turns_in
    return corners


def _neighbours(flagged: NDArray[np.bool_], down: int, right: int) -> NDArray[np.bool_]:
    rows, cols = flagged.shape
    return flagged[1 + down : rows - 1 + down, 1 + right : cols - 1 + right]


def rings_of(corners: Corners, objects: Numbers) -> Rings:
    """Follow the corners of whole parts; ``objects`` holds the object of each part."""
    corners = corners[_along_rows(corners)]
    width = int(corners["col"].max(initial=0)) + 1
    number = corners["row"].astype(np.int64) * width + corners["col"]
    cycles, point_numbers = _cycles(_following(corners).tolist()), number.tolist()
    loops = [loop for cycle in cycles for loop in _simple(cycle, point_numbers)]
    order = np.fromiter(chain.from_iterable(loops), np.int64)
    sizes = np.array([len(loop) for loop in loops], np.int64)
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


def _cycles(following: list[int]) -> Iterator[list[int]]:
    """Yield all rings as corners, each from its first corner in reading order."""
    unvisited = bytearray(b"\1") * len(following)
    for start in range(len(following)):
        cycle = []
        corner = start
        while unvisited[corner]:
            unvisited[corner] = 0
            cycle.append(corner)
            corner = following[corner]
        if cycle:
            yield cycle


def _simple(cycle: list[int], points: list[int]) -> Iterator[list[int]]:
    """Cut a ring where it meets itself: GeoJSON wants a hole that touches the outline instead."""
    if len({points[corner] for corner in cycle}) == len(cycle):
        yield cycle
        return
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
