"""How a pixel is encoded: by its posterior mean, by a draw from its posterior, or by their average.

Draw s of the pixel at row r and column c takes standard normal numbers that depend on seed, r, c
and s alone, so that a draw has the same bits whatever the tile.  They are counters, mixed by the
finaliser of SplitMix64 (Steele, Lea & Flood 2014) one after the other, as uniform numbers through
the quantiles of the normal distribution::

    state = mix(mix(mix(seed) ^ r) ^ c)    noise_k = ndtri(mix(state ^ mix(mix(s) ^ k)))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..pixels.views import Examples
from .batches import Array
from .examples import Codes, ExampleScorer

MEAN, SAMPLE, AVERAGE = HOWS = ("mean", "sample", "average")
SAMPLES = 16
"""Draws of an average by default: its standard error is a quarter of the posterior's deviation."""
MAX_SAMPLES = 10_000

Places = NDArray[np.int64]
"""Row and column of each example, (n, 2)."""
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Encoding:
    """Which code of a posterior stands for a pixel.

    Raises
    ------
    ConfigError
        If a word is unknown, or a number does not fit.
    """

    how: str = MEAN
    """``mean``: the posterior mean; ``sample``: a draw; ``average``: the mean of draws."""
    samples: int | None = None
    """Draws of an average; None: 16."""
    seed: int = 0
    """Seed of the draws, from 0 to 2^63 - 1."""

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        if self.how not in HOWS:
            raise ConfigError(f"how = {self.how!r}: give {', '.join(HOWS[:2])} or {AVERAGE}.")
        if self.samples is not None and self.how != AVERAGE:
            raise ConfigError(
                f"samples = {self.samples} with how = {self.how!r}: only an average has a number "
                f"of draws. Give how = 'average', or leave samples out."
            )
        if self.samples is not None and not 1 <= self.samples <= MAX_SAMPLES:
            raise ConfigError(f"samples = {self.samples}: give 1 to {MAX_SAMPLES} draws.")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed = {self.seed}: give a whole number from 0 to 2^63 - 1.")

    @property
    def draws(self) -> int:
        """Draws from the posterior of a pixel; 0: its mean."""
        return {MEAN: 0, SAMPLE: 1}.get(self.how, self.samples or SAMPLES)

    def require_posterior(self, detector: ExampleScorer) -> None:
        """Refuse, with a ConfigError, draws of a family whose posterior is a point."""
        if self.draws and not detector.noise_width:
            raise ConfigError(
                f"how = {self.how!r}: model.family = {detector.card.family!r} has one code for a "
                f"pixel, and no posterior to draw from. Give how = 'mean'."
            )

    def codes(self, detector: ExampleScorer, x: Examples, places: Places) -> Codes:
        """Encode examples.

        Parameters
        ----------
        detector : Detector
            Encodes them.
        x : array, shape (n, ..., band)
            As for `Detector.encode`.
        places : array of int, shape (n, 2)
            Row and column of each example, from which its random numbers follow.

        Raises
        ------
        ConfigError
            As `require_posterior`.
        """
        self.require_posterior(detector)
        if not self.draws:
            return detector.codes(x)
        total: list[NDArray[np.float64]] = []
        for draw in range(self.draws):
            noise = pixel_noise(self.seed, draw, places, detector.noise_width)
            scored = detector.view.known(x[:1]).shape
            if len(scored) > 1:  # each date has a code
                noise = np.repeat(noise[:, np.newaxis], scored[1], axis=1)
            parts = [part.astype(np.float64) for part in detector.codes(x, noise)]
            total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
        return Codes(*((part / self.draws).astype(np.float32) for part in total))


def pixel_noise(seed: int, draw: int, places: Places, width: int) -> Array:
    """Return ``width`` standard normal numbers of a draw at each place, (n, width)."""
    from scipy.special import ndtri

    rows, cols = places.T.astype(np.uint64)
    state = _mixed(_mixed(_mixed(_words(seed)) ^ rows) ^ cols)
    counters = _mixed(_mixed(_words(draw)) ^ np.arange(width, dtype=np.uint64))
    bits = _mixed(state[:, np.newaxis] ^ counters) >> np.uint64(12)
    uniform = (bits.astype(np.float64) + 0.5) * 2.0**-52  # never 0 or 1
    return np.asarray(ndtri(uniform), np.float32)


def _words(value: int) -> Words:
    return np.array([value], np.uint64)  # an array, as numbers alone warn of overflow


def _mixed(words: Words) -> Words:
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
