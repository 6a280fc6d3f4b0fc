import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import ConfigError, NotEnoughPixels
from anomvae.stats.scores import GROUPS, TAIL, NormalScores, describe_scores
from anomvae.stats.thresholds import RULES, Rule, Threshold, parse_rule

EXACT = GROUPS + TAIL
USED = ("sigma", "log-sigma", "sigma-clip", "mad", "quantile:0.01", "fixed:12.5")

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
@given(values=values, held_out=st.booleans())
def test_a_threshold_records_rule_pixels_and_the_share_above_its_cut_off(text, values, held_out):
    scores = np.tile(np.array(values), 100)

    threshold = parse_rule(text).threshold(NormalScores.of(scores, held_out=held_out))

    assert threshold.held_out is held_out
    assert threshold.fpr == pytest.approx((scores > threshold.value).mean())
    assert threshold.pixels == scores.size
    assert threshold.rule == str(parse_rule(text))


def test_every_rule_is_tried_here():
    assert {parse_rule(text).name for text in USED} == set(RULES)


def test_flags_are_the_scores_above_the_value_and_never_no_data():
    threshold = Threshold(2.0, 0.1, "fixed:2", 10, held_out=True)
    scores = np.array([[1.0, 2.0], [np.nextafter(np.float32(2), 3), np.nan]], np.float32)

    assert threshold.flag(scores).tolist() == [[False, False], [True, False]]


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
    ],
)
def test_a_rule_is_read_with_spaces_and_defaults(text, rule):
    assert str(parse_rule(text)) == rule


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("clipped:3", "clipped is now called sigma-clip"),
        ("sgma:3", "Did you mean 'sigma'"),
        ("", "Known: sigma, sigma-clip, mad, quantile, fixed"),
        ("7", "no rule is called '7'"),
        ("fixed", "write a number behind it, such as fixed:3"),
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
