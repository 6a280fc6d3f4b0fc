"""The numbers of events in a map that was lost, and is made again from its scenes.

The ground of its events is that of the events that the state has, as both are functions of the same
scenes; their numbers depend on the order in which the scenes arrived.  So each event of the map has
the number of the recorded one with the same box, first day and size or, where rules have changed,
of the one whose box it shares most of; any other one has a new number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from ...mapping.flagging import WINDOW
from ...pixels.tiling import tiles
from ...raster import MapWriter
from .clusters import clusters_of
from .event import Cluster
from .map_file import DamagedMap, layout_of, opened_map, stored_values


def renumber(made: Path, path: Path, known: Sequence[Cluster], next_number: int) -> None:
    """Write a map with the numbers of recorded events.

    Parameters
    ----------
    made : Path
        The map.
    path : Path
        Where it is written.
    known : sequence of Cluster
        The recorded events that are open.
    next_number : int
        Number of the next new event.

    Raises
    ------
    NotWritten
        If the map cannot be written.
    """
    with opened_map(made) as before:
        if before is None:
            raise DamagedMap(f"{made} cannot be read.")
        numbers = recorded_numbers(clusters_of(before), known, next_number)
        lookup = np.zeros(before.facts.next_number, np.int32)  # 0: of an event that is over
        lookup[list(numbers)] = list(numbers.values())
        least = max(next_number, *(number + 1 for number in numbers.values()), 1)
        settled = tuple(sorted(numbers[one] for one in before.facts.settled if one in numbers))
        facts = replace(before.facts, next_number=least, settled=settled)
        with MapWriter(path, before.grid.georeference, layout_of(facts)) as out:
            for tile in tiles(before.grid.shape, WINDOW):
                layers = before.read(tile.keep, before.grid)
                out.write(tile.keep, stored_values(layers.history, lookup[layers.event]))


def recorded_numbers(
    clusters: Sequence[Cluster], known: Sequence[Cluster], next_number: int
) -> dict[int, int]:
    """Return the recorded number of each cluster by the number that it has."""
    same = {_identity(one): one for one in known}
    found = {one.number: same.pop(_identity(one)) for one in clusters if _identity(one) in same}
    numbers = {number: one.number for number, one in found.items()}
    left, new = list(same.values()), count(next_number)
    for cluster in clusters:
        if cluster.number in numbers:
            continue
        nearest = max(left, key=lambda one: _shared(one, cluster), default=None)
        if nearest is None or not _shared(nearest, cluster):
            numbers[cluster.number] = next(new)
        else:
            left.remove(nearest)
            numbers[cluster.number] = nearest.number
    return numbers


def _identity(cluster: Cluster) -> tuple[object, ...]:
    return cluster.box, cluster.first, cluster.area_px


def _shared(one: Cluster, other: Cluster) -> float:
    """Return the share of two boxes that both hold, in [0, 1]."""
    both = one.box_px_in(other)
    return both / (one.box_px + other.box_px - both)
