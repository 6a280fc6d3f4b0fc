"""Numbers of events: which pixels with an episode are one event.

A pixel that has the number of an event keeps it while its episode goes on.  Pixels that have none
yet, connected among themselves, are a new part::

    touches no event               it is an event of its own, with the next number
    touches one that still forms   it is of that event; events that form grow together, and the
                                   smallest number goes on
    touches settled ones alone     it is an event of its own if it is as large as an object must be
                                   without its rim, else of the settled one with the smallest number

The rim are the pixels that touch an event: between two passes optics, and grids that lie a part of
a pixel apart, move the edge of an object by one.

An event is settled once it is confirmed and began n passes ago, and stays so, however small it
becomes: what joins it later is no part of it that clouds hid, but another change beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...objects.components import Labelling, Labels
from ...objects.runs import groups_of
from ...stats.persistence import CONFIRMED, Numbers
from .map_file import StoredLayers

NO_NUMBER = np.iinfo(np.int32).max
Array = NDArray[Any]


class Settled(NamedTuple):
    """Which events are settled, and when another one is."""

    area_px: int
    """Least number of its pixels that are confirmed, and least size of another one beside it."""
    first: int | None
    """Latest day of its first exceedance, days since 1970-01-01; None: there is none yet."""
    numbers: tuple[int, ...] = ()
    """Those that are settled before."""


class Numbering(NamedTuple):
    """The events of a map."""

    of_part: Numbers
    """Number of the new part of each label; label 0 has none, 0."""
    of_event: Numbers
    """Number of each earlier event by its number."""
    next_number: int
    """Number of the next new event."""
    merged: Mapping[int, int]
    """Number of each earlier event that became part of another one, and that one's."""
    settled: tuple[int, ...]
    """Numbers of the earlier events that are settled."""

    def numbers(self, nodes: Labels) -> Numbers:
        """Return the numbers of the pixels that `EventNodes.add` returned."""
        earlier, new = self.of_event[-nodes.clip(max=0)], self.of_part[nodes.clip(0)]
        return np.asarray(np.where(nodes < 0, earlier, new), np.int32)


@dataclass
class EventNodes:
    """The new parts and the events of a map, strip by strip, and which of them touch."""

    labelling: Labelling
    """Labels new parts."""
    _edge: Labels | None = None
    """The last two rows of nodes; above the first is an empty one."""
    _pairs: list[Array] = field(default_factory=list)
    """Nodes that touch, axes (pair, edge)."""
    _sizes: list[Array] = field(default_factory=list)
    """Label and pixels without the rim, axes (fact, new part of a strip)."""
    _events: list[Array] = field(default_factory=list)
    """Number, first day and confirmed pixels, axes (fact, event of a strip)."""

    def known(self, active: NDArray[np.bool_], before: StoredLayers) -> Numbers:
        """Return the numbers of a window that stay, 0 = none.

        Parameters
        ----------
        active
            Where an episode goes on.
        before
            The map whose numbers are kept.
        """
        numbers = np.where(active & before.history.active, before.event, 0)
        self._events.append(_facts(before, numbers))
        return numbers

    def add(self, active: NDArray[np.bool_], numbers: Numbers) -> Labels:
        """Take in the next rows, with the numbers that stay.

        Returns
        -------
        Labels
            The node of each pixel: the label of its new part, or its number below 0; 0 = none.
        """
        nodes = np.where(numbers > 0, -numbers, self.labelling.add(active & (numbers == 0)))
        above = np.zeros_like(nodes[:1]) if self._edge is None else self._edge
        rows = np.vstack([above, nodes])
        self._pairs.append(touching_nodes(rows[len(above) - 1 :]))
        self._sizes.append(_sizes(rows))
        self._edge = rows[-2:]
        return nodes

    def numbered(self, next_number: int, settled: Settled) -> Numbering:
        """Return the numbers of events; new ones begin at ``next_number``."""
        part, (known, fixed) = self.labelling.objects(), self._known(settled)
        last = [] if self._edge is None else [np.vstack([self._edge, 0 * self._edge[:1]])]
        label, pixels = np.hstack([np.empty((2, 0), np.int64), *self._sizes, *map(_sizes, last)])
        sizes = np.bincount(part[label], pixels, part.max() + 1)
        # A node is a part or, after these, an event.
        one, other = (
            np.where(ends < 0, len(sizes) - ends, part[ends.clip(0)])
            for ends in np.hstack([np.empty((2, 0), np.int64), *self._pairs])
        )
        count = len(sizes) + int(known.max(initial=0)) + 1
        is_fixed = np.isin(np.arange(count), len(sizes) + fixed)
        free = ~is_fixed[one] & ~is_fixed[other]
        groups = groups_of(count, np.stack([one[free], other[free]]))
        forming = np.setdiff1d(known, fixed)
        smallest = _smallest(groups[len(sizes) + forming], forming, count)[groups]
        smallest[len(sizes) + fixed] = fixed
        of_part, beside = smallest[: len(sizes)], _beside(one, other, is_fixed, len(sizes))
        alone = of_part == NO_NUMBER
        new = np.flatnonzero(alone & ((beside == NO_NUMBER) | (sizes >= settled.area_px)))[1:]
        of_part = np.where(alone, beside, of_part).astype(np.int32)
        of_part[new], of_part[0] = np.arange(next_number, next_number + len(new)), 0
        of_event = smallest[len(sizes) :].astype(np.int32)
        gone = {int(one): int(of_event[one]) for one in known if of_event[one] != one}
        return Numbering(
            of_part[part], of_event, next_number + len(new), gone, tuple(fixed.tolist())
        )

    def _known(self, settled: Settled) -> tuple[Array, Array]:
        """Return the numbers of events with active pixels, and those of them that are settled."""
        facts = np.hstack([np.empty((3, 0), np.int64), *self._events])
        known, place = np.unique(facts[0], return_inverse=True)
        first = np.full(len(known), NO_NUMBER)
        np.minimum.at(first, place, facts[1])
        confirmed = np.bincount(place, facts[2], len(known))
        is_settled = np.isin(known, settled.numbers)
        if settled.first is not None:
            is_settled |= (confirmed >= settled.area_px) & (first <= settled.first)
        return known, known[is_settled]


def _facts(before: StoredLayers, numbers: Numbers) -> Array:
    """Return number, first day and confirmed pixels of the events of a strip."""
    there = numbers > 0
    found, place = np.unique(numbers[there], return_inverse=True)
    first = np.full(len(found), NO_NUMBER)
    np.minimum.at(first, place, before.history.first[there])
    confirmed = np.bincount(place, before.history.status[there] == CONFIRMED, len(found))
    return np.stack([found, first, confirmed.astype(np.int64)])


def _sizes(rows: Labels) -> Array:
    """Return label and pixels of the new parts in all rows but the first and last, without rims."""
    known = np.pad(rows < 0, ((0, 0), (1, 1)))
    wide = known[:, :-2] | known[:, 1:-1] | known[:, 2:]
    inside, near = rows[1:-1], wide[:-2] | wide[1:-1] | wide[2:]
    beyond = inside[(inside > 0) & ~near]
    return np.stack(np.unique(beyond, return_counts=True)).astype(np.int64)


def touching_nodes(nodes: Labels) -> Array:
    """Return the pairs of nodes that are neighbours, each once; axes (pair, edge)."""
    ends = [
        (nodes[:, :-1], nodes[:, 1:]),
        (nodes[:-1], nodes[1:]),
        (nodes[:-1, :-1], nodes[1:, 1:]),
        (nodes[:-1, 1:], nodes[1:, :-1]),
    ]
    both = [(one != other) & (one != 0) & (other != 0) for one, other in ends]
    pairs = [
        np.stack([one[where], other[where]]) for (one, other), where in zip(ends, both, strict=True)
    ]
    return np.unique(np.hstack(pairs).astype(np.int64), axis=1)


def _smallest(of: Array, values: Array, count: int) -> Array:
    """Return the smallest of the values of each of ``count`` things; `NO_NUMBER` of none."""
    smallest = np.full(count, NO_NUMBER)
    np.minimum.at(smallest, of, values)
    return smallest


def _beside(one: Array, other: Array, is_fixed: NDArray[np.bool_], parts: int) -> Array:
    """Return the smallest number of a settled event that touches each part."""
    ends = np.hstack([np.stack([one, other]), np.stack([other, one])])
    ends = ends[:, (ends[0] < parts) & is_fixed[ends[1]]]
    return _smallest(ends[0], ends[1] - parts, parts)
