import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import ConfigError, NotEnoughPixels
from anomvae.stats.scores import GROUPS, TAIL, NormalScores, describe_scores
from anomvae.stats.thresholds import (
    RULES,
    Rule,
    ScoreSource,
    Threshold,
    parse_rule,
)

EXACT = GROUPS + TAIL
USED = (
    "sigma",
    "log-sigma",
    "gaussian:1",
    "sigma-clip",
    "mad",
    "quantile:0.01",
    "fixed:12.5",
    "conformal:0.1",
    "fdr:0.2",
    "budget:7",
)

values = st.lists(
    st.one_of(st.floats(0, 1e6, width=32), st.sampled_from([0.0, 1.0, 1.0, 7.5])),
    min_size=1,
    max_size=60,
)


def normal_scores(count, seed=0):
    """Draw scores as skewed as those of a detector: half of a chi-squared."""
    rng = np.random.default_rng(seed)
    return (0.5 * rng.chisquare(12, count)).astype(np.float32)


@given(values)
def test_a_few_scores_are_described_exactly(values):
    scores = np.array(values)

    described = describe_scores(scores)

    np.testing.assert_array_equal(described.values, np.sort(scores))
    assert described.count == scores.size
    assert described.moments() == pytest.approx((scores.mean(), scores.std()), abs=1e-9)


@pytest.mark.parametrize("count", [1, TAIL, TAIL + 1, EXACT])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.999, 1.0])
def test_up_to_groups_and_tail_nothing_is_lost(count, share):
    scores = normal_scores(count)

    described = describe_scores(scores)

    assert described.quantile(share) == np.quantile(scores, share, method="inverted_cdf")
    assert (described.weights == 1).all()


@pytest.mark.parametrize("count", [EXACT + 1, 9_999, 300_000])
def test_beyond_quantiles_and_moments_stay_close(count):
    scores = normal_scores(count)

    described = describe_scores(scores)

    assert described.count == count
    assert described.values.size == EXACT
    assert (np.diff(described.values) >= 0).all()
    assert described.moments() == pytest.approx((scores.mean(), scores.std()), rel=1e-4)
    for share in (0.001, 0.1, 0.5, 0.9):
        low, high = np.quantile(scores, [max(0, share - 2 / GROUPS), share + 2 / GROUPS])
        assert low <= described.quantile(share) <= high


def test_the_tail_is_exact_however_many_scores_there_are():
    scores = normal_scores(300_000)

    described = describe_scores(scores)

    np.testing.assert_array_equal(described.values[-TAIL:], np.sort(scores)[-TAIL:])
    assert described.quantile(0.999) == np.quantile(scores, 0.999, method="inverted_cdf")


def test_no_data_is_not_described():
    scores = np.array([[1.0, np.nan], [np.inf, 3.0]])

    assert describe_scores(scores).values.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("scores", [np.empty(0), np.full((2, 3), np.nan)])
def test_no_score_at_all_is_answered_with_advice(scores):
    with pytest.raises(NotEnoughPixels, match="Give scenes with data"):
        describe_scores(scores)


@given(values, st.floats(0, 6))
def test_sigma_is_the_mean_plus_k_standard_deviations(values, k):
    scores = np.array(values) % 0.5  # without a gap

    cut = Rule("sigma", k).threshold(NormalScores.of(scores, held_out=True)).value

    assert cut == pytest.approx(scores.mean() + k * scores.std(), abs=1e-9)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_sigma_clip_ignores_planted_anomalies(share):
    scores = normal_scores(20_000)
    polluted = scores.copy()
    polluted[: int(share * scores.size)] = 500.0

    clean, threshold = (
        parse_rule("sigma-clip").threshold(NormalScores.of(s, held_out=True))
        for s in (scores, polluted)
    )

    assert threshold.value == pytest.approx(clean.value, rel=0.05)
    assert threshold.fpr == pytest.approx(share, abs=0.01)


def test_sigma_clip_flags_few_normal_pixels():
    assert (
        parse_rule("sigma-clip")
        .threshold(NormalScores.of(normal_scores(50_000), held_out=True))
        .fpr
        < 0.01
    )


@given(values, st.floats(-3, 6))
def test_sigma_clip_ends_for_any_scores(values, k):
    scores = np.array(values)

    cut = Rule("sigma-clip", k).threshold(NormalScores.of(scores, held_out=True)).value

    assert np.isfinite(cut)
    assert cut >= scores.min() * (1 - 1e-6)


def test_mad_is_the_median_plus_k_robust_standard_deviations():
    scores = np.array([1.0, 2.0, 3.0, 4.0, 90.0])

    assert (
        Rule("mad", 2.0).threshold(NormalScores.of(scores, held_out=True)).value
        == 3 + 2 * 1.4826 * 1
    )


@given(st.integers(1, 999), st.integers(1000, 30_000))
def test_quantile_keeps_the_rate_it_promises(permille, count):
    scores = normal_scores(count)

    threshold = Rule("quantile", permille / 1000).threshold(NormalScores.of(scores, held_out=True))

    above = (scores > np.float32(threshold.value)).mean()
    assert above <= permille / 1000 + 1 / GROUPS
    assert above == pytest.approx(permille / 1000, abs=1 / 1000)


@given(values, st.floats(0, 1e6))
def test_fixed_is_the_number_itself(values, value):
    assert (
        Rule("fixed", value).threshold(NormalScores.of(np.array(values), held_out=True)).value
        == value
    )


@pytest.mark.parametrize("text", USED)
@given(values=values)
def test_a_threshold_records_rule_pixels_and_the_share_above_its_cut_off(text, values):
    scores = np.resize(np.array(values), 700)
    described = describe_scores(scores)

    threshold = parse_rule(text).threshold(NormalScores(described, described))

    assert threshold.held_out is True
    assert threshold.fpr == pytest.approx((scores > threshold.value).mean())
    assert threshold.pixels == scores.size
    assert threshold.rule == str(parse_rule(text))


def test_every_rule_that_needs_no_labels_is_tried_here():
    free = {name for name, kind in RULES.items() if kind.source is not ScoreSource.LABELS}

    assert {parse_rule(text).name for text in USED} == free


def test_flags_are_the_scores_above_the_value_and_never_no_data():
    threshold = Threshold(2.0, 0.1, "fixed:2", 10, held_out=True)
    scores = np.array([[1.0, 2.0, np.inf], [np.nextafter(np.float32(2), 3), np.nan, -np.inf]])

    flags = threshold.flag(scores.astype(np.float32))

    assert flags.tolist() == [[False, False, False], [True, False, False]]


@pytest.mark.parametrize("k", [38, 40, 1e38])
def test_a_rate_too_small_for_any_number_of_pixels_is_refused(k):
    with pytest.raises(NotEnoughPixels, match="3000 normal pixels are too few for gaussian"):
        parse_rule(f"gaussian:{k}").threshold(NormalScores.of(normal_scores(3000), held_out=False))


def test_a_rate_of_nearly_1_flags_nearly_all():
    scores = normal_scores(3000)

    threshold = parse_rule("conformal:0.99999999999999").threshold(
        NormalScores.of(scores, held_out=True)
    )

    assert threshold.flag(scores).sum() >= scores.size - 1


@given(st.sampled_from(["sigma", "sigma-clip", "mad", "fixed"]), st.floats(-1e9, 1e9))
def test_a_rule_reads_what_it_writes_without_losing_a_digit(name, number):
    rule = Rule(name, abs(number) if name == "fixed" else number)

    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("sigma", "sigma:3"),
        (" sigma : 2.5 ", "sigma:2.5"),
        ("mad:", "mad:5"),
        ("quantile", "quantile:0.001"),
        ("quantile:1e-4", "quantile:0.0001"),
        ("fixed:1234567.5", "fixed:1234567.5"),
        ("fixed:1e+20", "fixed:1e+20"),
        ("gaussian", "gaussian:3"),
        ("log-sigma:2.5 + local : 2", "log-sigma:2.5+local:2"),
        ("sigma+local:1.5", "sigma:3+local:1.5"),
        ("fdr", "fdr:0.1"),
        ("conformal", "conformal:0.001"),
        ("budget:500", "budget:500"),
        ("budget:5 km2", "budget:5km2"),
        ("budget:0.5km2+local:2", "budget:0.5km2+local:2"),
    ],
)
def test_a_rule_is_read_with_spaces_and_defaults(text, rule):
    assert str(parse_rule(text)) == rule


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("clipped:3", "clipped is now called sigma-clip"),
        ("sgma:3", "Did you mean 'sigma'"),
        ("gausian:3", "Did you mean 'gaussian'"),
        ("log-sigm", "Did you mean 'log-sigma'"),
        ("bugdet:3", "Did you mean 'budget'"),
        ("fixed:1e+40", "write a number behind it"),
        ("sigma:3+loca:2", "behind . stands local:K"),
        ("sigma:3+local", "behind . stands local:K"),
        ("sigma:3+local:-1", "behind . stands local:K"),
        ("sigma:3+2", "write a number behind it"),
        ("auto", "no rule is called 'auto'"),
        ("f1", "needs labels: give it to `anomvae evaluate"),
        ("fpr:0.01", "needs labels: give it to `anomvae evaluate"),
        ("budget", "write a number behind it, such as budget:500"),
        ("budget:0", "flags nothing"),
        ("budget:-5km2", "flags nothing"),
        ("quantile:5%", "write a number behind it, such as quantile:0.001"),
        ("quantile:5km2", "write a number behind it"),
        ("local:2", "as in log-sigma:3.local:2"),
        ("fdr:1", "give one between 0 and 1"),
        ("conformal:2", "give one between 0 and 1"),
        ("", "Known: sigma, log-sigma, gaussian, sigma-clip, mad, quantile, fixed"),
        ("7", "no rule is called '7'"),
        ("fixed", "write a number behind it, such as fixed:500"),
        ("sigma:three", "write a number behind it"),
        ("sigma:3:4", "write a number behind it"),
        ("mad:nan", "write a number behind it"),
        ("fixed:inf", "write a number behind it"),
        ("fixed:-1", "no score is below 0"),
        *((f"quantile:{fpr}", "give one between 0 and 1") for fpr in (0, 1, -0.1, 5)),
    ],
)
def test_a_rule_that_cannot_be_read_is_answered(text, answer):
    with pytest.raises(ConfigError, match=answer):
        parse_rule(text)


def test_too_few_pixels_to_show_a_rate_are_refused():
    with pytest.raises(
        NotEnoughPixels, match=r"100 normal pixels .* raise it, or fit the threshold on 1000"
    ):
        parse_rule("quantile:0.001").threshold(NormalScores.of(normal_scores(100), held_out=True))


@given(values, st.floats(1, 6))
def test_log_sigma_is_the_mean_plus_k_standard_deviations_of_the_log_scores(values, k):
    scores = np.array(values) % 0.5  # without a gap
    logs = np.log1p(scores)

    cut = Rule("log-sigma", k).threshold(NormalScores.of(scores, held_out=True)).value

    assert cut == pytest.approx(np.expm1(logs.mean() + k * logs.std()), abs=1e-9)


@pytest.mark.parametrize("rule", ["log-sigma:3", "log-sigma:2"])
@given(seed=st.integers(0, 10_000), corrupt=st.integers(0, 400))
def test_log_sigma_never_flags_more_than_cantelli_allows(rule, seed, corrupt):
    rng = np.random.default_rng(seed)
    scores = np.abs(rng.standard_cauchy(2000)) ** rng.uniform(0.2, 5) * rng.uniform(1e-3, 1e3)
    scores[:corrupt] *= 10 ** rng.uniform(0, 12)

    threshold = parse_rule(rule).threshold(NormalScores.of(scores, held_out=False))

    assert threshold.fpr <= 1 / (1 + parse_rule(rule).number ** 2)


def test_wide_anomalies_hide_half_of_themselves_from_log_sigma_but_not_from_sigma_clip():
    scores = normal_scores(20_000)
    scores[:1600] = np.linspace(20, 150, 1600)  # 8 % of a scene

    flagged = {
        name: NormalScores.of(scores, held_out=False) for name in ("log-sigma", "sigma-clip")
    }
    shares = {name: parse_rule(name).threshold(normal).fpr for name, normal in flagged.items()}

    assert shares["log-sigma"] < 0.05
    assert shares["sigma-clip"] == pytest.approx(0.08, rel=0.01)


@pytest.mark.parametrize("rule", ["log-sigma", "sigma", "mad", "gaussian"])
def test_a_larger_number_never_lowers_a_threshold(rule):
    scores = NormalScores.of(normal_scores(20_000), held_out=True)

    cuts = [Rule(rule, k).threshold(scores).value for k in np.arange(0.5, 3.6, 0.5)]

    assert (np.diff(cuts) >= 0).all()


@pytest.mark.parametrize("rule", ["sigma", "gaussian", "mad", "quantile:0.01", "conformal:0.01"])
@given(unit=st.floats(1e-2, 1e3))
def test_a_threshold_has_the_unit_of_the_scores(rule, unit):
    scores = 10 + normal_scores(3000).astype(np.float64)  # without a gap in any unit
    one, other = (NormalScores.of(s, held_out=True) for s in (scores, unit * scores))

    cuts = [parse_rule(rule).threshold(normal).value for normal in (one, other)]

    assert cuts[1] == pytest.approx(unit * cuts[0], rel=1e-9)


@pytest.mark.parametrize(
    ("rule", "promise"),
    [
        ("sigma:3", 0.00135),
        ("gaussian:3", 0.00135),
        ("gaussian:2.326348", 0.01),
        ("quantile:0.02", 0.02),
        ("conformal:0.03", 0.03),
        *(
            (name, None)
            for name in ("log-sigma", "sigma-clip", "mad", "fixed:1", "fdr", "budget:9")
        ),
    ],
)
def test_a_rule_states_the_rate_that_it_promises(rule, promise):
    expected = promise if promise is None else pytest.approx(promise, rel=1e-4)

    assert parse_rule(rule).promise == expected


def test_auto_stands_for_a_rule_only_where_there_is_one():
    assert str(parse_rule("auto", auto="log-sigma:3")) == "log-sigma:3"
    assert str(parse_rule(" auto + local:2", auto="gaussian:3")) == "gaussian:3+local:2"
    assert str(parse_rule("mad+local:2", auto="gaussian:3")) == "mad:5+local:2"


def test_a_rule_gives_way_to_another_one_where_pixels_are_few_with_one_warning(caplog):
    few = NormalScores.of(normal_scores(200), held_out=True)
    rule = replace(parse_rule("gaussian:3"), otherwise=parse_rule("log-sigma:3"))

    with caplog.at_level(logging.WARNING):
        threshold = rule.threshold(few)

    assert threshold == parse_rule("log-sigma:3").threshold(few)
    assert [message.count("gaussian:3") for message in caplog.messages] == [1]
    with pytest.raises(NotEnoughPixels):
        parse_rule("gaussian:3").threshold(few)


def test_infinite_scores_are_no_data():
    scores = normal_scores(3000)
    polluted = np.append(scores, [np.inf, -np.inf, np.nan]).astype(np.float32)

    for rule in ("sigma", "log-sigma", "gaussian", "quantile:0.01"):
        clean, same = (NormalScores.of(s, held_out=True) for s in (scores, polluted))
        assert parse_rule(rule).threshold(clean) == parse_rule(rule).threshold(same)


FREE = ("sigma", "log-sigma", "sigma-clip", "mad", "fixed:3", "budget:7", "quantile:0.2")


@pytest.mark.parametrize("rule", FREE)
def test_five_equal_scores_are_not_above_their_threshold(rule):
    five = NormalScores.of(np.full(5, 3.0), held_out=True)

    assert parse_rule(rule).threshold(five).fpr == 0


@pytest.mark.parametrize("rule", ["gaussian", "quantile:0.1", "conformal:0.1", "fdr:0.1"])
def test_five_pixels_that_cannot_show_a_rate_are_refused_by_the_number_needed(rule):
    five = NormalScores.of(np.full(5, 3.0), held_out=True)

    with pytest.raises(NotEnoughPixels, match=r"5 (normal|held-out) pixels .*\b(9|10|17\d\d)\b"):
        parse_rule(rule).threshold(five)


def test_a_rule_of_held_out_pixels_without_any_is_answered():
    with pytest.raises(NotEnoughPixels, match="none are held out"):
        parse_rule("conformal").threshold(NormalScores.of(normal_scores(5000), held_out=False))
