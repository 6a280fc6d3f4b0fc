"""Find the connected anomalies of a scene in one pass over its strips.

Pixels that share a side make a part; parts that touch at a corner make an object (8-connectivity).
An object that reaches the last row of a strip stays open for the next strip; any other has ended.
Of an object only sums, extremes and the corners of its outline are kept, never its pixels.  All
sums are of whole numbers, so that they do not depend on the strips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .outlines import CORNER, Corners, Numbers, corners_of
from .runs import groups_of, label
from .strips import Strip

Table = NDArray[np.void]

FRACTION = 2.0**24
"""Fractions of a nat in which scores are summed."""

OBJECT = np.dtype(
    [
        ("area", np.int64),  # pixels
        ("row_sum", np.int64),  # sums over its pixels
        ("col_sum", np.int64),
        ("whole", np.float64),  # sum of the scores rounded down
        ("rest", np.float64),  # sum of the rest, in units of 1 / FRACTION
        ("first", np.int64),  # number of its first pixel in reading order
        ("peak", np.float32),  # the highest score
        ("peak_at", np.int64),  # number of the first pixel that has it
    ]
)
SUMS = ("area", "row_sum", "col_sum", "whole", "rest")


@dataclass(frozen=True)
class ObjectTable:
    """Some objects and their outlines."""

    objects: Table
    """A row for each, of the type `OBJECT`."""
    parts: Numbers
    """Row of the object of each part."""
    corners: Corners
    """Corners of the outlines of all parts."""

    def only(self, objects: NDArray[np.bool_]) -> ObjectTable:
        """Return some of the objects."""
        number = self.part_numbers(objects)
        corners = self.corners[number[self.corners["part"]] >= 0].copy()
        corners["part"] = number[corners["part"]]
        rows = np.cumsum(objects) - 1
        return ObjectTable(self.objects[objects], rows[self.parts[number >= 0]], corners)

    def part_numbers(self, objects: NDArray[np.bool_]) -> Numbers:
        """Return the number of each part among the parts of some objects; -1 = not among them."""
        parts = objects[self.parts]
        return np.where(parts, np.cumsum(parts) - 1, -1)


def connected(strips: Iterable[Strip], shape: tuple[int, int]) -> Iterator[ObjectTable]:
    """Find the 8-connected objects of a scene of ``shape`` (rows, cols), top to bottom.

    A table holds the objects that end in a strip, or in the row before it.
    """
    nothing = np.empty(0, np.int64)
    waiting = ObjectTable(np.empty(0, OBJECT), nothing, np.empty(0, CORNER))
    edge = np.full(shape[1], -1, np.int64)
    for strip in strips:
        both, edge = _joined(waiting, edge, strip, shape[1])
        if strip.top + len(strip.scores) == shape[0]:
            edge = np.full(shape[1], -1, np.int64)
        still_open = np.zeros(len(both.objects), np.bool_)
        still_open[both.parts[edge[edge >= 0]]] = True
        waiting = both.only(still_open)
        yield both.only(~still_open)
        edge = np.append(both.part_numbers(still_open), -1)[edge]


def _joined(
    waiting: ObjectTable, edge: Numbers, strip: Strip, width: int
) -> tuple[ObjectTable, Numbers]:
    """Join the open objects and a strip; also return the parts of its last row, -1 = none."""
    inner = strip.flagged[1:-1]
    numbered, count = label(inner, corners=False)
    known = len(waiting.parts)
    raw = np.where(inner, numbered + np.int32(known - 1), np.int32(-1))
    seam = np.vstack([edge.astype(np.int32), raw])
    sides, corners = touching(seam)
    # Parts of one object stay in one object.
    first = np.full(len(waiting.objects), -1)
    first[waiting.parts[::-1]] = np.arange(known)[::-1]
    same = np.stack([np.arange(known), first[waiting.parts]])
    parts = groups_of(known + count, sides)
    objects = groups_of(known + count, np.hstack([sides, corners, same]))
    of_part = np.empty(parts.max(initial=-1) + 1, np.int64)
    of_part[parts] = objects
    at = np.flatnonzero(inner)
    table = np.concatenate([waiting.objects, _pixels(strip, at, width)])
    group = np.concatenate([objects[first], objects[raw.ravel()[at]]])
    outline = np.concatenate([waiting.corners, corners_of(strip, raw)])
    outline["part"] = parts[outline["part"]]
    return ObjectTable(_merged(table, group), of_part, outline), np.append(parts, -1)[raw[-1]]


def touching(labels: Numbers) -> tuple[Numbers, Numbers]:
    """List the pairs of numbers that touch: vertically, and at a corner; -1 = no number."""
    framed = np.pad(labels, ((0, 1), (1, 1)), constant_values=-1)
    width, flat = framed.shape[1], framed.ravel()
    at = np.flatnonzero(flat >= 0)
    below, right, left = (_pairs(flat[at], flat[at + width + step]) for step in (0, 1, -1))
    return below, np.hstack([right, left])


def _pairs(one: Numbers, other: Numbers) -> Numbers:
    both = (other >= 0) & (one != other)
    return np.stack([one[both], other[both]])


def _pixels(strip: Strip, at: Numbers, width: int) -> Table:
    scores = strip.scores.ravel()[at].astype(np.float64)
    table = np.empty(len(at), OBJECT)
    rows, cols = np.divmod(at, width)
    table["area"] = 1
    table["row_sum"], table["col_sum"] = rows + strip.top, cols
    table["whole"] = np.floor(scores)
    table["rest"] = np.rint((scores - table["whole"]) * FRACTION)
    table["first"] = table["peak_at"] = at + strip.top * width
    table["peak"] = scores
    return table


def _merged(table: Table, group: Numbers) -> Table:
    """Merge the rows of each group; groups are numbered without a gap."""
    if not len(table):
        return table
    order = np.argsort(group, kind="stable")
    table, group = table[order], group[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    merged = table[starts]
    for name in SUMS:
        merged[name] = np.add.reduceat(table[name], starts)
    merged["first"] = np.minimum.reduceat(table["first"], starts)
    merged["peak"] = np.maximum.reduceat(table["peak"], starts)
    highest = table["peak"] == np.repeat(merged["peak"], np.diff(starts, append=len(table)))
    at = np.where(highest, table["peak_at"], np.iinfo(np.int64).max)
    merged["peak_at"] = np.minimum.reduceat(at, starts)
    return merged
