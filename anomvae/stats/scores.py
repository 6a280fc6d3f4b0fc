"""The scores of normal pixels, small enough for a model file.

Thresholds are chosen from them (`anomvae.stats.thresholds`).  Scores are in nats, unless a
local-contrast weighting multiplies them; higher is more anomalous; NaN is no data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import NotEnoughPixels

GROUPS = 4096
TAIL = 1024
BODY = 0.95
"""Share of the scores that is never left out; training trims the others, too."""
GAP = 4.0
"""Ratio of neighbouring values of 1 + score between which normal pixels end.  The widest gap in the
top 5 % of the scores of 46 models (all families) is 2.5."""


@dataclass(frozen=True)
class ScoreDistribution:
    """The scores of normal pixels, small enough for a model file.

    The largest `TAIL` scores are kept one by one; the others in up to `GROUPS` groups of neighbours
    in rank, by their means.  Up to GROUPS + TAIL scores are kept without loss.
    """

    values: NDArray[np.float64]
    """Scores or means of groups, ascending."""
    weights: NDArray[np.float64]
    """Number of scores of each value."""

    @property
    def count(self) -> int:
        """Number of scores."""
        return int(self.weights.sum())

    def moments(self) -> tuple[float, float]:
        """Return mean and standard deviation of the scores."""
        mean = np.average(self.values, weights=self.weights)
        variance = np.average((self.values - mean) ** 2, weights=self.weights)
        return float(mean), float(np.sqrt(variance))

    def quantile(self, share: float) -> float:
        """Return the score that a share of the scores does not exceed; share in [0, 1]."""
        rank = np.cumsum(self.weights)
        position = np.searchsorted(rank, share * rank[-1] * (1 - 1e-12))
        return float(self.values[position])

    def exceeding(self, value: float) -> float:
        """Return the share of scores above ``value``, in [0, 1]."""
        return float(self.weights[self.values > value].sum() / self.weights.sum())

    def up_to(self, value: float) -> ScoreDistribution:
        """Return the distribution without the scores above ``value``."""
        kept = self.values <= value
        return replace(self, values=self.values[kept], weights=self.weights[kept])

    def credible(self) -> ScoreDistribution:
        """Return the distribution without the scores beyond a gap (`GAP`), at most 5 % of them."""
        top = self.values[self.values >= self.quantile(BODY)]
        gaps = np.flatnonzero(np.diff(np.log1p(top)) > np.log(GAP))
        return self.up_to(top[gaps[0]]) if len(gaps) else self

    def capped(self) -> ScoreDistribution:
        """Return the distribution with the scores beyond a gap (`GAP`) at the largest before it."""
        return replace(self, values=np.minimum(self.values, self.credible().values[-1]))


def describe_scores(scores: NDArray[np.floating]) -> ScoreDistribution:
    """Return the distribution of scores of any shape; NaN is no data.

    Raises
    ------
    NotEnoughPixels
        If no score is finite.
    """
    ordered = np.sort(scores[np.isfinite(scores)].astype(np.float64))
    if ordered.size == 0:
        raise NotEnoughPixels(
            "No valid pixel has a score, but a threshold needs some. Give scenes with data."
        )
    body, tail = ordered[:-TAIL], ordered[-TAIL:]
    edges = np.linspace(0, body.size, min(body.size, GROUPS) + 1).astype(int)
    sizes = np.diff(edges).astype(np.float64)
    means = np.add.reduceat(body, edges[:-1]) / sizes
    return ScoreDistribution(np.append(means, tail), np.append(sizes, np.ones(tail.size)))


@dataclass(frozen=True)
class NormalScores:
    """The scores of a detector's normal pixels."""

    all: ScoreDistribution
    """Scores of all of them, learnt and held out: rare materials lie in few blocks, so that a part
    of the blocks has too few of them."""
    held_out: ScoreDistribution | None = None
    """Scores of those in blocks that training did not read, be it that of a twin of the detector;
    None where nothing was held out."""

    @classmethod
    def of(
        cls, scores: NDArray[np.floating], *, held_out: NDArray[np.bool_] | bool
    ) -> NormalScores:
        """Describe scores of any shape, NaN = no data, and those of them that are ``held_out``.

        Raises
        ------
        NotEnoughPixels
            If no score is finite, or none of those that are held out.
        """
        apart = scores[np.broadcast_to(held_out, scores.shape)]
        return cls(describe_scores(scores), describe_scores(apart) if apart.size else None)

    @property
    def all_held_out(self) -> bool:
        """Whether the detector was fitted without any of them."""
        return self.held_out is not None and self.held_out.count == self.all.count
