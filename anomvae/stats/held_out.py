"""The share of held-out normal pixels above a threshold, with an interval for it.

Scores of neighbours are alike, so pixels are no independent draws, but blocks of them nearly are.
With ``c_b`` of ``n_b`` pixels of block ``b`` above the threshold, the interval is that of the block
bootstrap (Efron 1979; blocks: Künsch 1989): the 5 and 95 % quantiles of ``sum c / sum n`` over
draws of as many blocks, with replacement.

Where few pixels lie above the threshold, or none, all draws are nearly equal and the bootstrap is
too sure.  So the interval also contains that of Clopper & Pearson (1934) for ``k / D`` of ``n / D``
independent pixels, with ``k = sum c``, ``n = sum n``, and the design effect ``D`` (Kish 1965)::

    D = max(1, B / (B - 1) sum_b (c_b - p n_b)^2 / (n p (1 - p))),   p = sum c / n

of the B blocks, counted above the threshold or above the 95 % quantile, whichever is less.  In
simulations with 50 and 200 blocks it contains the true rate in 90 % of the cases or more, with 13
blocks in 70 % or more; the bootstrap alone in 53 to 92 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import BODY, ScoreDistribution

LEVEL = 0.9
DRAWS = 1000
RATIO = 3.0
"""Ratio between promise and held-out rate from which a promise is not kept."""


@dataclass(frozen=True)
class HeldOutRate:
    """The share of held-out normal pixels above a threshold."""

    rate: float
    """The share, in [0, 1]."""
    pixels: int
    """Number of held-out pixels."""
    blocks: int = 0
    """Number of blocks that they lie in; 0: unknown, and then the interval is all of [0, 1]."""
    low: float = 0.0
    """Lower end of the 90 % interval of the rate."""
    high: float = 1.0
    """Upper end of the 90 % interval of the rate."""

    @classmethod
    def pooled(cls, scores: ScoreDistribution, threshold: float) -> HeldOutRate:
        """Return the rate of scores whose blocks are not known."""
        return cls(scores.exceeding(threshold), scores.count)

    def contradicts(self, promise: float) -> bool:
        """Return whether a promised rate is over 3 times off, and outside of the interval.

        The interval counts, too: one of 500 pixels above the threshold is no sign that a promise of
        0.1 % is broken.
        """
        off = not promise / RATIO <= self.rate <= promise * RATIO
        return off and not self.low <= promise <= self.high

    def doubt(self, promise: float | None) -> str:
        """Return the warning that a promised rate is contradicted; empty where it is not."""
        if promise is None or not self.contradicts(promise):
            return ""
        return (
            f"the threshold promises to flag {promise:.2%} of normal pixels, but {self.rate:.2%} "
            f"({self.low:.2%} to {self.high:.2%}) of {self.pixels} that training did not read lie "
            f"above it: expect this rate on new scenes, or choose the threshold by another rule or "
            f"on normal pixels of more scenes (anomvae threshold)"
        )


def held_out_rate(
    scores: NDArray[np.floating], blocks: NDArray[np.integer], threshold: float, seed: int
) -> HeldOutRate:
    """Measure the share of held-out scores above a threshold.

    Parameters
    ----------
    scores : array of float, shape (n,)
        Finite scores of held-out pixels, at least one.
    blocks : array of int, shape (n,)
        Any number that is the same for the pixels of one block.
    threshold : float
        Unit of the scores.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    HeldOutRate

    Examples
    --------
    >>> scores = np.random.default_rng(0).normal(size=4000)
    >>> result = held_out_rate(scores, np.arange(4000) // 100, threshold=2.0, seed=0)
    >>> result.rate, round(result.low, 3), round(result.high, 3)
    (0.0225, 0.018, 0.027)
    """
    _, block = np.unique(blocks, return_inverse=True)
    sizes = np.bincount(block).astype(np.float64)
    above = _above(scores, block, threshold)
    pixels, rate = len(scores), float(above.sum() / len(scores))
    body = _above(scores, block, min(threshold, float(np.quantile(scores, BODY))))
    design = _design_effect(body, sizes)
    ends = [_bootstrap(above, sizes, seed), _binomial(above.sum() / design, pixels / design)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return HeldOutRate(rate, pixels, len(sizes), min(low, rate), max(high, rate))


def _above(
    scores: NDArray[np.floating], block: NDArray[np.intp], threshold: float
) -> NDArray[np.float64]:
    """Count the scores of each block above a threshold."""
    flags = scores > np.float32(threshold)
    return np.bincount(block, flags).astype(np.float64)


def _bootstrap(
    above: NDArray[np.float64], sizes: NDArray[np.float64], seed: int
) -> tuple[float, float]:
    rng, count = np.random.default_rng(seed), len(sizes)
    drawn = (rng.integers(count, size=count) for _ in range(DRAWS))
    rates = [above[index].sum() / sizes[index].sum() for index in drawn]
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _design_effect(above: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    pixels, count = sizes.sum(), len(sizes)
    share = above.sum() / pixels
    independent = pixels * share * (1 - share)
    if count == 1 or independent == 0:
        return float(sizes.mean())  # nothing is known of the blocks: each counts as one pixel
    variance = count / (count - 1) * ((above - share * sizes) ** 2).sum()
    return max(1.0, float(variance / independent))


def _binomial(above: float, pixels: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    tail, below = (1 - LEVEL) / 2, pixels - above
    low = betaincinv(above, below + 1, tail) if above > 0 else 0.0
    high = betaincinv(above + 1, below, 1 - tail) if below > 0 else 1.0
    return float(low), float(high)
