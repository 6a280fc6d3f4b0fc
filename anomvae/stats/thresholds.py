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
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotEnoughPixels, hint

GROUPS = 4096
TAIL = 1024
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FLOAT32_MAX = float(np.finfo(np.float32).max)
ROUNDS = 50  # clipping converges in about ten


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

    def moments(self, below: float = np.inf) -> tuple[float, float]:
        """Return mean and standard deviation of the scores up to ``below``."""
        chosen = self.values <= below
        values, weights = self.values[chosen], self.weights[chosen]
        mean = np.average(values, weights=weights)
        return float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))

    def quantile(self, share: float) -> float:
        """Return the score that a share of the scores does not exceed; share in [0, 1]."""
        rank = np.cumsum(self.weights)
        position = np.searchsorted(rank, share * rank[-1] * (1 - 1e-12))
        return float(self.values[position])

    def exceeding(self, value: float) -> float:
        """Return the share of scores above ``value``, in [0, 1]."""
        return float(self.weights[self.values > value].sum() / self.weights.sum())


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
    """Scores above this are anomalous; in the unit of the score."""
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
    """Return the mean plus k standard deviations."""
    mean, std = scores.moments()
    return mean + k * std


def sigma_clip(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the log scores that do not exceed it."""
    logs = ScoreDistribution(np.log1p(scores.values), scores.weights)
    cut = np.inf
    for _ in range(ROUNDS):
        mean, std = logs.moments(below=cut)
        lower = max(mean + k * std, logs.values[0])  # rounding never drops all scores
        if lower >= cut:
            break
        cut = lower
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
        """Choose a threshold from scores of normal pixels."""
        value = RULES[self.name][0](scores, self.number)
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
        If the rule is unknown, or its number is missing, not finite, or a rate outside (0, 1).

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
    return Rule(name, value)
