"""The outcome of a scene: normal, anomalous, or not comparable, with its reasons."""

import pytest
from support.watching import feature, result

from anomvae.monitoring.config import SiteConfig
from anomvae.monitoring.decisions.outcomes import Outcome, assess
from anomvae.stats.domain import Doubt, DoubtKind, SceneVerdict

OBJECTS = [feature(20), feature(12), feature(9)]


def site(**keys):
    own = {"name": "harbour", "model": "m", "out": "maps", "folder": {"path": "in"}}
    return SiteConfig.model_validate(own | keys)


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
    assessment = assess(site(alert=rule), result(tmp_path, 30, objects=OBJECTS))

    assert assessment.outcome == outcome
    assert bool(assessment.reasons) is (outcome == "anomalous")


def test_a_scene_that_is_not_like_the_training_scenes_is_not_comparable(tmp_path):
    haze = Doubt(DoubtKind.SCORES, severe=True, reason="90% of its scores lie above")
    scored = result(tmp_path, 30, objects=OBJECTS, verdict=SceneVerdict((haze,)))

    assessment = assess(site(), scored)

    assert (assessment.outcome, assessment.reasons) == (Outcome.NOT_COMPARABLE, (haze.reason,))


def test_a_scene_under_clouds_is_not_comparable(tmp_path):
    scored = result(tmp_path, 0, valid=8)
    scored.masked = 92

    assessment = assess(site(max_masked=0.9), scored)

    assert assessment.outcome is Outcome.NOT_COMPARABLE
    assert "masks hide 92% of it, more than max_masked = 0.9" in assessment.reasons
    assert assess(site(max_masked=0.95), scored).outcome is Outcome.NORMAL
