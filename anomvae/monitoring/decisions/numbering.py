"""Numbers of events: which pixels with an episode are one event.

A pixel that has the number of an event keeps it while its episode goes on.  Pixels that have none
yet, connected among themselves, are a new part::

    touches no event               it is an event of its own, with the next number
    touches one that still forms   it is of that event; events that form grow together, and the
                                   smallest number goes on
    touches settled ones alone     it is an event of its own if it is as large as an object must be,
                                   else of the settled one with the smallest number

An event is settled once it is confirmed and began n passes ago: what joins it later is no part of
it that clouds hid, but another change beside it.
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
    """When an event is settled."""

    area_px: int
    """Least number of its pixels that are confirmed, and least size of another one beside it."""
    first: int | None
    """Latest day of its first exceedance, days since 1970-01-01; None: there is none yet."""


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
    """The last row of nodes."""
    _pairs: list[Array] = field(default_factory=list)
    """Nodes that touch, axes (pair, edge)."""
    _sizes: list[Array] = field(default_factory=list)
    """Pixels of the labels of each strip."""
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
        first = self.labelling.parts + 1
        labels = self.labelling.add(active & (numbers == 0))
        own = labels[labels > 0] - first
        self._sizes.append(np.bincount(own, minlength=self.labelling.parts + 1 - first))
        nodes = np.where(numbers > 0, -numbers, labels)
        rows = nodes if self._edge is None else np.vstack([self._edge, nodes])
        self._pairs.append(touching_nodes(rows))
        self._edge = nodes[-1:]
        return nodes

    def numbered(self, next_number: int, settled: Settled) -> Numbering:
        """Return the numbers of events; new ones begin at ``next_number``."""
        part, (known, fixed) = self.labelling.objects(), self._known(settled)
        sizes = np.bincount(part[1:], np.concatenate([np.empty(0), *self._sizes]), part.max() + 1)
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
        return Numbering(of_part[part], of_event, next_number + len(new), gone)

    def _known(self, settled: Settled) -> tuple[Array, Array]:
        """Return the numbers of events with active pixels, and those of them that are settled."""
        facts = np.hstack([np.empty((3, 0), np.int64), *self._events])
        known, place = np.unique(facts[0], return_inverse=True)
        first = np.full(len(known), NO_NUMBER)
        np.minimum.at(first, place, facts[1])
        confirmed = np.bincount(place, facts[2], len(known))
        if settled.first is None:
            return known, known[:0]
        return known, known[(confirmed >= settled.area_px) & (first <= settled.first)]


def _facts(before: StoredLayers, numbers: Numbers) -> Array:
    """Return number, first day and confirmed pixels of the events of a strip."""
    there = numbers > 0
    found, place = np.unique(numbers[there], return_inverse=True)
    first = np.full(len(found), NO_NUMBER)
    np.minimum.at(first, place, before.history.first[there])
    confirmed = np.bincount(place, before.history.status[there] == CONFIRMED, len(found))
    return np.stack([found, first, confirmed.astype(np.int64)])


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
