"""How many pixels of a scene are valid, masked or missing, on a bounded sample, always the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..pixels.tiling import spread_windows
from .open_scene import OpenDate

SIDE = 256
"""Side of a window that is sampled, pixels, at most."""
VALUES = 4_000_000
"""Values of a window, at most."""


@dataclass(frozen=True)
class PixelShares:
    """Counts of pixels of a sample."""

    sampled: int
    """Pixels of the sample."""
    total: int
    """Pixels of the scene."""
    masked: int
    """Pixels with data in every band in use that a mask hides."""
    missing: int
    """Pixels without data in a band in use."""

    @property
    def valid(self) -> int:
        """Pixels that are neither masked nor missing."""
        return self.sampled - self.masked - self.missing

    def share(self, count: int) -> float:
        """Return a count as a share of the sample, 0 to 1."""
        return count / self.sampled


def pixel_shares(date: OpenDate) -> PixelShares:
    """Count the pixels of windows that are spread evenly; of a small scene, all of it.

    Raises
    ------
    RasterError
        When a file is damaged there.
    """
    sampled = masked = missing = 0
    side = max(1, min(SIDE, math.isqrt(VALUES // len(date.bands))))
    for window in spread_windows(date.grid.shape, side):
        block, hidden = date.read(window)
        sampled += block[0, ..., 0].size
        without = int((~np.isfinite(block[0, ..., : len(date.bands)]).all(axis=-1)).sum())
        hiding = 0 if hidden is None else int(hidden.sum())
        masked, missing = masked + hiding, missing + without - hiding
    rows, cols = date.grid.shape
    return PixelShares(sampled, rows * cols, masked, missing)
