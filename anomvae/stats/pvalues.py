"""P-values of scores: the probability that a normal pixel scores as high.

=================== =============================================================
empirical           #(normal >= s) / n; above the 95 % quantile of ``gaussian``
                    the fitted tail (`anomvae.stats.tails`)
conformal           (1 + #(normal >= s)) / (n + 1), over scores of normal pixels
                    that training did not read (split conformal, Vovk, Gammerman
                    & Shafer 2005; Bates et al. 2023, Testing for outliers with
                    conformal p-values)
=================== =============================================================

A conformal p-value is at most any a in [0, 1] for at most a share a of new pixels, if these are
exchangeable with the n: pixels of other blocks of the same land nearly are, those of another scene
need not be.  It is a promise about the average over draws of the n.  The n may be scored by several
twins of a detector, each trained without a part of them (cross-conformal, Vovk 2015): the promise
then holds nearly, as twins resemble each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .scores import ScoreDistribution
from .tails import ParetoTail

Floats32 = NDArray[np.float32]

LEAST = float(np.finfo(np.float32).tiny)
"""Smallest p-value, 1.2e-38: beyond the end of a bounded tail, too."""


@dataclass(frozen=True)
class PValues:
    """The p-value of any score; small, and never rising with the score."""

    levels: Floats32
    """Scores of normal pixels, ascending."""
    steps: Floats32
    """P-value of a score by the number of ``levels`` below it, shape (levels + 1,), in (0, 1]."""
    tail: ParetoTail | None = None
    """Takes over above its start."""
    flagged: tuple[float, float] | None = None
    """A threshold and the rate it promises: the scores above it are those with p <= rate."""

    def of(self, scores: Floats32) -> Floats32:
        """Return the p-values of scores of any shape, in (0, 1]; NaN stays NaN."""
        scores = np.asarray(scores, np.float32)
        p = np.array(self.steps[np.searchsorted(self.levels, scores)])
        if self.tail is not None:
            above = scores > self.tail.start
            p[above] = self.tail.share_above(scores[above].astype(np.float64))
        if self.flagged is not None:
            threshold, rate = map(np.float32, self.flagged)
            below = np.nextafter(rate, np.float32(1))
            p = np.where(scores > threshold, np.minimum(p, rate), np.maximum(p, below))
        p = np.maximum(p, np.float32(LEAST))
        return np.where(np.isnan(scores), np.float32(np.nan), p)

    def agreeing_with(self, threshold: float, rate: float) -> PValues:
        """Return p-values that are at most ``rate`` just above the threshold, despite rounding."""
        return replace(self, flagged=(threshold, rate))


def empirical(scores: ScoreDistribution, tail: ParetoTail | None) -> PValues:
    """Return p-values by the share of scores that reach a score, and by the tail above these."""
    steps = reached(scores) / scores.count
    steps[-1] = 1 / scores.count  # above the largest, where there is no tail
    return PValues(scores.values.astype(np.float32), steps.astype(np.float32), tail)


def conformal_p_values(scores: ScoreDistribution) -> PValues:
    """Return split-conformal p-values by the scores of held-out normal pixels."""
    steps = (1 + reached(scores)) / (1 + scores.count)
    return PValues(scores.values.astype(np.float32), steps.astype(np.float32))


def reached(scores: ScoreDistribution) -> NDArray[np.float64]:
    """Return how many scores reach one that ``i`` values lie below, for each i."""
    return np.append(np.cumsum(scores.weights[::-1])[::-1], 0.0)
