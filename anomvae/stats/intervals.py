"""Intervals of metrics and of their differences, as `block_bootstrap` finds them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Rates = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    """Its lower end."""
    high: float
    """Its upper end."""


@dataclass(frozen=True, eq=False)
class RocBand:
    """Intervals of the detection rate at false-alarm rates, each for itself."""

    false_alarms: Rates
    """The false-alarm rates, ascending, shape (n,)."""
    low: Rates
    """Lower ends, shape (n,)."""
    high: Rates
    """Upper ends, shape (n,)."""


@dataclass(frozen=True)
class Intervals:
    """95 % intervals of a map's metrics, or why there are none."""

    side: int
    """Side of the blocks, pixels."""
    blocks: int
    """Blocks that hold labelled pixels."""
    anomalous_blocks: int
    """Those among them that hold anomalous ones."""
    objects: int
    """Objects of the labels: one that lies in several blocks is no more than one."""
    draws: int
    """Draws of the bootstrap."""
    seed: int
    """Its seed."""
    roc_auc: Interval | None = None
    """Of the area under the ROC."""
    average_precision: Interval | None = None
    """Of the average precision."""
    reason: str = ""
    """Why an interval is missing."""
    band: RocBand | None = field(default=None, repr=False, compare=False)
    """Of the ROC."""

    @property
    def independent(self) -> int:
        """Independent draws of anomalous pixels: blocks that hold some, or objects if fewer."""
        return min(self.anomalous_blocks, self.objects)


@dataclass(frozen=True)
class Difference:
    """How a map differs from the first one, on the same pixels and the same draws of blocks."""

    roc_auc: float
    """Difference of the areas under the ROC."""
    average_precision: float
    """Difference of the average precisions."""
    roc_auc_interval: Interval | None = None
    """95 % interval of ``roc_auc``; None where there are too few blocks."""
    average_precision_interval: Interval | None = None
    """95 % interval of ``average_precision``; None where there are too few blocks."""
