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
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotEnoughPixels, hint
from .scores import NormalScores, ScoreDistribution

MAD_TO_SIGMA = 1.4826  # of a normal distribution
FLOAT32_MAX = float(np.finfo(np.float32).max)
ROUNDS = 50  # clipping converges in about ten
MOST_CLIPPED = 0.25
"""Share of the scores that clipping may remove; real scenes, full of anomalies, lose up to .22."""
SPARE = 3.0
"""Ratio of a threshold to the 99.9 % quantile of its scores at which a warning is given."""

log = logging.getLogger(__name__)


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


def log_sigma(scores: ScoreDistribution, k: float) -> float:
    """Return the mean plus k standard deviations of the log scores, as a score.

    At most 1 / (1 + k^2) of any scores exceed it (Cantelli's inequality).
    """
    logs = ScoreDistribution(np.log1p(scores.values), scores.weights)
    mean, std = logs.moments()
    return float(np.expm1(mean + k * std))


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


class ScoreSource(Enum):
    """What the scores are that a rule chooses a threshold from."""

    NORMAL = "all normal pixels"
    HELD_OUT = "normal pixels that training did not read"
    SCENE = "the scored scene"
    LABELS = "labelled pixels"


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule; a row of `RULES`."""

    choose: Callable[[ScoreDistribution, float], float]
    """Returns the threshold of scores, given the rule's number."""
    default: float | None
    """The number where none is written; None: there must be one."""
    source: ScoreSource = ScoreSource.NORMAL
    """The scores that it is chosen from."""


@dataclass(frozen=True)
class Rule:
    """A rule that chooses a threshold, with its number, and a condition on the surroundings."""

    name: str
    """A name in `RULES`."""
    number: float
    """The rule's k, rate, count or value."""
    local: float = 0.0
    """K of the second condition ``local:K``; 0: none."""

    def __str__(self) -> str:
        """Write the rule as `parse_rule` reads it."""
        local = f"+local:{_text(self.local)}" if self.local else ""
        return f"{self.name}:{_text(self.number)}{local}"

    @property
    def source(self) -> ScoreSource:
        """The scores that it is chosen from."""
        return RULES[self.name].source

    def threshold(self, scores: NormalScores) -> Threshold:
        """Choose a threshold from scores of normal pixels; warn if it hardly flags anything.

        That of a rule of the scene is provisional: it is chosen anew for each scored scene.

        Raises
        ------
        NotEnoughPixels
            If there are too few scores for the rule, or none that are held out.
        """
        held_out = self.source is ScoreSource.HELD_OUT
        chosen_from = scores.held_out if held_out else scores.all
        if chosen_from is None:
            raise NotEnoughPixels(
                f"threshold = {self}: the rule needs pixels that training did not read, but none "
                f"are held out. Train on larger scenes, or choose another rule: log-sigma:3."
            )
        value = float(np.clip(RULES[self.name].choose(chosen_from, self.number), 0.0, FLOAT32_MAX))
        high = chosen_from.quantile(0.999)
        if value > SPARE * high > 0:
            log.warning(
                "the threshold %.4g (%s) lies %.3g times above the 99.9 %% quantile of the scores "
                "that it is chosen from, so it flags hardly anything. Look for corrupt pixels in "
                "the scenes, or choose another rule, such as quantile:0.001",
                *(value, self, value / high),
            )
        fpr, count = chosen_from.exceeding(value), chosen_from.count
        return Threshold(value, fpr, str(self), count, held_out or scores.all_held_out)


def _text(number: float) -> str:
    return str(number).removesuffix(".0")


RULES: dict[str, RuleKind] = {
    "sigma": RuleKind(sigma, 3.0),
    "log-sigma": RuleKind(log_sigma, 3.0),
    "sigma-clip": RuleKind(sigma_clip, 3.0),
    "mad": RuleKind(mad, 5.0),
    "quantile": RuleKind(quantile, 1e-3),
    "fixed": RuleKind(lambda scores, value: value, None),
}
"""Every kind of rule by its name."""


def parse_rule(text: str) -> Rule:
    """Read a rule, ``name`` or ``name:number``, with ``+local:K`` or without.

    Raises
    ------
    ConfigError
        If the rule is unknown, or its number is missing, not finite, a rate outside (0, 1), or a
        value below 0.

    Examples
    --------
    >>> parse_rule("sigma")
    Rule(name='sigma', number=3.0, local=0.0)
    >>> parse_rule("mad:4.5").number
    4.5
    >>> str(parse_rule("log-sigma+local:2"))
    'log-sigma:3+local:2'
    """
    main, _, condition = (part.strip() for part in text.partition("+"))
    name, _, number = (part.strip() for part in main.partition(":"))
    if name == "clipped":
        raise ConfigError(f"threshold = {text!r}: clipped is now called sigma-clip.")
    if name not in RULES:
        raise ConfigError(f"threshold = {text!r}: no rule is called {name!r}. {hint(name, RULES)}")
    default, local = RULES[name].default, _local(condition, text)
    if not number and default is not None:
        return Rule(name, default, local)
    value = _number(number)
    if not abs(value) <= FLOAT32_MAX:  # scores are float32; NaN fails, too
        raise ConfigError(f"threshold = {text!r}: write a number behind it, such as {name}:3.")
    if name == "quantile" and not 0 < value < 1:  # refused here, before hours of training
        raise ConfigError(
            f"threshold = {text!r} promises a false-positive rate of {value:g}; "
            f"give one between 0 and 1, such as quantile:0.001."
        )
    if name == "fixed" and value < 0:
        raise ConfigError(f"threshold = {text!r}: no score is below 0, so all pixels lie above it.")
    return Rule(name, value, local)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _local(condition: str, text: str) -> float:
    """Read ``local:K``; 0 where there is no condition."""
    if not condition:
        return 0.0
    name, _, number = (part.strip() for part in condition.partition(":"))
    value = _number(number)
    if name != "local" or not 0 < value <= FLOAT32_MAX:
        raise ConfigError(
            f"threshold = {text!r}: behind + stands local:K, K above 0, such as local:2."
        )
    return value
