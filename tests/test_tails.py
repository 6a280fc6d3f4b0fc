"""The ``gaussian`` rule: a promise kept by samples of many shapes, and an end for any scores."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import NotEnoughPixels
from anomvae.stats.scores import NormalScores, describe_scores
from anomvae.stats.tails import ParetoTail, fit_tail
from anomvae.stats.thresholds import parse_rule

SAMPLES = {
    "exponential": lambda rng, n: rng.exponential(2, n),
    "normal": lambda rng, n: rng.normal(50, 4, n),
    "pareto": lambda rng, n: rng.pareto(4, n),
    "chi-squared": lambda rng, n: 0.5 * rng.chisquare(12, n),
    "bounded": lambda rng, n: rng.uniform(0, 1, n),
    "log-normal": lambda rng, n: np.exp(rng.normal(0, 0.6, n)),
}


def normal(scores):
    return NormalScores.of(np.asarray(scores, np.float32), held_out=True)


def cut(scores, rule="gaussian:3"):
    return parse_rule(rule).threshold(normal(scores)).value


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(("k", "promise"), [(2.33, 0.0099), (3, 0.00135), (1, 0.1587), (0, 0.5)])
def test_gaussian_keeps_the_rate_of_a_normal_distribution(name, k, promise):
    rng = np.random.default_rng(3)
    learnt, new = SAMPLES[name](rng, 100_000), SAMPLES[name](rng, 400_000)

    rule = parse_rule(f"gaussian:{k}")

    assert rule.promise == pytest.approx(promise, rel=0.01)
    assert (new > cut(learnt, str(rule))).mean() == pytest.approx(promise, rel=0.4)


@pytest.mark.parametrize("name", ["exponential", "chi-squared"])
def test_the_fewest_pixels_achieve_the_promise_within_a_factor_of_four(name):
    rng = np.random.default_rng(0)
    new = np.sort(SAMPLES[name](rng, 400_000))
    cuts = [cut(SAMPLES[name](rng, 1800)) for _ in range(60)]

    rates = 1 - np.searchsorted(new, cuts) / new.size

    assert np.mean((rates > 0.00135 / 4) & (rates < 0.00135 * 4)) >= 0.95
    assert np.median(rates) == pytest.approx(0.00135, rel=0.3)


@pytest.mark.parametrize(("k", "needed"), [(2.33, 600), (3, 1700), (4, 29_400)])
def test_too_few_pixels_are_refused_by_the_number_needed(k, needed):
    scores = SAMPLES["exponential"](np.random.default_rng(0), 500)

    with pytest.raises(NotEnoughPixels, match=r"500 normal pixels .* it needs \d+") as refusal:
        cut(scores, f"gaussian:{k}")

    number = int(str(refusal.value).split("it needs ")[1].split(".")[0])
    assert number == pytest.approx(needed, rel=0.02)


def test_as_many_pixels_as_named_are_enough():
    scores = SAMPLES["exponential"](np.random.default_rng(0), 100_000)
    with pytest.raises(NotEnoughPixels) as refusal:
        cut(scores[:100])
    needed = int(str(refusal.value).split("it needs ")[1].split(".")[0])

    assert np.isfinite(cut(scores[:needed]))
    with pytest.raises(NotEnoughPixels):
        cut(scores[: needed - 1])


@given(
    st.lists(st.floats(0, 2.0**100), min_size=1, max_size=200),
    st.sampled_from([0.5, 1.7, 2.33, 3.0]),
)
def test_the_threshold_is_finite_and_never_below_the_95_percent_quantile_it_extends(values, k):
    scores = np.resize(np.array(values), 2000)

    value = cut(scores, f"gaussian:{k}")

    assert np.isfinite(value)
    if k > 1.645:
        credible = describe_scores(scores.astype(np.float32)).credible()
        assert value >= np.float32(credible.quantile(0.95))


@given(st.floats(1e-3, 1e3), st.integers(0, 5))
def test_the_threshold_has_the_unit_of_the_scores(unit, seed):
    rng = np.random.default_rng(seed)
    scores = 5 + SAMPLES["chi-squared"](rng, 3000)

    assert parse_rule("gaussian").threshold(
        NormalScores.of(scores * unit, held_out=True)
    ).value == pytest.approx(
        parse_rule("gaussian").threshold(NormalScores.of(scores, held_out=True)).value * unit
    )


def test_a_larger_number_never_lowers_the_threshold():
    scores = SAMPLES["chi-squared"](np.random.default_rng(1), 50_000)

    cuts = [cut(scores, f"gaussian:{k}") for k in np.arange(-4, 4.2, 0.2)]

    assert (np.diff(cuts) >= 0).all()


@pytest.mark.parametrize("count", [5, 5000])
def test_constant_scores_are_refused_or_flag_nothing(count):
    scores = np.full(count, 7.0, np.float32)

    if count == 5:
        with pytest.raises(NotEnoughPixels, match="5 normal pixels are too few"):
            cut(scores)
    else:
        assert cut(scores) == 7.0


def test_equal_excesses_give_a_threshold_just_above_them():
    scores = np.concatenate([np.linspace(0, 1, 9600), np.full(400, 3.0)])

    assert 3.0 <= cut(scores) < 6.0


def test_grouped_scores_give_the_tail_of_single_ones():
    scores = SAMPLES["chi-squared"](np.random.default_rng(5), 1_000_000)
    whole = np.sort(scores)
    excesses = whole[whole > np.quantile(whole, 0.95)] - np.quantile(whole, 0.95)
    n = excesses.size
    b0, b1 = excesses.mean(), (np.arange(n - 1, -1, -1) / (n - 1) * excesses).mean()

    tail = fit_tail(describe_scores(scores))

    assert tail.xi == pytest.approx(2 - b0 / (b0 - 2 * b1), abs=0.01)
    assert tail.beta == pytest.approx(2 * b0 * b1 / (b0 - 2 * b1), rel=0.01)


@pytest.mark.parametrize("xi", [-0.7, -1e-9, 0.0, 1e-9, 0.4, 0.99])
def test_level_and_share_are_inverse_for_every_shape(xi):
    tail = ParetoTail(start=4.0, share=0.05, xi=xi, beta=2.0)
    shares = np.geomspace(1e-6, 0.05, 20)

    levels = np.array([tail.level(share) for share in shares])

    np.testing.assert_allclose(tail.share_above(levels), shares, rtol=1e-6)
    assert (np.diff(levels) < 0).all()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("count", [3000, 100_000])
def test_a_tail_that_fits_is_not_warned_of(caplog, name, count):
    with caplog.at_level(logging.WARNING):
        cut(SAMPLES[name](np.random.default_rng(2), count))

    assert not caplog.messages


@pytest.mark.parametrize("count", [10_000, 300_000])
def test_a_tail_that_does_not_fit_is_warned_of_in_one_line(caplog, count):
    rng = np.random.default_rng(0)
    scores = np.append(rng.exponential(1, count), rng.normal(30, 0.1, count // 200))

    with caplog.at_level(logging.WARNING):
        cut(scores)

    (message,) = caplog.messages
    assert "gaussian:3: the fitted tail is wrong by a factor of" in message
    assert "\n" not in message


def test_corrupt_scores_do_not_stretch_the_tail():
    scores = SAMPLES["chi-squared"](np.random.default_rng(0), 20_000)
    corrupt = scores.copy()
    corrupt[:20] = 1e14

    assert cut(corrupt) == pytest.approx(cut(scores), rel=0.1)
