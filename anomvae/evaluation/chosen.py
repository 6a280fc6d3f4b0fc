"""The thresholds of an evaluation: of the evaluated scores, by a rule, and of the baselines."""

from __future__ import annotations

import numpy as np

from ..errors import ConfigError
from ..objects import mean_pixel_area
from ..raster import Georeference
from ..stats.moments import stream_statistics
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule, SceneScores, ScoreSource, parse_rule
from .scored import Stream, pairs_of


def evaluated_rule(text: str | None) -> Rule | None:
    """Read the rule of an evaluation, which may need labels; None: the scores keep their own.

    Raises
    ------
    ConfigError
        If the rule is unknown, or has a condition on the surroundings of a pixel.
    """
    if text is None:
        return None
    rule = parse_rule(text, labels=True)
    if rule.local:
        raise ConfigError(
            f"threshold = {text!r}: an evaluation measures scores, which have no {rule.condition}. "
            f"Leave it out."
        )
    return rule


def chosen_threshold(
    rule: Rule | None,
    own: float,
    windows: Stream,
    normal: NormalScores | None,
    where: Georeference,
) -> float:
    """Choose the threshold of labelled windows; ``own``: their own, where there is no rule.

    ``normal`` are the scores of a model's normal pixels, None without a model; ``where`` is the
    location of the windows.

    Raises
    ------
    NotEnoughPixels
        If there are too few scores or labels for the rule, or it needs a model and there is none.
    ConfigError
        If a budget is an area, and the scene has no georeference.
    """
    if rule is None:
        return own
    if rule.source is ScoreSource.LABELS:
        return rule.threshold_of_labels(pairs_of(windows))
    if rule.name == "fixed":
        return rule.number
    scene = SceneScores(lambda: (one.scores for one in windows()), mean_pixel_area(where))
    return rule.threshold_in(scene, normal).value


def three_sigma(windows: Stream) -> float | None:
    """Return mean + 3 standard deviations of all scores; None without a score."""
    scores = stream_statistics(one.scores[..., np.newaxis] for one in windows())
    return float(scores.mean[0] + 3 * scores.std[0]) if scores.count[0] else None
