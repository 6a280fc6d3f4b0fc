"""Thresholds when a pixel is corrupt, and when scores have heavy tails."""

import logging

import numpy as np
import pytest
from support.rasters import QUICK, land, write

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import ConfigError
from anomvae.stats.scores import NormalScores, describe_scores
from anomvae.stats.thresholds import parse_rule
from anomvae.training.sampling import held_out_blocks

SHAPE = (40, 48)
SCORES = (0.5 * np.random.default_rng(0).chisquare(12, 2000)).astype(np.float32)


def threshold(scores, rule="sigma"):
    return parse_rule(rule).threshold(NormalScores.of(scores, held_out=False)).value


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Train on a sound raster; return the detector, and a new block with an object."""
    return train(tmp_path_factory.mktemp("clean") / "normal.tif", land(SHAPE))


def train(path, values):
    write(path, values, nodata=None)
    return anomvae.train([path], resolve_config("default", QUICK).config)


@pytest.mark.parametrize("value", [1e20, -3.4e38, 65535.0, 1e4])
def test_a_corrupt_pixel_among_those_held_out_moves_no_threshold(tmp_path, clean, value):
    values = land(SHAPE)
    row, col = np.argwhere(held_out_blocks(SHAPE, 0, 0).inside((slice(0, 40), slice(0, 48))))[30]
    values[2, row, col] = value

    detector = train(tmp_path / "normal.tif", values)

    assert detector.card.held_out.pixels >= clean.card.held_out.pixels - 1
    assert detector.threshold.value == pytest.approx(clean.threshold.value, rel=0.02)
    block = np.moveaxis(values, 0, -1)[None]
    scores = detector.score(block).total[0]
    assert np.isfinite(scores).all()
    assert np.unravel_index(scores.argmax(), SHAPE) == (row, col)


@pytest.mark.parametrize("score", [1e3, 1e4, 1e14, 1e29])
@pytest.mark.parametrize("share", [0.0005, 0.01, 0.049])
def test_corrupt_scores_up_to_the_trimmed_share_do_not_count(score, share):
    corrupt = SCORES.copy()
    corrupt[: int(share * len(SCORES))] = score

    assert threshold(corrupt) == pytest.approx(threshold(SCORES), rel=0.02)


@pytest.mark.parametrize("count", [3, 19, 20, 500, 2000, 300_000])
@pytest.mark.parametrize("kind", ["chi-squared", "normal", "exponential", "skewed", "equal"])
def test_ordinary_scores_keep_every_digit_of_their_threshold(count, kind):
    rng = np.random.default_rng(count)
    scores = {
        "chi-squared": 0.5 * rng.chisquare(12, count),
        "normal": rng.normal(50, 5, count),
        "exponential": rng.exponential(5, count),
        "skewed": np.exp(rng.normal(-1, 1.2, count)),  # as with a local-contrast weighting
        "equal": np.full(count, 7.0),
    }[kind]
    described = describe_scores(scores)
    normal = NormalScores(described)
    mean, std = described.moments()

    assert parse_rule("sigma").threshold(normal).value == mean + 3 * std


def test_a_threshold_far_above_the_scores_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        threshold(SCORES, "sigma:3")
        assert not caplog.messages
        threshold(SCORES, "fixed:1000")

    assert "so it flags hardly anything" in caplog.text
    assert caplog.text.count("\n") == 1


@pytest.mark.parametrize("rule", ["sigma:-9", "mad:-50"])
def test_no_threshold_lies_below_the_scores(rule):
    assert threshold(SCORES, rule) == 0.0
    with pytest.raises(ConfigError, match="no score is below 0"):
        parse_rule("fixed:-1e9")


HEAVY = {
    "lognormal": lambda rng, shape: np.exp(2 * rng.normal(size=shape)),
    "pareto": lambda rng, shape: rng.pareto(0.7, size=shape),
}


@pytest.mark.parametrize("tails", HEAVY)
def test_detect_flags_no_third_of_data_with_heavy_tails(tmp_path, caplog, tails):
    values = HEAVY[tails](np.random.default_rng(0), (4, 64, 64)).astype("float32")
    path = write(tmp_path / "heavy.tif", values, nodata=None)

    detector = anomvae.detect(path, resolve_config("default", QUICK[:1]).config)

    assert detector.threshold.fpr <= 0.1
    detector.with_threshold(parse_rule("sigma-clip"))
    assert "their scores have heavy tails" in caplog.text


@pytest.mark.parametrize("seed", range(20))
def test_sigma_clip_never_flags_over_a_quarter_of_any_scores(seed):
    rng = np.random.default_rng(seed)
    scores = np.abs(rng.standard_cauchy(3000)) ** rng.uniform(0.2, 5) * rng.uniform(1e-3, 1e3)
    scores[: rng.integers(1, 2000)] *= rng.uniform(0, 1e-3)

    assert parse_rule("sigma-clip").threshold(NormalScores.of(scores, held_out=False)).fpr <= 0.25


def test_many_anomalies_are_still_clipped():
    many = np.append(SCORES, np.full(len(SCORES) // 12, 1e4))

    cut = threshold(many, "sigma-clip")

    assert cut == pytest.approx(threshold(SCORES, "sigma-clip"), rel=0.1)
