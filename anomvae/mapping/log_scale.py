"""Colours and labels of scores on a logarithmic scale, as the quick look and figures draw them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

RANGE = (1, 99.8)  # percent of the scores that differ in colour
NO_DATA = (0.75, 0.75, 0.75)
VIRIDIS = (
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
)
"""Colours of van der Walt & Smith (2015) at equal steps: their lightness rises evenly."""
APART = 0.125
"""Share of the scale between two labels, by default."""
PLAIN = (1e-3, 1e5)
"""Numbers that are written without a power of ten."""
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LogScale:
    """Colours of scores, even in their logarithm."""

    low: float
    """The score of the darkest colour, above 0."""
    high: float
    """The score of the lightest colour."""

    @classmethod
    def of(cls, scores: Array) -> LogScale:
        """Choose the range by the scores that there are; NaN = no data."""
        valid = scores[np.isfinite(scores)]
        low, high = np.percentile(valid, RANGE) if valid.size else (0.1, 1.0)
        low = max(float(low), 1e-3)
        return cls(low, max(float(high), low * 1.01))

    def place(self, scores: Array | float) -> NDArray[np.float64]:
        """Return where scores lie between lowest and highest, in [0, 1]; NaN stays."""
        logs = np.log(np.clip(scores, self.low, self.high) / self.low)
        return np.asarray(logs / math.log(self.high / self.low))

    def colours(self, scores: Array) -> Array:
        """Return the colours of scores; grey = no data."""
        anchors = np.array([list(bytes.fromhex(colour)) for colour in VIRIDIS.split()]) / 255
        places = self.place(scores)
        steps = np.linspace(0, 1, len(anchors))
        rgb = np.stack([np.interp(places, steps, band) for band in anchors.T], axis=-1)
        return np.where(np.isfinite(scores)[..., np.newaxis], rgb, NO_DATA).astype(np.float32)

    def ramp(self, steps: int) -> Array:
        """Return the colours from lowest to highest, axes (step, 3)."""
        scores = self.low * (self.high / self.low) ** np.linspace(0, 1, steps)
        return self.colours(scores.astype(np.float32))

    def ticks(self, apart: float = APART) -> list[float]:
        """Return round scores of the range, at least so far apart (shares of the scale).

        They are 1, 2 and 5 of each power of 10, or the powers, or some of them; in a narrow range
        even steps.

        Examples
        --------
        >>> LogScale(0.7, 60).ticks(), LogScale(7, 9).ticks()
        ([1.0, 2.0, 5.0, 10.0, 20.0, 50.0], [7.0, 7.5, 8.0, 8.5, 9.0])
        """
        for ticks in self._candidates():
            places = [float(self.place(tick)) for tick in ticks]
            if len(ticks) > 1 and min(b - a for a, b in pairwise(places)) >= apart:
                return ticks
        return [self.low, self.high]

    def small_ticks(self) -> list[float]:
        """Return 1 to 9 of each power of 10 in the range; none where they would be too many."""
        decades = math.log10(self.high / self.low)
        return self._multiples(range(1, 10)) if 0.3 < decades <= 5 else []

    def _candidates(self) -> Iterator[list[float]]:
        if self.high / self.low > 3:
            yield self._multiples((1, 2, 5))
            powers = self._multiples((1,))
            for step in range(1, len(powers)):
                yield [power for power in powers if round(math.log10(power)) % step == 0]
        yield from self._even()

    def _multiples(self, digits: Sequence[int]) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [float(f"{digit}e{power}") for power in powers for digit in digits]
        return [tick for tick in every if self.low <= tick <= self.high]

    def _even(self) -> Iterator[list[float]]:
        """Yield numbers in even round steps, the finest steps first."""
        power = math.floor(math.log10(self.high - self.low))
        for exponent in (power - 1, power):
            for digit in (1, 2, 5):
                step = float(f"{digit}e{exponent}")
                first, last = math.ceil(self.low / step), math.floor(self.high / step)
                ticks = [float(f"{number * step:.12g}") for number in range(first, last + 1)]
                yield [tick for tick in ticks if self.low <= tick <= self.high]


def tick_label(value: float) -> str:
    """Write a score beside its colour.

    Examples
    --------
    >>> [tick_label(value) for value in (0.02, 5.0, 1e5, 1e-4)]
    ['0.02', '5', '10⁵', '10⁻⁴']
    """
    if value == 0 or PLAIN[0] <= abs(value) < PLAIN[1]:
        return f"{value:.5g}"
    digits, _, power = f"{value:.2e}".partition("e")
    factor = float(digits)
    times = "" if factor == 1 else f"{factor:g}\N{MULTIPLICATION SIGN}"
    return f"{times}10{str(int(power)).translate(SUPERSCRIPTS)}"
