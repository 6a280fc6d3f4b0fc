"""Statistics of a scene, collected while its scores are read or made; axes (row, col)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window

SCORE_LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
SAMPLED = 1_000_000
"""Scores kept for the quantiles of a scene, about."""


class RunningStatistics:
    """Counts of valid and of masked pixels, and quantiles of scores, the same for any tile size.

    Scores are sampled at every n-th row and column of the scene, whatever its tiles.
    """

    def __init__(self, shape: tuple[int, int], sampled: int = SAMPLED) -> None:
        """Count the pixels of a scene of ``shape``; keep about ``sampled`` scores."""
        self.pixels = shape[0] * shape[1]
        self.valid = 0
        self.masked = 0
        self._step = int(np.ceil((self.pixels / sampled) ** 0.5))
        self._sampled: list[NDArray[np.float32]] = []
        self._spectra: list[NDArray[np.float32]] = []
        self._scored: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def add(self, keep: Window, scores: NDArray[np.float32]) -> None:
        """Add the scores of a window, axes (row, col); NaN = no data."""
        valid = np.isfinite(scores)
        self.valid += int(valid.sum())
        rows, cols = (slice(-part.start % self._step, None, self._step) for part in keep)
        self._sampled.append(scores[rows, cols][valid[rows, cols]])

    def add_masked(self, masked: NDArray[np.bool_]) -> None:
        """Add the masked pixels of a window, axes (row, col)."""
        self.masked += int(masked.sum())

    def add_spectra(self, spectra: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
        """Add pixels of a window to the sample of the scene, axes (pixel, band).

        The last of them, those of the newest date, have ``scores``, (pixel,).
        """
        self._spectra.append(spectra)
        self._scored.append((spectra[len(spectra) - len(scores) :], scores))

    @property
    def spectra(self) -> NDArray[np.float32]:
        """The sample of the scene, axes (pixel, band), data units; NaN = no data."""
        return np.concatenate(self._spectra)

    @property
    def scored_spectra(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The sample of the newest date, (pixel, band), and its scores, (pixel,)."""
        spectra, scores = zip(*self._scored, strict=True)
        return np.concatenate(spectra), np.concatenate(scores)

    @property
    def sampled(self) -> NDArray[np.float32]:
        """The scores that are kept, ascending, shape (n,): all of a scene of few pixels."""
        parts = self._sampled or [np.empty(0, np.float32)]
        return np.sort(np.concatenate(parts))

    @property
    def quantiles(self) -> dict[str, float]:
        """Quantiles of the scores by level; empty where no pixel is valid."""
        scores = self.sampled
        if not scores.size:
            return {}
        values = np.quantile(scores.astype(np.float64), SCORE_LEVELS)
        return {
            f"{level:g}": float(value) for level, value in zip(SCORE_LEVELS, values, strict=True)
        }
