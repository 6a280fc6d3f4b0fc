"""Rules of the scored scene: budgets that are kept, and the share of false discoveries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import ConfigError, NotEnoughPixels
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import SceneScores, parse_rule

tied = st.lists(
    st.one_of(st.floats(0, 2.0**120, width=32), st.sampled_from([0.0, -0.0, 2.5, 2.5, 9.0])),
    min_size=1,
    max_size=60,
)


def scene_of(scores, parts=3, area=None):
    pieces = np.array_split(np.asarray(scores, np.float32), parts)
    return SceneScores(lambda: iter(pieces), area)


def draw(count, rng):
    return (0.5 * rng.chisquare(12, count)).astype(np.float32)


@given(values=tied, pixels=st.integers(1, 70), parts=st.integers(1, 4))
def test_a_budget_is_never_exceeded_and_used_up_but_for_ties(values, pixels, parts):
    scores = np.array(values, np.float32)

    threshold = parse_rule(f"budget:{pixels}").threshold_in(scene_of(scores, parts), None)

    flags = threshold.flag(scores)
    assert flags.sum() <= pixels
    positive = np.unique(scores[(scores > 0) & ~flags])
    if positive.size:  # flagging the next score, too, would exceed the budget
        assert (scores >= positive[-1]).sum() > pixels
    assert threshold.pixels == scores.size
    assert threshold.fpr == pytest.approx(flags.mean())
    assert threshold.rule == f"budget:{pixels}"


def test_a_fixed_threshold_needs_no_normal_scores_in_a_scene():
    threshold = parse_rule("fixed:2").threshold_in(scene_of(np.array([1, 2, 3, np.nan]), 2), None)

    assert (threshold.value, threshold.rule) == (2, "fixed:2")
    assert (threshold.pixels, threshold.fpr) == (3, pytest.approx(1 / 3))


@given(values=tied, rate=st.sampled_from([0.1, 0.5]), cuts=st.integers(1, 7))
def test_the_threshold_of_a_scene_does_not_depend_on_its_parts(values, rate, cuts):
    normal = NormalScores.of(np.arange(100.0), held_out=True)

    for rule in ("budget:3", f"fdr:{rate}"):
        whole = parse_rule(rule).threshold_in(scene_of(values, 1), normal)
        assert parse_rule(rule).threshold_in(scene_of(values, cuts), normal) == whole


def test_an_area_is_a_budget_of_as_many_pixels_as_it_holds():
    scores = np.random.default_rng(0).permutation(10_000).astype(np.float32)
    scene = scene_of(scores, area=100.0)  # pixels of 10 m

    threshold = parse_rule("budget:0.0257km2").threshold_in(scene, None)

    assert threshold.flag(scores).sum() == 257
    assert threshold.rule == "budget:0.0257km2"


def test_an_area_in_a_scene_without_georeference_is_answered():
    with pytest.raises(ConfigError, match=r"no georeference.* such as budget:500"):
        parse_rule("budget:5km2").threshold_in(scene_of([1.0]), None)


@pytest.mark.parametrize("rule", ["budget:1", "fdr:0.1"])
@pytest.mark.parametrize("scores", [[], [np.nan, np.nan], [np.inf]])
def test_a_scene_without_scores_has_a_threshold(rule, scores):
    normal = NormalScores.of(np.arange(100.0), held_out=True)

    threshold = parse_rule(rule).threshold_in(scene_of(scores, 1), normal)

    assert np.isfinite(threshold.value)
    assert (threshold.pixels, threshold.fpr) == (0, 0.0)


@given(values=tied, seed=st.integers(0, 100), rate=st.sampled_from([0.05, 0.2, 0.6]))
def test_fdr_flags_the_pixels_that_benjamini_and_hochberg_flag(values, seed, rate):
    rng = np.random.default_rng(seed)
    held_out = draw(60, rng)
    scores = np.append(np.array(values, np.float32), draw(20, rng))
    normal = NormalScores.of(held_out, held_out=True)

    flags = parse_rule(f"fdr:{rate}").threshold_in(scene_of(scores), normal).flag(scores)

    p = (1 + (held_out >= scores[:, None]).sum(axis=1)) / (1 + held_out.size)
    ordered = np.sort(p)
    passed = np.flatnonzero(ordered * p.size <= rate * np.arange(1, p.size + 1) * (1 + 1e-12))
    expected = p <= ordered[passed[-1]] if passed.size else np.zeros(p.size, bool)
    np.testing.assert_array_equal(flags, expected)


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_fdr_bounds_the_share_of_false_flags(rate):
    rng, shares, found = np.random.default_rng(0), [], []
    for _ in range(150):
        normal = NormalScores.of(draw(2000, rng), held_out=True)
        scores = np.append(draw(950, rng), 14 + draw(50, rng))

        flags = parse_rule(f"fdr:{rate}").threshold_in(scene_of(scores), normal).flag(scores)

        shares.append(flags[:950].sum() / max(1, flags.sum()))
        found.append(flags[950:].mean())
    assert np.mean(shares) <= rate + 3 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(found) > 0.3


def test_fdr_flags_hardly_a_normal_scene():
    rng = np.random.default_rng(1)
    flagged = [
        parse_rule("fdr:0.1")
        .threshold_in(scene_of(draw(1000, rng)), NormalScores.of(draw(2000, rng), held_out=True))
        .fpr
        > 0
        for _ in range(200)
    ]

    assert np.mean(flagged) <= 0.1 + 3 * np.sqrt(0.09 / 200)


def test_fdr_that_too_few_held_out_pixels_keep_from_flagging_is_warned_of(caplog):
    rng = np.random.default_rng(2)
    few, many = (NormalScores.of(draw(count, rng), held_out=True) for count in (500, 50_000))
    scene = scene_of(np.append(draw(10_000, rng), 99 + draw(60, rng)))

    assert parse_rule("fdr:0.1").threshold_in(scene, few).fpr == 0
    assert "fdr:0.1 flags nothing" in caplog.text
    assert "among 10060 pixels" in caplog.text
    caplog.clear()
    assert parse_rule("fdr:0.1").threshold_in(scene, many).fpr > 0
    assert parse_rule("fdr:0.1").threshold_in(scene_of(draw(10_000, rng)), few).fpr == 0
    assert not caplog.text


def test_fdr_of_nearly_1_flags_scores_above_all_normal_ones():
    normal, scene = NormalScores.of(np.arange(100.0), held_out=True), np.full(50, 1000.0)

    threshold = parse_rule("fdr:0.99999999999999").threshold_in(scene_of(scene), normal)

    assert threshold.flag(scene.astype(np.float32)).all()


def test_fdr_without_normal_scores_is_answered():
    with pytest.raises(NotEnoughPixels, match="no model gives them"):
        parse_rule("fdr").threshold_in(scene_of([1.0]), None)
    with pytest.raises(NotEnoughPixels, match="none are held out"):
        parse_rule("fdr").threshold_in(
            scene_of([1.0]), NormalScores.of(np.arange(100.0), held_out=False)
        )


def test_other_rules_do_not_look_at_the_scene():
    normal = NormalScores.of(np.arange(100.0), held_out=True)

    for rule in ("sigma:3", "log-sigma:3", "conformal:0.1"):
        parsed = parse_rule(rule)
        assert parsed.threshold_in(scene_of([1e9]), normal) == parsed.threshold(normal)
