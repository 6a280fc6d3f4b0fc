"""Which pixels of a scene belong to one object: labels of its strips, and what joins them.

Memory holds 4 bytes for each connected part of a strip, and a strip; the labels of the pixels go
where the caller keeps them.  So a second pass over these finds the object of every pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .labelling import touching
from .runs import groups_of, label

Labels = NDArray[np.int32]
"""Part of each pixel, from 1 on; 0 = none."""


class Labelling:
    """Labels the pixels of a scene strip by strip, top to bottom; neighbours are the 8 around."""

    def __init__(self, width: int) -> None:
        """Begin a scene of ``width`` columns."""
        self.parts = 0
        """Parts so far."""
        self._edge = np.full(width, -1, np.int64)
        self._pairs: list[NDArray[np.int64]] = []

    def add(self, flags: NDArray[np.bool_]) -> Labels:
        """Label the rows below those before, axes (row, col); labels go on from strip to strip."""
        labels, count = label(flags, corners=True)
        labels[flags] += self.parts
        seam = np.vstack([self._edge, np.where(flags[0], labels[0], 0) - 1])
        self._pairs += [np.unique(pairs, axis=1) for pairs in touching(seam) if pairs.size]
        self._edge = labels[-1].astype(np.int64) - 1
        self.parts += count
        return labels

    def objects(self) -> Labels:
        """Return the object of each label, from 1 on in the order of labels; the first is 0.

        To be called once all strips are labelled.
        """
        pairs = np.hstack([np.empty((2, 0), np.int64), *self._pairs])
        group = groups_of(self.parts, pairs)
        _, first, place = np.unique(group, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int32)
        rank[np.argsort(first)] = np.arange(1, len(first) + 1)
        return (
            np.append(np.zeros(1, np.int32), rank[place]) if self.parts else np.zeros(1, np.int32)
        )
