"""P-values: promises kept on new pixels, and agreement with thresholds."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import NotEnoughPixels
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule

PROMISING = (
    "gaussian:3",
    "gaussian:1",
    "gaussian:-9",
    "quantile:0.01",
    "conformal:0.01",
    "conformal:0.2",
)
HAVING = (*PROMISING, "fdr:0.1")
some_scores = st.lists(
    st.one_of(st.floats(0, 2.0**100, width=32), st.sampled_from([0.0, 1.0, 1.0, 7.5])),
    min_size=1,
    max_size=80,
)


def draw(count, seed=0):
    return (0.5 * np.random.default_rng(seed).chisquare(12, count)).astype(np.float32)


def normal(scores):
    return NormalScores.of(np.asarray(scores, np.float32), held_out=True)


@pytest.mark.parametrize("rule", HAVING)
@given(values=some_scores, others=some_scores)
def test_p_values_lie_in_0_to_1_and_never_rise_with_the_score(rule, values, others):
    p_values = parse_rule(rule).p_values(normal(np.resize(values, 2000)))
    scores = np.sort(np.array(values + others + [0, 1e38], np.float32))

    p = p_values.of(scores)

    assert p.dtype == np.float32
    assert ((p > 0) & (p <= 1)).all()
    assert (np.diff(p) <= 0).all()


@pytest.mark.parametrize("rule", PROMISING)
@given(values=some_scores, others=some_scores)
def test_flagged_are_those_with_a_p_value_up_to_the_promised_rate(rule, values, others):
    parsed, scores = parse_rule(rule), normal(np.resize(values, 2000))
    threshold, p_values = parsed.threshold(scores), parsed.p_values(scores)
    cut = np.float32(threshold.value)
    near = [np.nextafter(cut, np.float32(0)), cut, np.nextafter(cut, np.float32(np.inf))]
    new = np.array(values + others + near, np.float32)

    flagged = threshold.flag(new)

    np.testing.assert_array_equal(flagged, p_values.of(new) <= parsed.promise)


@pytest.mark.parametrize("rule", HAVING)
@pytest.mark.parametrize("count", [3000, 200_000])
def test_a_share_a_of_new_pixels_has_a_p_value_of_at_most_a(rule, count):
    p = parse_rule(rule).p_values(normal(draw(count))).of(draw(400_000, seed=1))

    for share in (0.5, 0.1, 0.01, 0.002):
        assert (p <= share).mean() == pytest.approx(share, rel=0.5)


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_conformal_flags_a_normal_pixel_at_the_promised_rate_on_average(rate):
    rng, rates = np.random.default_rng(0), []
    for _ in range(400):
        held_out, new = rng.lognormal(0, 1, (2, 199)).astype(np.float32)
        rates.append(parse_rule(f"conformal:{rate}").threshold(normal(held_out)).flag(new).mean())

    # 4 pixels of 200 may reach a flag at .02: the rate is exact, not only bounded.
    assert np.mean(rates) == pytest.approx(rate, abs=4 * np.std(rates) / 20)


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 99), (0.1, 9), (0.001, 999), (0.3, 3)])
def test_conformal_needs_as_many_pixels_as_it_names(rate, needed):
    rule = parse_rule(f"conformal:{rate}")

    assert rule.threshold(normal(draw(needed))).value == draw(needed).max()
    with pytest.raises(NotEnoughPixels, match=rf"hold out {needed} pixels"):
        rule.threshold(normal(draw(needed - 1)))


def test_conformal_p_values_are_those_of_their_definition():
    held_out, scores = draw(50), draw(200, seed=4)

    p = parse_rule("fdr:0.1").p_values(normal(held_out)).of(scores)

    expected = [(1 + (held_out >= s).sum()) / 51 for s in scores]
    np.testing.assert_allclose(p, expected, rtol=1e-6)


def test_no_data_stays_no_data_in_any_shape():
    p_values = parse_rule("gaussian").p_values(normal(draw(3000)))
    scores = np.array([[1.0, np.nan], [50.0, 3.0]], np.float32)

    p = p_values.of(scores)

    assert np.isnan(p).tolist() == [[False, True], [False, False]]
    assert p_values.of(np.float32(1.0)).shape == ()


def test_far_scores_are_separated_by_the_tail_and_have_the_least_p_value_beyond_its_end():
    heavy = np.random.default_rng(0).exponential(1, 5000).astype(np.float32)
    bounded = np.random.default_rng(0).uniform(0, 1, 5000).astype(np.float32)

    far = parse_rule("gaussian").p_values(normal(heavy)).of(np.float32([10, 15, 20]))
    beyond = parse_rule("gaussian").p_values(normal(bounded)).of(np.float32([5, 1e30]))

    assert far[0] > 2 * far[1] > 4 * far[2] > 0
    assert (beyond > 0).all()
    assert (beyond < 1e-30).all()


@pytest.mark.parametrize("rule", ["sigma", "log-sigma", "sigma-clip", "mad", "fixed:3", "budget:5"])
def test_rules_that_describe_no_distribution_have_no_p_values(rule):
    assert parse_rule(rule).p_values(normal(draw(3000))) is None


def test_p_values_travel_to_other_processes():
    p_values = parse_rule("gaussian").p_values(normal(draw(300_000)))

    content = pickle.dumps(p_values)

    assert len(content) < 100_000
    scores = draw(100, seed=2)
    np.testing.assert_array_equal(pickle.loads(content).of(scores), p_values.of(scores))


def test_p_values_without_held_out_pixels_are_refused():
    with pytest.raises(NotEnoughPixels, match="none are held out"):
        parse_rule("fdr").p_values(NormalScores.of(draw(3000), held_out=False))
