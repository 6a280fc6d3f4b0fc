"""Thresholds of scores, and the rules that choose them from the scores of normal pixels.

A rule is written ``name`` or ``name:number``:

========== ====================================================== =======
rule       threshold                                              default
========== ====================================================== =======
sigma      mean + k standard deviations                           3
sigma-clip the same of log(1 + score), over the scores left by    3
           iterated clipping at it (sigma clipping)
mad        median + k * 1.4826 * median absolute deviation        5
quantile   the score that a share ``fpr`` of the pixels exceeds   0.001
fixed      the number itself                                      none
========== ====================================================== =======

``sigma`` is for scores of normal pixels that the detector was not fitted on; ``sigma-clip`` for
scores that may include anomalies.  It clips logarithms because scores are skewed like a
chi-squared: clipping the scores themselves would flag a tenth of every scene
(docs/decisions/0002).  Scores are in nats, unless a local-contrast weighting
multiplies them; higher is more anomalous; NaN is no data.

One corrupt pixel may have a score of 1e14, and a mean would follow it.  So ``sigma`` leaves out
scores beyond a wide gap above the 95 % quantile (`ScoreDistribution.credible`): training trims the
same share.  Scores without such a gap keep every digit of their threshold.  ``sigma-clip`` that
would clip over a quarter of the scores has met heavy tails instead of anomalies, and stops at its
first cut.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotEnoughPixels, hint

GROUPS = 4096
TAIL = 1024
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FLOAT32_MAX = float(np.finfo(np.float32).max)
ROUNDS = 50  # clipping converges in about ten
BODY = 0.95
"""Share of the scores that is never left out; training trims the others, too."""
GAP = 4.0
"""Ratio of neighbouring values of 1 + score between which normal pixels end.  The widest gap in the
top 5 % of the scores of 46 models (all families) is 2.5."""
MOST_CLIPPED = 0.25
"""Share of the scores that clipping may remove; real scenes, full of anomalies, lose up to .22."""
SPARE = 3.0
"""Ratio of a threshold to the 99.9 % quantile of its scores at which a warning is given."""

log = logging.getLogger(__name__)


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
class Threshold:
    """A threshold, and how it was chosen."""

    value: float
    """Scores above this are anomalous; in the unit of the score, at least 0."""
    fpr: float
    """Share of the normal pixels used by the rule that lie above ``value``, in [0, 1]."""
    rule: str
    """The rule that chose ``value``, such as ``sigma:3``."""
    pixels: int
    """Normal pixels used by the rule."""
    held_out: bool
    """Whether the detector was fitted without these pixels."""

    def flag(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Flag anomalous scores; NaN (no data) is never anomalous."""
        return np.asarray(scores > np.float32(self.value))


def sigma(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the credible scores."""
    mean, std = scores.credible().moments()
    return mean + k * std


def sigma_clip(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the log scores that do not exceed it.

    Where over a quarter would exceed it, return the first cut, which at most 1 / (1 + k^2) of any
    scores exceed (Cantelli's inequality).
    """
    logs = ScoreDistribution(np.log1p(scores.values), scores.weights)
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


@dataclass(frozen=True)
class Rule:
    """A rule that chooses a threshold; a row of `RULES` with its number."""

    name: str
    """A name in `RULES`."""
    number: float
    """The rule's k, rate or value."""

    def __str__(self) -> str:
        """Write the rule as `parse_rule` reads it."""
        return f"{self.name}:{str(self.number).removesuffix('.0')}"

    def threshold(self, scores: ScoreDistribution, held_out: bool = True) -> Threshold:
        """Choose a threshold from scores of normal pixels; warn if it hardly flags anything."""
        value = float(np.clip(RULES[self.name][0](scores, self.number), 0.0, FLOAT32_MAX))
        high = scores.quantile(0.999)
        if value > SPARE * high > 0:
            log.warning(
                "the threshold %.4g (%s) lies %.3g times above the 99.9 %% quantile of the scores "
                "that it is chosen from, so it flags hardly anything. Look for corrupt pixels in "
                "the scenes, or choose another rule, such as quantile:0.001",
                *(value, self, value / high),
            )
        return Threshold(value, scores.exceeding(value), str(self), scores.count, held_out)


RULES: dict[str, tuple[Callable[[ScoreDistribution, float], float], float | None]] = {
    "sigma": (sigma, 3.0),
    "sigma-clip": (sigma_clip, 3.0),
    "mad": (mad, 5.0),
    "quantile": (quantile, 1e-3),
    "fixed": (lambda scores, value: value, None),
}
"""Each rule, and its default number."""


def parse_rule(text: str) -> Rule:
    """Read a rule, ``name`` or ``name:number``.

    Raises
    ------
    ConfigError
        If the rule is unknown, or its number is missing, not finite, a rate outside (0, 1), or a
        value below 0.

    Examples
    --------
    >>> parse_rule("sigma")
    Rule(name='sigma', number=3.0)
    >>> parse_rule("mad:4.5").number
    4.5
    """
    name, _, number = (part.strip() for part in text.partition(":"))
    if name == "clipped":
        raise ConfigError(f"threshold = {text!r}: clipped is now called sigma-clip.")
    if name not in RULES:
        raise ConfigError(f"threshold = {text!r}: no rule is called {name!r}. {hint(name, RULES)}")
    default = RULES[name][1]
    if not number and default is not None:
        return Rule(name, default)
    try:
        value = float(number)
    except ValueError:
        value = np.nan
    if not abs(value) <= FLOAT32_MAX:  # scores are float32; NaN fails, too
        raise ConfigError(f"threshold = {text!r}: write a number behind it, such as {name}:3.")
    if name == "quantile" and not 0 < value < 1:  # refused here, before hours of training
        raise ConfigError(
            f"threshold = {text!r} promises a false-positive rate of {value:g}; "
            f"give one between 0 and 1, such as quantile:0.001."
        )
    if name == "fixed" and value < 0:
        raise ConfigError(f"threshold = {text!r}: no score is below 0, so all pixels lie above it.")
    return Rule(name, value)
