"""Numbers of events: connected pixels with an episode keep the smallest number among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...objects.components import Labelling, Labels
from ...stats.persistence import Numbers


class Numbering(NamedTuple):
    """The events of a map."""

    of_label: Numbers
    """Number of each label; label 0 has none, 0."""
    next_number: int
    """Number of the next new event."""
    merged: Mapping[int, int]
    """Number of each earlier event that became part of another one, and that one's."""


@dataclass
class EventLabels:
    """Labels the active pixels of a map strip by strip, with the numbers that they had."""

    labelling: Labelling
    pairs: list[NDArray[Any]] = field(default_factory=list)
    """Label and earlier number of pixels, axes (pair, pixel)."""

    def add(self, active: NDArray[np.bool_], numbers: Numbers) -> Labels:
        """Return the labels of the next rows; ``numbers`` are those of events before, 0 = none."""
        labels = self.labelling.add(active)
        known = active & (numbers > 0)
        if known.any():
            self.pairs.append(np.unique(np.stack([labels[known], numbers[known]]), axis=1))
        return labels

    def numbered(self, next_number: int) -> Numbering:
        """Return the numbers of events; new ones begin at ``next_number``."""
        groups = self.labelling.objects()
        labels, numbers = np.hstack([np.empty((2, 0), np.int32), *self.pairs])
        owners = groups[labels]
        of_object = np.full(groups.max() + 1, np.iinfo(np.int32).max, np.int32)
        np.minimum.at(of_object, owners, numbers)
        of_object[0] = 0
        new = np.flatnonzero(of_object == np.iinfo(np.int32).max)
        of_object[new] = np.arange(next_number, next_number + len(new))
        gone = {
            int(number): int(of_object[owner])
            for number, owner in zip(numbers, owners, strict=True)
            if not (of_object == number).any()
        }
        return Numbering(of_object[groups], next_number + len(new), gone)
