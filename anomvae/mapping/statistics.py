"""What is counted while the tiles of a scene go by; axes (row, col)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Tile

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
SAMPLED = 1_000_000  # scores kept for the quantiles of a scene


class RunningStatistics:
    """Counts pixels and keeps scores for quantiles while tiles go by.

    Scores are kept on a lattice of the scene, so that the tile size does not show in the quantiles.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Start a tally of a scene of ``shape`` pixels."""
        self.pixels = shape[0] * shape[1]
        self.step = int(np.ceil((self.pixels / SAMPLED) ** 0.5))
        self.valid = self.flagged = 0
        self.kept: list[NDArray[np.float32]] = []

    def add(self, tile: Tile, scores: NDArray[np.float32], flags: NDArray[np.bool_]) -> None:
        """Count a tile's kept pixels, axes (row, col)."""
        seen = np.isfinite(scores)
        self.valid += int(seen.sum())
        self.flagged += int(flags.sum())
        rows, cols = (slice(-part.start % self.step, None, self.step) for part in tile.keep)
        self.kept.append(scores[rows, cols][seen[rows, cols]])

    @property
    def quantiles(self) -> dict[str, float]:
        """Quantiles by level, nats."""
        scores = np.concatenate(self.kept) if self.kept else np.empty(0, np.float32)
        if not scores.size:
            return {}
        found = np.quantile(scores.astype(np.float64), LEVELS)
        return {f"{level:g}": float(value) for level, value in zip(LEVELS, found, strict=True)}
