"""Outlines of parts: along the sides of pixels, through corners where they turn.

A corner is a turn of an outline at the meeting point (row, col) of four pixels, (0, 0) being the
scene's top left.  It is found from these four alone, and always belongs to one part: where two
pixels touch only there, each has a corner of its own.  Every corner is joined by a side to a
neighbour of its part on its line of rows, and to one on its line of columns; which side leaves it
is chosen so that the part lies on the right, as seen on a screen.  Following them makes rings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .strips import Strip

CORNER = np.dtype(
    [
        ("part", np.int32),
        ("row", np.int32),
        ("col", np.int32),
        ("right", np.bool_),  # its side along the line of rows leads right, not left
        ("down", np.bool_),  # its side along the line of columns leads down, not up
        ("across", np.bool_),  # the ring leaves it along the line of rows
    ]
)
Corners = NDArray[np.void]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Rings:
    """Closed lines that touch themselves nowhere; of an object after the other.

    An object's parts come in reading order of their first pixels, each as an outline and its holes.
    """

    places: NDArray[np.float64]
    """Points of all rings, the first of a ring not repeated; axes (point, coordinate): col, row."""
    starts: Numbers
    """Where each ring begins."""
    objects: Numbers
    """The object of each ring."""
    holes: NDArray[np.bool_]
    """Whether each ring is a hole."""

    @property
    def stops(self) -> Numbers:
        """Where each ring ends."""
        return np.append(self.starts[1:], len(self.places))

    @property
    def first(self) -> Numbers:
        """The first ring of each object."""
        return np.flatnonzero(np.diff(self.objects, prepend=-1))


def corners_of(strip: Strip, labels: Numbers) -> Corners:
    """Find the corners that a strip's pixels have; ``labels`` tells the part of each."""
    around = np.pad(strip.flagged, ((0, 0), (1, 1)))
    found = [_facing(around, labels, strip.top, *way) for way in product((-1, 1), repeat=2)]
    return np.concatenate(found)


def _facing(
    flagged: NDArray[np.bool_], labels: Numbers, top: int, down: int, right: int
) -> Corners:
    """Find the corners at one of the four corners of each pixel."""
    inner = flagged[1:-1, 1:-1]
    above = _moved(flagged, down, 0)
    beside = _moved(flagged, 0, right)
    outward = inner & ~above & ~beside
    inward = inner & above & beside & ~_moved(flagged, down, right)
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


def _moved(flagged: NDArray[np.bool_], down: int, right: int) -> NDArray[np.bool_]:
    """Look at the neighbours of the inner pixels in one direction."""
    rows, cols = flagged.shape
    return flagged[1 + down : rows - 1 + down, 1 + right : cols - 1 + right]


def rings_of(corners: Corners, objects: Numbers) -> Rings:
    """Run through the corners of whole parts; ``objects`` tells the object of each part."""
    corners = corners[_along_rows(corners)]
    width = int(corners["col"].max(initial=0)) + 1
    number = corners["row"].astype(np.int64) * width + corners["col"]
    points, following = number.tolist(), _following(corners).tolist()
    loops = [loop for cycle in _cycles(following) for loop in _simple(cycle, points)]
    order = np.array([georeferencer for loop in loops for georeferencer in loop], np.int64)
    sizes = np.array([len(loop) for loop in loops], np.int64)
    starts = np.cumsum(sizes) - sizes
    places = np.stack([corners["col"], corners["row"]], axis=1)[order].astype(np.float64)
    holes = signed_areas(places, starts) < 0  # rows grow downwards
    parts, begins = corners["part"][order[starts]], number[order[starts]]
    of_part = np.empty(len(objects), np.int64)
    of_part[parts[~holes]] = begins[~holes]
    sort = np.lexsort((begins, holes, of_part[parts], objects[parts]))
    return Rings(
        places[_runs(starts[sort], sizes[sort])],
        np.cumsum(sizes[sort]) - sizes[sort],
        objects[parts][sort],
        holes[sort],
    )


def signed_areas(places: NDArray[np.float64], starts: Numbers) -> NDArray[np.float64]:
    """Measure what rings of points enclose: > 0 if counter-clockwise about upward coordinates."""
    if not len(starts):
        return np.empty(0)
    sizes = np.diff(starts, append=len(places))
    here = places - np.repeat(places[starts], sizes, axis=0)
    following = np.arange(1, len(places) + 1)
    following[starts + sizes - 1] = starts
    there = here[following]
    crossed = here[:, 0] * there[:, 1] - there[:, 0] * here[:, 1]
    return np.asarray(np.add.reduceat(crossed, starts) / 2)


def _runs(starts: Numbers, sizes: Numbers) -> Numbers:
    """List the numbers from each start on, as many as its size says."""
    ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(starts - ends + sizes, sizes)


def _along_rows(corners: Corners) -> Numbers:
    """Order corners so that each two that follow each other are joined along a line of rows."""
    # At one point the side that ends there comes before the one that begins.
    return np.lexsort((corners["right"], corners["col"], corners["row"], corners["part"]))


def _following(corners: Corners) -> Numbers:
    """Tell which corner follows each in its ring; they come ordered along rows."""
    along_rows = np.arange(len(corners)) ^ 1
    order = np.lexsort((corners["down"], corners["row"], corners["col"], corners["part"]))
    along_cols = np.empty_like(along_rows)
    along_cols[order] = order[along_rows]
    return np.where(corners["across"], along_rows, along_cols)


def _cycles(following: list[int]) -> Iterator[list[int]]:
    """Run through all rings, each from its first corner in reading order."""
    fresh = bytearray(b"\1") * len(following)
    for start in range(len(following)):
        cycle = []
        georeferencer = start
        while fresh[georeferencer]:
            fresh[georeferencer] = 0
            cycle.append(georeferencer)
            georeferencer = following[georeferencer]
        if cycle:
            yield cycle


def _simple(cycle: list[int], number: list[int]) -> Iterator[list[int]]:
    """Cut a ring where it meets itself: GeoJSON wants a hole that touches the outline instead."""
    if len({number[georeferencer] for georeferencer in cycle}) == len(cycle):
        yield cycle
        return
    open_: list[int] = []
    met: dict[int, int] = {}
    for georeferencer in cycle:
        point = number[georeferencer]
        if point in met:
            loop = open_[met[point] :]
            del open_[met[point] :]
            for passed in loop:
                del met[number[passed]]
            yield _from_first(loop, number)
        met[point] = len(open_)
        open_.append(georeferencer)
    yield _from_first(open_, number)


def _from_first(loop: list[int], number: list[int]) -> list[int]:
    """Begin a loop at its first point in reading order."""
    first = min(range(len(loop)), key=lambda georeferencer: number[loop[georeferencer]])
    return loop[first:] + loop[:first]
