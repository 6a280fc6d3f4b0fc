"""Connected pixels, by their runs: neighbours in a row of an image, of axes (row, col).

Runs of one row meet those of the next where they overlap, which two searches in sorted numbers
find; what meets is one group (Rosenfeld & Pfaltz 1966).  Groups are found by giving each of two
that meet the lower number of both, until nothing changes (Shiloach & Vishkin 1982).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def label(flags: NDArray[np.bool_], *, corners: bool) -> tuple[NDArray[np.int32], int]:
    """Give connected pixels of an image one number, from 1 on in reading order; 0 = not flagged.

    Parameters
    ----------
    flags : array of bool, axes (row, col)
        The pixels that are connected.
    corners : bool
        Whether pixels are neighbours that share a corner alone.

    Returns
    -------
    labels : array of int32, axes (row, col)
    count : int
        How many numbers there are.

    Examples
    --------
    >>> label(np.array([[True, False, True], [False, True, False]]), corners=False)[0]
    array([[1, 0, 2],
           [0, 3, 0]], dtype=int32)
    """
    at = np.flatnonzero(flags)
    rows, starts, stops = _runs(at, flags.shape[1])
    # Numbers that rise from left to right and row by row, for starts and for stops.
    wide = flags.shape[1] + 2
    reach = int(corners)
    below = (rows + 1) * wide
    first = np.searchsorted(rows * wide + stops, below + starts - reach, side="right")
    last = np.searchsorted(rows * wide + starts, below + stops + reach, side="left")
    met = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(rows)), met)
    lower = np.arange(len(upper)) + np.repeat(first - (np.cumsum(met) - met), met)
    group = groups_of(len(rows), np.stack([upper, lower]))
    labels = np.zeros(flags.shape, np.int32)
    labels.reshape(-1)[at] = np.repeat(group + 1, stops - starts)
    return labels, int(group.max(initial=-1)) + 1


def groups_of(count: int, pairs: Numbers) -> Numbers:
    """Return the group of each of ``count`` nodes of a graph with the edges ``pairs``.

    Groups are numbered from 0 in the order of their first nodes.
    """
    lowest = np.arange(count)
    one, other = pairs
    while len(one):
        one, other = lowest[one], lowest[other]
        apart = one != other
        one, other = one[apart], other[apart]
        np.minimum.at(lowest, np.maximum(one, other), np.minimum(one, other))
        lowest = _followed(lowest)
    return np.asarray(np.unique(lowest, return_inverse=True)[1], np.int64).reshape(count)


def _followed(lowest: Numbers) -> Numbers:
    """Follow each node's lower node to the lowest one of its group so far."""
    while True:
        further = lowest[lowest]
        if np.array_equal(further, lowest):
            return lowest
        lowest = further


def _runs(at: Numbers, width: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return row, first column and column after the last of each run, in reading order.

    ``at`` are the numbers of the flagged pixels of an image of ``width`` columns, ascending.
    """
    begins = np.diff(at, prepend=-2) > 1
    begins |= at % width == 0
    first = np.flatnonzero(begins)
    rows, starts = np.divmod(at[first], width)
    return rows, starts, starts + np.diff(first, append=len(at))
