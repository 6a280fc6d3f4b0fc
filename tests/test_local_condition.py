"""The condition ``local:K`` on the surroundings of a flagged pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.stats.local_condition import LocalCondition, log_std
from anomvae.stats.scene_rules import SceneScores

K = 2.0


def scores_of(shape, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    scores = (0.5 * rng.chisquare(12, shape)).astype(np.float32)
    scores[rng.random(shape) < missing] = np.nan
    return scores


def by_definition(scores, scene_std):
    logs = np.log1p(scores.astype(float))
    holds = np.zeros(scores.shape, bool)
    for row, col in np.argwhere(np.isfinite(scores)):
        rows = np.arange(max(0, row - 10), min(scores.shape[0], row + 11))
        cols = np.arange(max(0, col - 10), min(scores.shape[1], col + 11))
        guard = (abs(rows - row) <= 3)[:, None] & (abs(cols - col) <= 3)
        around = logs[np.ix_(rows, cols)][~guard]
        around = around[np.isfinite(around)]
        cut = around.mean() + K * max(around.std(), scene_std / 4) if around.size else -np.inf
        holds[row, col] = 4 * around.size < 21**2 - 7**2 or logs[row, col] > cut
    return holds


@pytest.mark.parametrize("shape", [(30, 27), (9, 40), (3, 3), (1, 60)])
@pytest.mark.parametrize("missing", [0.0, 0.5, 0.9])
def test_a_pixel_meets_it_where_it_stands_out_from_its_annulus(shape, missing):
    scores = scores_of(shape, missing=missing)

    holds = LocalCondition(K, 0.4).holds(scores)

    assert (holds == by_definition(scores, 0.4)).mean() > 0.999  # but for rounding to 2^-16


def test_small_objects_meet_it_and_the_inside_of_wide_ones_does_not():
    scores = scores_of((80, 80))
    scores[10:13, 10:13] = 60.0
    scores[30:70, 30:70] += 50.0

    holds = LocalCondition(K, 0.4).holds(scores)

    assert holds[10:13, 10:13].all()
    assert holds[45:55, 45:55].mean() < 0.1


def test_a_uniform_annulus_makes_no_anomaly_of_a_slight_difference():
    scores = np.full((30, 30), 6.0, np.float32)
    scores[15, 15] = 6.1

    assert LocalCondition(K, 0.0).holds(scores)[15, 15]
    assert not LocalCondition(K, 0.4).holds(scores)[15, 15]


def test_there_is_no_condition_where_the_annulus_lacks_data():
    scores = np.full((30, 30), np.nan, np.float32)
    scores[14:17, 14:17] = 1.0

    holds = LocalCondition(K, 0.4).holds(scores)

    np.testing.assert_array_equal(holds, np.isfinite(scores))


@settings(max_examples=25)
@given(row=st.integers(0, 30), col=st.integers(0, 30), seed=st.integers(0, 99))
def test_a_tile_with_its_halo_gives_the_bits_of_the_scene(row, col, seed):
    scores, condition = scores_of((60, 60), seed, missing=0.2), LocalCondition(K, 0.3)
    halo = condition.radius
    keep = np.s_[row : row + 20, col : col + 20]
    top, left = max(0, row - halo), max(0, col - halo)

    tile = condition.holds(scores[top : row + 20 + halo, left : col + 20 + halo])

    inner = tile[row - top : row - top + 20, col - left : col - left + 20]
    np.testing.assert_array_equal(inner, condition.holds(scores)[keep])


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_the_standard_deviation_of_a_scene_is_that_of_its_log_scores_in_any_parts(parts):
    scores = scores_of((50, 40), missing=0.1)
    whole = log_std(SceneScores(lambda: [scores]))

    std = log_std(SceneScores(lambda: np.array_split(scores, parts)))

    assert std == whole
    assert std == pytest.approx(np.nanstd(np.log1p(scores.astype(float))), rel=1e-4)


def test_the_standard_deviation_of_many_huge_scores_does_not_overflow():
    scores = np.full((3, 400_000), 1e38, np.float32)
    scores[0] = 0.0

    std = log_std(SceneScores(lambda: [scores]))

    assert std == pytest.approx(64 * np.sqrt(2) / 3, rel=1e-3)  # logs are clipped at 64


def test_a_scene_without_scores_has_no_standard_deviation():
    assert log_std(SceneScores(lambda: [np.full(3, np.nan)])) == 0.0
