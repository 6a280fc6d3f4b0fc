"""The decisions that evaluations measure: that of a map, and those by other rules."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import PathText
from ..mapping import MapResult, summary_of_map
from ..mapping.flagging import Decision
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule, ScoreSource, Threshold
from .labelled import LabelledMap, Labels


def decision_of_map(
    result: MapResult | PathText, tags: Mapping[str, str], ours: LabelledMap
) -> Decision | None:
    """Return what flags the pixels of a map of these tags; None where it names no threshold.

    The summary counts before the tags: `rethreshold` may have decided the map anew.  The threshold
    has been chosen, so that there are the same flags as in the files of the map.

    Raises
    ------
    ConfigError
        If the rule has a condition that this version does not know.
    """
    known = result if isinstance(result, MapResult) else summary_of_map(Path(result), tags)
    if known is not None:
        return Decision.at(known.threshold, ours.scored)
    value = float(tags.get("ANOMVAE_THRESHOLD", "nan"))
    if math.isnan(value):
        return None
    return Decision.at(_given(value, tags.get("ANOMVAE_THRESHOLD_RULE", "")), ours.scored)


def decision_by(rule: Rule, ours: LabelledMap, normal: NormalScores | None) -> Decision:
    """Decide a map by a rule, which may need labels.

    ``normal`` are the scores of a model's normal pixels; None without a model.

    Raises
    ------
    NotEnoughPixels
        If there are too few scores or labels for the rule, or it needs a model and there is none.
    ConfigError
        If a budget is an area, and the scene has no georeference.
    """
    return Decision.at(_threshold(rule, ours, normal), ours.scored)


def _threshold(rule: Rule, ours: LabelledMap, normal: NormalScores | None) -> Threshold:
    if rule.source is ScoreSource.LABELS:
        return _given(rule.threshold_of_labels(lambda: _eligible(rule, ours)), str(rule))
    return rule.threshold_in(ours.scored.scores(), normal)


def _eligible(rule: Rule, ours: LabelledMap) -> Iterator[tuple[Labels, NDArray[np.float32]]]:
    """Yield labels and scores, 0 where a pixel does not meet the condition of the rule."""
    if not rule.local:
        yield from ours.pairs()
        return
    meets = Decision.at(_given(0.0, str(rule)), ours.scored)
    for (labels, scores), (_, flags) in zip(ours.pairs(), ours.flagged(meets), strict=True):
        yield labels, np.where(flags | np.isnan(scores), scores, np.float32(0))


def _given(value: float, rule: str) -> Threshold:
    """Return a threshold of which only the value and the rule are known."""
    return Threshold(value, math.nan, rule, 0, False)
