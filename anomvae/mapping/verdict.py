"""The verdict about a scored scene: that of its spectra and scores, and the share flagged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ..addresses import displayed
from ..stats.domain import Domain, Doubt, DoubtKind, SceneVerdict
from ..stats.drift import Drift
from ..stats.scores import describe_scores
from ..stats.thresholds import parse_rule
from .result import MapResult
from .statistics import RunningStatistics

log = logging.getLogger(__name__)

ROUGH = 0.01
"""Share of the threshold by which rounding may move a score unnoticed."""


def verdict_of_scene(
    domain: Domain | None,
    statistics: RunningStatistics,
    conversions: Sequence[str] = (),
    pixel_area: float | None = None,
) -> SceneVerdict | None:
    """Compare spectra, scores and pixels (their mean area, m2) of a scene with the training scenes.

    ``conversions`` are those that the data decided: each is a doubt.

    None where nothing is known of these, or the scene has no valid pixels.
    """
    scores = statistics.sampled
    if domain is None or not scores.size:
        return None
    verdict = domain.verdict(statistics.spectra, describe_scores(scores))
    doubts = (Doubt(DoubtKind.RADIOMETRY, severe=False, reason=text) for text in conversions)
    return SceneVerdict((*doubts, *domain.doubts_of_pixels(pixel_area), *verdict.doubts))


def drift_of_scene(
    domain: Domain | None, statistics: RunningStatistics, threshold: float
) -> Drift | None:
    """Measure how far a scene lies from the training scenes; pixels above a threshold do not count.

    None where nothing is known of these, or the scene has too few pixels.
    """
    reference = None if domain is None else domain.drift_reference
    if reference is None or not statistics.valid:
        return None
    spectra, scores = statistics.scored_spectra
    covered = statistics.valid / statistics.pixels
    return reference.drift(spectra, scores, threshold=threshold, covered=covered)


def log_rough(result: MapResult, max_error: float | None) -> None:
    """Warn where the scores of a map are rounded so far that flags may be others."""
    threshold = abs(result.threshold.value)
    if max_error is not None and max_error > ROUGH * threshold:
        log.warning(
            "%s: compress = lerc:%g moves scores by more than %g %% of the threshold, %g, and "
            "flags with them. Give lerc:%.1g or less.",
            *(displayed(result.scene), max_error, 100 * ROUGH, threshold, ROUGH * threshold),
        )


def log_empty(result: MapResult) -> None:
    """Warn where no pixel of a scene has a score, and why."""
    if not result.valid:
        log.warning(
            "%s: no pixel has a score, so its maps are empty: %d of %d pixels are masked, and %d "
            "have no data. Check masks (--mask none ignores those of a product) and nodata values.",
            *(displayed(result.scene), result.masked, result.pixels, result.missing),
        )


def with_verdict(result: MapResult, of_scene: SceneVerdict | None, expected: float) -> MapResult:
    """Add the verdict to a result, and warn where the scene is not like the training scenes.

    Parameters
    ----------
    result : MapResult
        The result.
    of_scene : SceneVerdict or None
        The verdict about the scene; the doubt about the share flagged is made anew.  None where
        nothing is known of the training scenes; then there is a verdict only if the share flagged
        is a doubt.
    expected : float
        The share of normal pixels that the rule of the threshold flags.
    """
    share = result.flagged / max(1, result.valid)
    verdict = warned(result.scene, of_scene, share, expected, result.threshold.rule)
    return replace(result, verdict=verdict)


def warned(
    scene: str, of_scene: SceneVerdict | None, share: float, expected: float, rule: str
) -> SceneVerdict | None:
    """Return the verdict of `with_verdict`, given the share flagged, and warn of its doubts."""
    if parse_rule(rule).kind.counts:  # the share is as the user wants it
        expected = 1.0
    verdict = (of_scene or SceneVerdict()).with_flagged(share, expected)
    if verdict.doubts:
        log.warning("%s: %s", displayed(scene), verdict)
    return verdict if verdict.doubts or of_scene is not None else None
