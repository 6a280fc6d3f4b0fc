"""The trend of a few values over time, which single values neither make nor hide.

Its slope is the median of the slopes between all pairs (Theil 1950; Sen 1968, J. Am. Stat. Assoc.
63).  It counts as a rise by the test of Mann (1945, Econometrica 13): S, the number of pairs that
rise less those that fall, has variance n (n - 1) (2 n + 5) / 18 where there is no trend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

FEWEST = 6
"""Values below which there is no trend."""
SURE = 2.33
"""Standard deviations of S above which values rise: one in a hundred series does so by chance."""


@dataclass(frozen=True)
class Trend:
    """A line through values."""

    slope: float
    """Per unit of time."""
    now: float
    """Value of the line at the last time."""
    rising: bool
    """Whether the values rise beyond chance."""

    def time_to(self, value: float) -> float | None:
        """Return the time from the last one until the line reaches a value; None: it does not."""
        if not self.rising or self.slope <= 0:
            return None
        return max(0.0, (value - self.now) / self.slope)


def trend_of(times: Sequence[float], values: Sequence[float]) -> Trend | None:
    """Return the trend of values at ascending times; None where there are too few."""
    pairs = list(combinations(zip(times, values, strict=True), 2))
    slopes = [
        (late - early) / (after - before)
        for (before, early), (after, late) in pairs
        if after > before
    ]
    n = len(values)
    if n < FEWEST or not slopes:
        return None
    slope = median(slopes)
    now = median(
        value + slope * (times[-1] - time) for time, value in zip(times, values, strict=True)
    )
    signs = sum((late > early) - (late < early) for (_, early), (_, late) in pairs)
    rising = (signs - 1) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18) > SURE
    return Trend(slope, now, rising)
