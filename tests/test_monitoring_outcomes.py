"""The outcome of a scene: normal, anomalous, or not comparable, with its reasons."""

from pathlib import Path

import pytest
from support.watching import result

from anomvae.monitoring.config import SiteConfig
from anomvae.monitoring.decisions.candidates import Candidates
from anomvae.monitoring.decisions.outcomes import Outcome, assess, short_history
from anomvae.stats.domain import Doubt, DoubtKind, SceneVerdict


def candidates(objects=3, share=0.3):
    return lambda: Candidates(Path("a.candidates.tif"), objects, 41, share)


def none():
    pytest.fail("candidates were looked for")


def site(**keys):
    own = {"name": "harbour", "model": "m", "out": "maps", "folder": {"path": "in"}}
    return SiteConfig.read(own | keys)


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ({}, "anomalous"),
        ({"min_objects": 3}, "anomalous"),
        ({"min_objects": 4}, "normal"),
        ({"min_objects": 9, "min_share": 0.3}, "anomalous"),
        ({"min_objects": 9, "min_share": 0.31}, "normal"),
    ],
)
def test_a_number_of_objects_or_a_share_of_pixels_is_anomalous(tmp_path, rule, outcome):
    assessment = assess(site(alert=rule), result(tmp_path, 30), candidates())

    assert assessment.outcome == outcome
    assert bool(assessment.reasons) is (outcome == "anomalous")


def test_a_scene_that_is_not_like_the_training_scenes_is_not_comparable(tmp_path):
    haze = Doubt(DoubtKind.SCORES, severe=True, reason="90% of its scores lie above")
    scored = result(tmp_path, 30, verdict=SceneVerdict((haze,)))

    assessment = assess(site(), scored, none)

    assert (assessment.outcome, assessment.reasons) == (Outcome.NOT_COMPARABLE, (haze.reason,))


def test_a_displaced_scene_is_not_comparable_and_looked_for_last(tmp_path):
    cloudy = result(tmp_path, 0, valid=8)
    cloudy.masked = 92

    assessment = assess(site(), result(tmp_path, 30), none, lambda: "it lies beside")

    assert (assessment.outcome, assessment.reasons) == (Outcome.NOT_COMPARABLE, ("it lies beside",))
    assert assess(site(), cloudy, none, none).outcome is Outcome.NOT_COMPARABLE


def test_a_scene_under_clouds_is_not_comparable(tmp_path):
    scored = result(tmp_path, 0, valid=8)
    scored.masked = 92

    assessment = assess(site(max_masked=0.9), scored, none)

    assert assessment.outcome is Outcome.NOT_COMPARABLE
    assert "masks hide 92% of it, more than max_masked = 0.9" in assessment.reasons
    assert assess(site(max_masked=0.95), scored, candidates(0, 0.0)).outcome is Outcome.NORMAL


@pytest.mark.parametrize(("before", "short"), [(0, True), (3, True), (4, False), (8, False)])
def test_a_scene_with_less_than_half_of_the_dates_before_it_is_not_comparable(before, short):
    compared = site(model=None, dates=9)

    reason = short_history(compared, before)

    assert reason == (f"only {before} of 8 dates before it are there" if short else None)
    assert short_history(site(dates=9), before) is None  # a model has learnt what is normal
