"""Thresholds of scores, chosen by a rule.

A rule is written ``name`` or ``name:number``, as in the table of `anomvae.stats.rules`, and
``+local:K`` adds a condition on the surroundings of a pixel (`anomvae.stats.local_condition`).

Scores are in nats, unless a local-contrast weighting multiplies them; higher is more anomalous; NaN
is no data.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, NotEnoughPixels, hint
from .normal_rules import far_above_doubt
from .pvalues import PValues
from .ranks import Pairs
from .rule_text import FLOAT32_MAX, KM2, number_text, parts_of, read_condition, read_number
from .rules import RULES, RuleKind, ScoreSource
from .scene_rules import SceneScores
from .scores import NormalScores, ScoreDistribution

__all__ = ["FLOAT32_MAX", "RULES", "Rule", "SceneScores", "ScoreSource", "Threshold", "parse_rule"]

AUTO = "auto"
"""Name of the rule that depends on what is scored; `anomvae.models.plan` resolves it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Threshold:
    """A threshold, and how it was chosen."""

    value: float
    """Scores above this are anomalous; in the unit of the score, at least 0; NaN: `pending`."""
    fpr: float
    """Share of the pixels used by the rule that lie above ``value``, in [0, 1]."""
    rule: str
    """The rule that chose ``value``, such as ``sigma:3``."""
    pixels: int
    """Pixels used by the rule: normal ones, or those of the scene."""
    held_out: bool
    """Whether the detector was fitted without these pixels."""

    @property
    def promise(self) -> float | None:
        """The rate of normal pixels that its rule promises to flag; None if none, or unknown."""
        rule = self._known_rule
        return None if rule is None else rule.promise

    @property
    def pending(self) -> bool:
        """Whether only its rule is known: it is chosen from the scores of the scored scene."""
        return math.isnan(self.value)

    @property
    def provisional(self) -> bool:
        """Whether it is chosen anew for each scored scene."""
        return self._known_rule is not None and self._known_rule.source is ScoreSource.SCENE

    @property
    def _known_rule(self) -> Rule | None:
        try:
            return parse_rule(self.rule)
        except ConfigError:
            return None

    def flag(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Flag anomalous scores; those that are not finite (no data) are never anomalous."""
        return np.asarray((scores > np.float32(self.value)) & (scores < np.inf))


@dataclass(frozen=True)
class Rule:
    """A rule that chooses a threshold, with its number, and a condition on the surroundings."""

    name: str
    """A name in `RULES`."""
    number: float
    """The rule's k, rate, count or value."""
    local: float = 0.0
    """K of the second condition ``local:K``; 0: none."""
    unit: str = ""
    """km2, where a budget is an area."""
    otherwise: Rule | None = None
    """The rule instead, where there are too few pixels; None: these are refused."""

    def __str__(self) -> str:
        """Write the rule as `parse_rule` reads it."""
        number = "" if self.kind.number is None else f":{number_text(self.number)}{self.unit}"
        return f"{self.name}{number}{self.condition}"

    @property
    def condition(self) -> str:
        """Its condition on the surroundings, ``+local:K``; empty if it has none."""
        return f"+local:{number_text(self.local)}" if self.local else ""

    @property
    def kind(self) -> RuleKind:
        """Its row of the table."""
        return RULES[self.name]

    @property
    def source(self) -> ScoreSource:
        """The scores that it is chosen from."""
        return self.kind.source

    @property
    def promise(self) -> float | None:
        """The rate of normal pixels that it promises to flag, in (0, 1); None if it promises none.

        That of ``sigma`` is the rate of a normal distribution, as it reads.
        """
        return None if self.kind.promise is None else self.kind.promise(self.number)

    def with_local(self, k: float) -> Rule:
        """Return the rule, and the one instead of it, with the condition ``local:k``; 0: none."""
        otherwise = None if self.otherwise is None else self.otherwise.with_local(k)
        return replace(self, local=k, otherwise=otherwise)

    def threshold(self, scores: NormalScores) -> Threshold:
        """Choose a threshold from scores of normal pixels; warn if it hardly flags anything.

        That of a rule of the scene is provisional: `threshold_in` chooses it for each scored scene.

        Raises
        ------
        NotEnoughPixels
            If there are too few scores for the rule, or none that are held out, and there is no
            other rule for that.
        ConfigError
            If the rule needs labels.
        """
        try:
            chosen_from = self._normal(scores)
            value = self._value(chosen_from)
        except NotEnoughPixels as error:
            if self.otherwise is None:
                raise
            log.warning("the threshold is chosen by %s: %s", self.otherwise, error)
            return self.otherwise.threshold(scores)
        for warning in self._doubts(chosen_from, value):
            log.warning("%s", warning)
        held_out = self.kind.held_out or scores.all_held_out
        return Threshold(
            value, chosen_from.exceeding(value), str(self), chosen_from.count, held_out
        )

    def threshold_in(self, scene: SceneScores, scores: NormalScores | None) -> Threshold:
        """Choose the threshold of a scored scene; by a rule of normal scores as `threshold` does.

        ``scores`` are those of normal pixels; ``budget`` and ``fixed`` need none.  For a rule of
        the scene, and for ``fixed``, the pixels and the share above it are those of the scene.

        Raises
        ------
        NotEnoughPixels
            As `threshold`, and if there are no normal scores for a rule that needs them.
        ConfigError
            If the rule needs labels, or a budget is an area and the scene has no georeference.
        """
        if self.kind.in_scene is None and not self.kind.given:
            return self.threshold(self._known(scores))
        value = _representable(self._of_scene(scene, scores))
        below, above = scene.counts(np.array([value], np.float32)).tolist()
        share = above / max(1, below + above)
        return Threshold(value, share, str(self), below + above, self.kind.held_out)

    def threshold_of_labels(self, pairs: Pairs) -> float:
        """Choose a threshold from a stream of labels and scores, for a rule that needs labels.

        Raises
        ------
        NotEnoughPixels
            If there are too few labels for the rule.
        ConfigError
            If the rule needs none.
        """
        if self.kind.of_labels is None:
            raise ConfigError(f"threshold = {self} is not chosen from labels, as f1 and fpr are.")
        return self.kind.of_labels(pairs, self.number)

    def p_values(self, scores: NormalScores) -> PValues | None:
        """Return the p-values that the scores of normal pixels give; None if the rule has none.

        Where the rule promises a rate, the scores above its threshold are those with a p-value of
        at most that rate.

        Raises
        ------
        NotEnoughPixels
            As `threshold`.
        """
        if self.kind.p_values is None:
            return None
        chosen_from = self._normal(scores)
        p_values = self.kind.p_values(chosen_from, self.number)
        if self.promise is None:
            return p_values
        return p_values.agreeing_with(self._value(chosen_from), self.promise)

    def _value(self, scores: ScoreDistribution) -> float:
        if self.kind.of_labels is not None:
            raise _needs_labels(str(self))
        choose = self.kind.choose
        return _representable(self.number if choose is None else choose(scores, self.number))

    def _of_scene(self, scene: SceneScores, scores: NormalScores | None) -> float:
        number, in_scene = self.pixels_in(scene.pixel_area_m2), self.kind.in_scene
        if in_scene is None:
            return number
        return in_scene(scene, lambda: self._normal(self._known(scores)), number)

    def _known(self, scores: NormalScores | None) -> NormalScores:
        if scores is None:
            raise NotEnoughPixels(
                f"threshold = {self} needs scores of normal pixels, but no model gives them. Give "
                f"the model, or choose fixed:VALUE or budget:N."
            )
        return scores

    def _normal(self, scores: NormalScores) -> ScoreDistribution:
        chosen_from = scores.held_out if self.kind.held_out else scores.all
        if chosen_from is None:
            raise NotEnoughPixels(
                f"threshold = {self}: the rule needs pixels that training did not read, but none "
                f"are held out. Train on larger scenes, or choose another rule: log-sigma:3."
            )
        return chosen_from

    def pixels_in(self, pixel_area_m2: float | None) -> float:
        """Return the number of pixels of a scene that the number of the rule stands for.

        Raises
        ------
        ConfigError
            If it is an area, and the scene has no georeference.
        """
        if self.unit != KM2:
            return self.number
        if pixel_area_m2 is None:
            raise ConfigError(
                f"threshold = {self}, but the scene has no georeference, so its pixels have no "
                f"area. Give a number of pixels, such as {self.name}:500."
            )
        return self.number * 1e6 / pixel_area_m2

    def _doubts(self, scores: ScoreDistribution, value: float) -> list[str]:
        """Return what is to be warned of about a threshold chosen from normal scores."""
        far = far_above_doubt(scores, value, str(self))
        why = "" if self.kind.doubt is None else self.kind.doubt(scores, self.number)
        return [doubt for doubt in (far, why and f"{self}: {why}") if doubt]


def _needs_labels(rule: str) -> ConfigError:
    return ConfigError(
        f"threshold = {rule!r} needs labels: give it to `anomvae evaluate --threshold`, and use "
        f"the fixed:VALUE that it prints."
    )


def _representable(value: float) -> float:
    return float(np.clip(value, 0.0, FLOAT32_MAX))


def parse_rule(text: str, *, auto: str = "", labels: bool = False) -> Rule:
    """Read a rule, ``name`` or ``name:number``, with ``+local:K`` or without.

    ``auto``: the rule that the name auto stands for; without one it is unknown.  ``labels``: a rule
    that needs labels is allowed, too.

    Raises
    ------
    ConfigError
        If the rule is unknown, or its number is missing, not finite, a rate outside (0, 1), or a
        value below 0; if it needs labels, and these are not allowed.

    Examples
    --------
    >>> str(parse_rule("sigma"))
    'sigma:3'
    >>> parse_rule("mad:4.5").number
    4.5
    >>> str(parse_rule("auto+local:2", auto="log-sigma:3")), str(parse_rule("budget:2.5 km2"))
    ('log-sigma:3+local:2', 'budget:2.5km2')
    """
    main, condition = parts_of(text)
    main = auto if auto and main.strip() == AUTO else main
    name, _, written = (part.strip() for part in main.partition(":"))
    if name == "clipped":
        raise ConfigError(f"threshold = {text!r}: clipped is now called sigma-clip.")
    if name == "local":
        raise ConfigError(
            f"threshold = {text!r}: local is a condition behind a rule, as in log-sigma:3+local:2."
        )
    if name not in RULES:
        raise ConfigError(f"threshold = {text!r}: no rule is called {name!r}. {hint(name, RULES)}")
    kind = RULES[name]
    if kind.source is ScoreSource.LABELS and not labels:
        raise _needs_labels(text)
    number, unit = read_number(written, kind.number, name, text)
    return Rule(name, number, read_condition(condition, text), unit)
