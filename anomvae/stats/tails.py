"""The upper tail of scores as a generalised Pareto distribution (peaks over threshold).

Above a high quantile u, the excesses of most distributions follow a generalised Pareto distribution
(Pickands 1975), which continues the empirical distribution beyond the largest scores::

    P(S > s) = r (1 + xi (s - u) / beta)^(-1 / xi),  r = P(S > u)
             = r exp(-(s - u) / beta)  where xi = 0

With the excesses y ascending, n of them, the shape xi and the scale beta follow from probability-
weighted moments (Hosking & Wallis 1987)::

    b0 = mean(y),  b1 = mean((n - i) / (n - 1) y_i),  xi = 2 - b0 / (b0 - 2 b1),  beta = b0 (1 - xi)

xi below 0 bounds the tail.  Its estimate is below 1, so that a tail without a mean (xi >= 1)
appears too short; `ParetoTail.misfit` shows that.  It is kept at -1 or above: below, the density
would rise towards its end, as that of equal excesses does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import BODY, ScoreDistribution

Floats = NDArray[np.float64]

SHAPES = (-1.0, 0.99)
"""Smallest and largest xi."""
FEWEST_EXCESSES = 30
"""Excesses below which no tail is fitted."""
SEEN = 25
"""Scores above a level from which on their number is compared with the fitted one: it varies by a
fifth."""


@dataclass(frozen=True)
class ParetoTail:
    """A generalised Pareto distribution of the scores above a level."""

    start: float
    """u: the level above which it holds."""
    share: float
    """r: share of the scores above it, in (0, 1)."""
    xi: float
    """Shape: 0 exponential, above 0 heavier, below 0 bounded."""
    beta: float
    """Scale, in the unit of the score, above 0."""

    def share_above(self, scores: Floats) -> Floats:
        """Return the share of normal scores above each of ``scores``, which lie above u."""
        z = (scores - self.start) / self.beta
        if self.xi:
            with np.errstate(divide="ignore"):  # beyond a bounded tail
                z = np.log1p(np.maximum(self.xi * z, -1.0)) / self.xi
        return np.asarray(self.share * np.exp(-z))

    def level(self, share: float) -> float:
        """Return the score that a share of the normal scores exceeds; share in (0, r]."""
        depth = np.log(self.share / share)
        steps = np.expm1(self.xi * depth) / self.xi if self.xi else depth
        return float(self.start + self.beta * steps)

    def misfit(self, scores: ScoreDistribution, share: float) -> float:
        """Return the largest factor between fitted and observed numbers of scores above a level.

        Levels run from u to that of ``share``, as far as `SEEN` scores lie above them.  A factor is
        judged instead of a test: of a million neighbouring pixels any test rejects any fit.
        """
        above = np.cumsum(scores.weights[::-1])[::-1] - scores.weights / 2  # ties: half of them
        seen = (scores.values > self.start) & (above >= max(SEEN, share * scores.count))
        if not seen.any():
            return 1.0
        fitted = self.share_above(scores.values[seen]) * scores.count
        return float(np.exp(np.abs(np.log(np.maximum(fitted, 0.5) / above[seen])).max()))


def fit_tail(scores: ScoreDistribution) -> ParetoTail | None:
    """Fit the tail above the 95 % quantile; None where fewer than `FEWEST_EXCESSES` exceed it."""
    start = scores.quantile(BODY)
    above = scores.values > start
    weights, excesses = scores.weights[above], scores.values[above] - start
    count = weights.sum()
    if count < FEWEST_EXCESSES:  # scores tie
        return None
    rank = np.cumsum(weights) - (weights - 1) / 2  # the mean of its ranks, where a value is a group
    b0 = float(np.average(excesses, weights=weights))
    b1 = float(np.average((count - rank) / (count - 1) * excesses, weights=weights))
    spread = max(b0 - 2 * b1, 0.0)  # half of Gini's mean difference; 0 where all are equal
    xi = float(np.clip(2 - b0 / spread, *SHAPES)) if spread > 0 else SHAPES[0]
    return ParetoTail(start, scores.exceeding(start), xi, b0 * (1 - xi))


def excesses_for(share: float, of: float = 1 - BODY) -> float:
    """Return the excesses from which the level of ``share`` can be extrapolated; ``of`` is r.

    The log of the achieved rate has a standard deviation of about L^2 / (2 sqrt(n)), L = log(r /
    share), from that of xi.  With L^4 / 2 excesses it is .7: nine samples in ten of exponential
    scores achieve a rate between a third and 2.5 times the promise.
    """
    return float(max(FEWEST_EXCESSES, np.log(of / share) ** 4 / 2))
