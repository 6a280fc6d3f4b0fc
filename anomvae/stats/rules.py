"""The table of the rules that choose thresholds of scores.

A rule is written ``name`` or ``name:number``:

========== ====================================================== =======
rule       threshold                                              default
========== ====================================================== =======
sigma      mean + k standard deviations                           3
log-sigma  the same of log(1 + score)                             3
gaussian   the same of the score transformed to a normal          3
           distribution: a share 1 - Phi(k) exceeds it
sigma-clip as log-sigma, over the scores left by iterated         3
           clipping at it (sigma clipping)
mad        median + k * 1.4826 * median absolute deviation        5
quantile   the score that a share ``fpr`` of the pixels exceeds   0.001
fixed      the number itself                                      none
conformal  flags new normal pixels at a rate of at most ``fpr``   0.001
fdr        at most this share of a scene's flags is on normal     0.1
           pixels (Benjamini-Hochberg)
budget     flags at most so many pixels of a scene, or ``5km2``   none
f1         the best F1, given labels                              none
fpr        a share ``fpr`` of the normal labels exceeds it        0.001
========== ====================================================== =======

The scores that a rule is chosen from are its `ScoreSource`: those of all normal pixels; for
``conformal``, of pixels that training did not read; for ``fdr`` and ``budget``, those of each
scored scene; for ``f1`` and ``fpr``, those of labelled pixels, in an evaluation.

``sigma`` reads as a rate of 1 - Phi(k), .13 % at 3, but scores are skewed: it flags some 2 % of new
normal pixels.  ``gaussian`` keeps that rate, where pixels are known to be normal.  ``log-sigma`` is
for scores that may include anomalies: it flags at most 10 % of any scores (Cantelli's inequality at
k = 3).  Its price: anomalies on over 3 to 5 % of a scene widen the distribution and hide
themselves.  ``sigma-clip`` finds these, and flags more in any scene; it clips logarithms because
clipping the scores themselves would flag a tenth of every scene (docs/decisions/0002).  If it would
clip over a quarter of the scores, it has met heavy tails instead, and stops at its first cut.

Scores are in nats, unless a local-contrast weighting multiplies them; higher is more anomalous; NaN
is no data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from . import label_rules as labels
from . import normal_rules as normal
from . import scene_rules as scene
from .pvalues import PValues, conformal_p_values, empirical
from .ranks import Pairs
from .scene_rules import SceneScores
from .scores import ScoreDistribution


class ScoreSource(Enum):
    """What the scores are that a rule chooses a threshold from."""

    NORMAL = "all normal pixels"
    HELD_OUT = "normal pixels that training did not read"
    SCENE = "the scored scene"
    LABELS = "labelled pixels"


def _any(value: float) -> str:
    return ""


def _rate(value: float) -> str:
    if 0 < value < 1:
        return ""
    return f"promises a rate of {value:g}; give one between 0 and 1, such as 0.001"


def _score(value: float) -> str:
    return "" if value >= 0 else "flags everything: no score is below 0"


def _count(value: float) -> str:
    return "" if value > 0 else "flags nothing: give a number above 0, such as budget:500"


@dataclass(frozen=True)
class Number:
    """The number of a kind of rule."""

    default: float | None = None
    """The number where none is written; None: there must be one."""
    problem: Callable[[float], str] = _any
    """Returns what is wrong with a number; empty where nothing is."""
    areas: bool = False
    """Whether it may be an area, ``5km2``."""


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule; a row of `RULES`."""

    number: Number | None
    """Its number; None: it takes none."""
    choose: Callable[[ScoreDistribution, float], float] | None = None
    """Returns the threshold of normal scores, given the rule's number, for a rule of a scene a
    provisional one; None where there must be labels, or the number is the threshold."""
    held_out: bool = False
    """Whether its normal scores are those that training did not read."""
    promise: Callable[[float], float] | None = None
    """Returns the rate of normal pixels flagged that it promises."""
    p_values: Callable[[ScoreDistribution, float], PValues] | None = None
    """Returns the p-values of normal scores."""
    doubt: Callable[[ScoreDistribution, float], str] | None = None
    """Returns why a threshold of normal scores may break its promise; empty where it does not."""
    in_scene: Callable[[SceneScores, Callable[[], ScoreDistribution], float], float] | None = None
    """Returns the threshold of a scene, given what returns the normal scores where needed."""
    of_labels: Callable[[Pairs, float], float] | None = None
    """Returns the threshold of labelled scores."""

    @property
    def source(self) -> ScoreSource:
        """The scores that it is chosen from; for a threshold that is given, of no account."""
        if self.of_labels is not None:
            return ScoreSource.LABELS
        if self.in_scene is not None:
            return ScoreSource.SCENE
        return ScoreSource.HELD_OUT if self.held_out else ScoreSource.NORMAL

    @property
    def given(self) -> bool:
        """Whether its number is the threshold, so that it needs no scores."""
        return self.choose is None and self.of_labels is None

    @property
    def counts(self) -> bool:
        """Whether it flags as many pixels of a scene as it is asked for, whatever their scores."""
        return self.in_scene is not None and not self.held_out


def _itself(value: float) -> float:
    return value


def _conformal(scores: ScoreDistribution, number: float) -> PValues:
    return conformal_p_values(scores)


def _gaussian(scores: ScoreDistribution, k: float) -> PValues:
    return empirical(scores.credible(), normal.credible_tail(scores, k))


RULES: dict[str, RuleKind] = {
    "sigma": RuleKind(Number(3.0), normal.sigma, promise=normal.normal_tail),
    "log-sigma": RuleKind(Number(3.0), normal.log_sigma),
    "gaussian": RuleKind(
        Number(3.0),
        normal.gaussian,
        promise=normal.normal_tail,
        p_values=_gaussian,
        doubt=normal.gaussian_doubt,
    ),
    "sigma-clip": RuleKind(Number(3.0), normal.sigma_clip),
    "mad": RuleKind(Number(5.0), normal.mad),
    "quantile": RuleKind(
        Number(1e-3, _rate), normal.quantile, promise=_itself, p_values=_conformal
    ),
    "fixed": RuleKind(Number(problem=_score)),
    "conformal": RuleKind(
        Number(1e-3, _rate),
        normal.conformal,
        held_out=True,
        promise=_itself,
        p_values=_conformal,
    ),
    "fdr": RuleKind(
        Number(0.1, _rate),
        normal.conformal,
        held_out=True,
        p_values=_conformal,
        in_scene=lambda scores, normal, rate: scene.false_discoveries(scores, normal(), rate),
    ),
    "budget": RuleKind(
        Number(problem=_count, areas=True),
        lambda scores, pixels: normal.log_sigma(scores, 3.0),
        in_scene=lambda scores, normal, pixels: scene.budget(scores, pixels),
    ),
    "f1": RuleKind(None, of_labels=labels.best_f1),
    "fpr": RuleKind(Number(1e-3, _rate), of_labels=labels.rate_of_normal),
}
"""Every kind of rule by its name."""
