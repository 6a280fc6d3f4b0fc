"""The linear term: robust RX with a weight, in the score of a detector."""

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from support.spectra import fit, plan_of, scene, spectra

from anomvae.detector import Detector
from anomvae.models.families import FAMILIES
from anomvae.stats.linear import fit_linear
from anomvae.stats.rx import fit_robust_rx
from anomvae.testing.simulate import ANOMALIES, Sensor, simulate

REST = np.linspace(1, 5, 2000, dtype=np.float32)  # its median is 3
BROAD = Sensor(wavelengths=(490, 560, 665, 705, 842, 945, 1610, 2205), wedge=0)


def scaled(count=2000, bands=5, seed=0):
    """Draw correlated spectra of mean 0, (n, band)."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, bands)) @ rng.normal(size=(bands, bands))).astype(np.float32)


@cache
def fitted(linear):
    return fit(spectra(1500), training={"max_steps": 60}, score={"linear": linear})


# The term


@pytest.mark.parametrize("weight", [0.1, 1.0, 7.0])
def test_its_median_is_the_weight_times_that_of_the_other_terms_and_it_ranks_as_robust_rx(weight):
    x = scaled()

    term = fit_linear(x, REST, weight).score(x)

    assert np.median(term) == pytest.approx(3 * weight)
    distance = fit_robust_rx(lambda: [x]).score(x)
    np.testing.assert_allclose(term / np.median(term), distance / np.median(distance), rtol=1e-6)


def test_copied_and_nearly_copied_bands_do_not_change_it():
    x = scaled()
    expected = fit_linear(x, REST, 1.0).score(x)
    nearly = x[:, :1] * np.float32(1 + 1e-6)  # differs by the rounding of float32

    copied = np.concatenate([x, x[:, [0, 0, 3]], nearly], axis=1)

    np.testing.assert_allclose(fit_linear(copied, REST, 1.0).score(copied), expected, rtol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pixels_have_a_finite_term(count):
    x = scaled(count, bands=8)

    term = fit_linear(x, REST[:count], 1.0).score(scaled(100, bands=8, seed=1))

    assert np.isfinite(term).all()
    assert term.max() < 1e6 * REST.max()


@pytest.mark.parametrize("x", [np.zeros((50, 4)), np.full((50, 4), 1e6)])
def test_equal_spectra_have_no_term(x):
    linear = fit_linear(x.astype(np.float32), REST[:50], 1.0)

    assert (linear.score(scaled(20, bands=4)) == 0).all()


def test_a_constant_distance_only_shifts_the_score():
    x = np.concatenate([np.eye(4), -np.eye(4)]).repeat(20, axis=0).astype(np.float32)

    term = fit_linear(x, REST[: len(x)], 1.0).score(x)

    np.testing.assert_allclose(term, np.median(REST[: len(x)]))


def test_outliers_do_not_hide_each_other():
    x = scaled()
    polluted = x.copy()
    polluted[:60, 0] += 50

    linear = fit_linear(polluted, REST, 1.0)

    assert linear.score(polluted)[:60].min() > 20 * np.quantile(linear.score(x), 0.99)


# Its weight


@pytest.mark.parametrize(
    ("bands", "in_sample", "weight"),
    [(4, False, 1.0), (32, True, 1.0), (33, True, 0.25), (33, False, 0.1), (400, True, 0.25)],
)
def test_auto_depends_on_the_bands_and_on_what_is_scored(bands, in_sample, weight):
    assert plan_of(in_sample=in_sample).linear_weight(bands) == weight


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_is_0_for_a_family_with_a_context_and_a_number_holds_for_all(family):
    auto, given = (plan_of(model={"family": family}, score=score) for score in ({}, {"linear": 2}))

    with_context = family in {"change", "cvae", "spatial", "sequential"}
    assert auto.linear_weight(6) == (0.0 if with_context else 1.0)
    assert given.linear_weight(6) == 2.0


# In a detector


def test_the_term_is_that_of_the_scaled_spectra_and_changes_no_other():
    with_term, without = fitted(0.5), fitted(0)
    x = spectra(300, seed=2)

    terms, plain = (detector.score_examples(x) for detector in (with_term, without))

    expected = with_term.linear.score(with_term.scaler.scale(x))
    np.testing.assert_allclose(terms.linear, expected, rtol=1e-4)
    assert np.array_equal(terms[:2], plain[:2])
    assert not plain.linear.any()
    assert without.linear is None
    assert np.array_equal(terms.total, plain.total + terms.linear)


def test_its_median_over_the_training_pixels_is_the_weight_times_that_of_the_others():
    terms = fitted(0.5).score_examples(spectra(1500))

    others = np.median(terms.reconstruction + terms.kl)
    assert np.median(terms.linear) == pytest.approx(0.5 * others, rel=1e-3)


def test_the_meaning_names_the_term_where_there_is_one():
    assert "reconstruction + kl + linear, nats" in fitted(0.5).meaning
    assert "linear" not in fitted(0).meaning


def test_a_file_keeps_the_term_to_the_bit(tmp_path):
    block = scene((9, 7), seed=3)

    fitted(0.5).save(tmp_path / "m.safetensors")
    loaded = Detector.load(tmp_path / "m.safetensors")

    assert loaded.card.linear_weight == 0.5
    assert loaded.id == fitted(0.5).id
    assert loaded.score(block).linear.tobytes() == fitted(0.5).score(block).linear.tobytes()
    assert fitted(0.5).score(block).linear.all()


def test_the_largest_values_of_float32_have_a_finite_term():
    x = spectra(5)
    x[0], x[1, ::2] = 3.4e38, -3.4e38

    linear = fitted(1e6).score_examples(x).linear

    assert np.isfinite(linear).all()
    assert linear[:2].min() > linear[2:].max()


@pytest.mark.parametrize(("gain", "offset"), [(1e4, 0), (1e4, 1000), (1e-3, 0), (7, -300)])
def test_the_unit_of_the_bands_moves_no_flag(gain, offset):
    x, others = spectra(1500), spectra(1500, seed=4)
    others[:40, 2] += 0.1
    settings = {"training": {"max_steps": 60}, "score": {"linear": 1.0}}

    scores = []
    for scale, shift in ((1.0, 0.0), (gain, offset)):
        fitted_there = fit((scale * x + shift).astype(np.float32), **settings)
        moved = (scale * others + shift).astype(np.float32)
        scores.append(fitted_there.score_examples(moved))

    one, other = (terms.total > 3 * np.median(terms.total) for terms in scores)
    assert np.array_equal(one, other)
    assert one[:40].any()
    np.testing.assert_allclose(scores[1].linear, scores[0].linear, rtol=0.01, atol=0.01)


def test_pixels_too_few_for_a_covariance_give_no_term_and_a_line_reports_it(caplog):
    x = spectra(400, bands=6)
    enough, few = (fit(x[:n], training={"max_steps": 2}) for n in (30, 29))

    assert (enough.card.linear_weight, few.card.linear_weight) == (1.0, 0.0)
    assert np.median(enough.score_examples(x).linear) < 5 * np.median(
        enough.score_examples(x[:30]).linear
    )
    assert not few.score_examples(x).linear.any()
    assert [message for message in caplog.messages if "too few for the linear term" in message]


def test_few_pixels_and_copied_bands_make_a_detector():
    x = spectra(60)
    copied = np.concatenate([x, x[:, :2]], axis=1)

    few = fit(spectra(5), training={"max_steps": 2}).score_examples(x)
    same = fit(copied, training={"max_steps": 2}).score_examples(copied)

    for terms in (few, same):
        assert np.isfinite(terms.total).all()
        assert terms.linear.max() < 1e4 * np.median(terms.reconstruction + terms.kl)


@pytest.mark.parametrize("seed", range(2))
def test_with_few_bands_it_ranks_planted_anomalies_better(seed):
    planted = simulate((64, 64), seed, anomalies=ANOMALIES, sensor=BROAD)
    settings = {"seed": seed, "in_sample": True, "training": {"max_steps": 150}}
    pixels = planted.block.reshape(-1, 8)

    precision = [
        average_precision_score(
            planted.labels.ravel(),
            fit(pixels, score={"linear": linear}, **settings).score_examples(pixels).total,
        )
        for linear in (0, "auto")
    ]

    assert precision[1] > precision[0] + 0.02
