"""Rules that choose a threshold from the scores of normal pixels alone.

Each takes a `ScoreDistribution` and the rule's number; the rules are listed, with their reasons, in
`anomvae.stats.rules`.

One corrupt pixel may have a score of 1e14, and a mean would follow it.  So scores beyond a wide gap
above the 95 % quantile (`ScoreDistribution.credible`) are left out of ``sigma`` and ``gaussian``:
training trims the same share.  In ``log-sigma`` they count as the largest credible score, so that
its bound holds for any scores.  Scores without such a gap keep every digit of their threshold.
"""

from __future__ import annotations

import logging
import math

import numpy as np

from ..errors import NotEnoughPixels
from .scores import BODY, ScoreDistribution
from .tails import ParetoTail, excesses_for, fit_tail

SPARE = 3.0
"""Ratio of a threshold to the 99.9 % quantile of its scores at which a warning is given."""
MAD_TO_SIGMA = 1.4826  # of a normal distribution
ROUNDS = 50  # clipping converges in about ten
MOST_CLIPPED = 0.25
"""Share of the scores that clipping may remove; real scenes, full of anomalies, lose up to .22."""
LEAST, MOST = float(np.finfo(np.float64).tiny), 1 - 2.0**-24
"""Ends of the rates that a number of standard deviations promises."""
MISFIT = 2.0
"""Factor between fitted and observed numbers of scores at which a warning is given."""

log = logging.getLogger(__name__)


def sigma(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the credible scores."""
    mean, std = scores.credible().moments()
    return mean + k * std


def log_sigma(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the log scores, as a score.

    At most 1 / (1 + k^2) of any scores exceed it, 10 % at k = 3 (Cantelli's inequality).
    """
    mean, std = _logs(scores.capped()).moments()
    return float(np.expm1(min(mean + k * std, 700.0)))


def gaussian(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the scores made normally distributed.

    That is the score that a share 1 - Phi(k) exceeds: an empirical quantile up to that of 95 %, the
    level of a generalised Pareto tail beyond it.
    """
    share, tail = normal_tail(k), credible_tail(scores, k)
    if tail is None or share >= tail.share:
        return scores.credible().quantile(1 - share)
    return tail.level(share)


def gaussian_doubt(scores: ScoreDistribution, k: float) -> str:
    """Return why ``gaussian`` may break its promise; empty where its tail fits."""
    share, tail = normal_tail(k), credible_tail(scores, k)
    factor = 1.0 if tail is None else tail.misfit(scores.credible(), share)
    if factor <= MISFIT:
        return ""
    return (
        f"the fitted tail is wrong by a factor of {factor:.2g} about how many of these very pixels "
        f"lie above a level, so it may not keep its rate of {share:.2g}. Choose another rule, such "
        f"as quantile:{share:.2g} or log-sigma:3"
    )


def credible_tail(scores: ScoreDistribution, k: float) -> ParetoTail | None:
    """Return the tail of the credible scores; None where they tie at their 95 % quantile.

    Raises
    ------
    NotEnoughPixels
        If there are too few scores to extrapolate to the share 1 - Phi(k).
    """
    share = normal_tail(k)
    needed = excesses_for(min(share, 1 - BODY)) / (1 - BODY)
    if scores.count < needed:
        raise NotEnoughPixels(
            f"{scores.count} normal pixels are too few for gaussian:{k:g}, which promises a "
            f"false-positive rate of {share:.2g}: it needs {math.ceil(needed)}. Give more, lower "
            f"its number, or choose another rule, such as log-sigma:3."
        )
    return fit_tail(scores.credible())


def normal_tail(k: float) -> float:
    """Return 1 - Phi(k), the share of a normal distribution above k standard deviations, in (0, 1).

    It is a rate of float32 p-values, so that it is below 1 as one of them.
    """
    return float(np.clip(math.erfc(k / math.sqrt(2)) / 2, LEAST, MOST))


def sigma_clip(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the log scores that do not exceed it.

    Where over a quarter would exceed it, return the first cut, which at most 1 / (1 + k^2) of any
    scores exceed (Cantelli's inequality).
    """
    logs = _logs(scores)
    cuts = [np.inf]
    for _ in range(ROUNDS):
        mean, std = logs.up_to(cuts[-1]).moments()
        lower = max(mean + k * std, logs.values[0])  # rounding never drops all scores
        if lower >= cuts[-1]:
            break
        cuts.append(lower)
    first, cut = cuts[1], cuts[-1]
    clipped = logs.exceeding(cut)
    if clipped > MOST_CLIPPED > logs.exceeding(first):
        log.warning(
            "sigma clipping would flag %.0f %% of the pixels: their scores have heavy tails, or "
            "anomalies are many. The threshold is the mean + %g sigma of all log scores; "
            "choose another with --threshold, such as quantile:0.01",
            *(100 * clipped, k),
        )
        cut = first
    return float(np.expm1(cut))


def mad(scores: ScoreDistribution, k: float) -> float:
    """Return the median plus k robust standard deviations."""
    median = scores.quantile(0.5)
    deviation = np.abs(scores.values - median)
    order = np.argsort(deviation, kind="stable")
    deviations = ScoreDistribution(deviation[order], scores.weights[order])
    return median + k * MAD_TO_SIGMA * deviations.quantile(0.5)


def quantile(scores: ScoreDistribution, fpr: float) -> float:
    """Return the score that a share ``fpr`` of the scores exceeds."""
    if scores.count * fpr < 1:
        raise NotEnoughPixels(
            f"{scores.count} normal pixels cannot show a false-positive rate of {fpr:g}: "
            f"raise it, or fit the threshold on {int(np.ceil(1 / fpr))} (anomvae threshold)."
        )
    return scores.quantile(1 - fpr)


def conformal(scores: ScoreDistribution, fpr: float) -> float:
    """Return the largest score with a conformal p-value above ``fpr`` (`anomvae.stats.pvalues`)."""
    reaching = math.floor(fpr * (scores.count + 1) * (1 + 1e-12))  # the flagged one included
    spare = min(reaching, scores.count) - 1  # scores that may reach a flag
    if spare < 0:
        raise NotEnoughPixels(
            f"{scores.count} held-out pixels cannot show a false-positive rate of {fpr:g}: raise "
            f"it, or hold out {math.ceil(1 / fpr - 1)} pixels by training on larger scenes."
        )
    above = np.cumsum(scores.weights[::-1])[::-1]  # each value's own weight included
    return float(scores.values[np.flatnonzero(above > spare)[-1]])


def far_above_doubt(scores: ScoreDistribution, value: float, rule: str) -> str:
    """Return why the threshold of a rule may flag nothing; empty where it is near the scores."""
    high = scores.quantile(0.999)
    if not value > SPARE * high > 0:
        return ""
    return (
        f"the threshold {value:.4g} ({rule}) lies {value / high:.3g} times above the 99.9 % "
        f"quantile of the scores that it is chosen from, so it flags hardly anything. Look for "
        f"corrupt pixels in the scenes, or choose another rule, such as quantile:0.001"
    )


def _logs(scores: ScoreDistribution) -> ScoreDistribution:
    return ScoreDistribution(np.log1p(scores.values), scores.weights)
