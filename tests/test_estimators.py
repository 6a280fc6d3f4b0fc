"""The scikit-learn estimators: they pass its checks, keep its signs, and agree with the maps."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator
from support.spectra import fit_scene, scene, spectra

from anomvae import RXDetector, VAEDetector
from anomvae.detector import Detector
from anomvae.errors import ConfigError, NotEnoughPixels
from anomvae.training.sampling import HELD_OUT

BANDS = 6
both = pytest.mark.parametrize(
    "detector",
    [VAEDetector(max_steps=40, random_state=0), RXDetector()],
    ids=lambda detector: type(detector).__name__,
)


def short(**parameters):
    return VAEDetector(**{"max_steps": 40, "random_state": 0} | parameters)


@cache
def fitted():
    return short().fit(spectra(1000))


def unusual(count=50):
    return spectra(count, seed=2)[:, ::-1].copy()


@pytest.mark.parametrize(
    "detector",
    [pytest.param(VAEDetector(), marks=pytest.mark.slow), RXDetector()],
    ids=["vae", "rx"],
)
def test_the_checks_of_scikit_learn_pass(detector):
    check_estimator(detector, on_skip=None)


@both
def test_the_signs_are_those_of_scikit_learn(detector):
    X, others = spectra(1000), unusual()

    detector = clone(detector).fit(X)

    both_kinds = np.concatenate([X, others])
    scores, decision = detector.score_samples(both_kinds), detector.decision_function(both_kinds)
    assert scores[:1000].mean() > scores[1000:].mean()
    assert (detector.anomaly_score(both_kinds) == -scores).all()
    assert scores.dtype == np.float64
    assert (scores <= 0).all()
    assert np.array_equal(decision, scores - detector.offset_)
    assert np.array_equal(detector.predict(both_kinds), np.where(decision < 0, -1, 1))
    assert (detector.predict(others) == -1).all()
    assert (detector.predict(X) == 1).mean() > 0.95


# The same model in maps and rows


def test_scores_agree_with_those_of_blocks_for_the_same_saved_model(tmp_path):
    path, X = tmp_path / "model.safetensors", spectra(600, seed=2)
    fitted().detector_.save(path)

    block = Detector.load(path).score(X.reshape(1, 20, 30, BANDS))

    assert fitted().anomaly_score(X) == pytest.approx(block.total.ravel(), rel=1e-5)
    wrapped = VAEDetector.from_detector(Detector.load(path))
    assert np.array_equal(wrapped.anomaly_score(X), fitted().anomaly_score(X))
    assert np.array_equal(wrapped.predict(X), fitted().predict(X))
    flags = fitted().detector_.threshold.flag(block.total).ravel()
    assert np.array_equal(wrapped.predict(X) == -1, flags)


@pytest.mark.parametrize("family", ["sequential", "spatial", "cvae"])
def test_a_family_that_needs_neighbours_or_dates_is_refused(family):
    problem = rf"family = '{family}' needs neighbours or dates, .* Detector\.score"

    with pytest.raises(ConfigError, match=problem):
        short(family=family).fit(spectra(100))


@pytest.mark.parametrize(
    ("tables", "subject"),
    [
        ({"model": {"family": "cvae"}}, "family = 'cvae'"),
        ({"score": {"local_contrast": 0.5}}, "This detector"),
        ({"score": {"latent_distance": 1.0}}, "This detector"),
    ],
    ids=str,
)
def test_from_detector_refuses_scores_that_need_neighbours(tables, subject):
    detector = fit_scene(scene((20, 30)), training={"max_steps": 2}, **tables)

    with pytest.raises(ConfigError, match=rf"{subject} needs neighbours .*Detector\.score"):
        VAEDetector.from_detector(detector)


def test_an_integer_as_random_state_repeats_to_the_bit():
    X = spectra(300)

    same = [short(random_state=3).fit(X).detector_.id for _ in range(2)]

    assert same[0] == same[1]
    assert same[0] != short(random_state=4).fit(X).detector_.id


def test_a_random_state_as_random_state_moves_on():
    X, state = spectra(300), np.random.RandomState(0)

    first, second = (short(random_state=state).fit(X).detector_.id for _ in range(2))

    assert first != second


# Training


def test_the_threshold_is_fitted_on_all_rows_and_its_rate_on_those_that_training_does_not_read():
    card = fitted().detector_.card

    assert not card.threshold.held_out
    assert card.threshold.pixels == 1000
    assert card.held_out.pixels == HELD_OUT * 1000
    assert card.training.pixels == (1 - HELD_OUT) * 1000
    assert card.training.elbo is not None


def test_parameters_reach_the_detector():
    vae = short(
        family="beta-vae",
        latent=2,
        hidden=(12, 9),
        likelihood="mse",
        epochs=1,
        batch_size=50,
        trim=0.0,
        beta=3.0,
        noise="unit",
        kl_weight=0.5,
        threshold="quantile:0.05",
    )

    card = vae.fit(spectra(500)).detector_.card

    assert (card.family, card.latent, card.hidden) == ("beta-vae", 2, (12, 9))
    assert (card.likelihood, card.noise, card.kl_weight) == ("mse", "unit", 0.5)
    assert (card.training.batch_size, card.training.steps) == (50, 8)
    assert (card.training.trim, card.training.beta) == (0.0, 3.0)
    assert card.threshold.rule == "quantile:0.05"


def test_numbers_of_numpy_and_student_t_are_accepted():
    vae = short(latent=np.int64(2), kl_weight=np.float32(0.5), likelihood="student-t")

    card = vae.fit(spectra(100)).detector_.card

    assert (card.latent, card.kl_weight, card.likelihood) == (2, 0.5, "student-t")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"family": "vea"}, r"model\.family = 'vea' is unknown.*'vae'"),
        ({"latent": 0}, r"model\.latent = 0"),
        ({"latent": "many"}, r"model\.latent = 'many'"),
        ({"hidden": ()}, r"model\.hidden = \(\)"),
        ({"likelihood": "bernoulli"}, r"model\.likelihood = 'bernoulli'.*'gaussian' or 'mse'"),
        ({"epochs": 0}, r"training\.epochs = 0"),
        ({"max_steps": -1}, r"training\.max_steps = -1"),
        ({"batch_size": 0.5}, r"training\.batch_size = 0\.5"),
        ({"learning_rate": 0}, r"training\.learning_rate = 0"),
        ({"learning_rate": float("nan")}, r"training\.learning_rate = nan"),
        ({"trim": 1.0}, r"training\.trim = 1\.0"),
        ({"beta": -1}, r"training\.beta = -1"),
        ({"noise": "pink"}, r"score\.noise = 'pink'"),
        ({"kl_weight": -0.5}, r"score\.kl_weight = -0\.5"),
        ({"threshold": "sgima:3"}, r"threshold = 'sgima:3'.*'sigma'"),
        ({"threshold": 3}, r"threshold = 3"),
        ({"device": "tpu"}, r"device = 'tpu'.*'cpu' or 'cuda'"),
    ],
    ids=str,
)
def test_a_parameter_that_does_not_fit_is_named_by_its_key(parameters, problem):
    with pytest.raises(ConfigError, match=problem):
        short(**parameters).fit(spectra(100))


@pytest.mark.parametrize("threshold", ["sgima:3", "sigma:many", 3, "auto"])
def test_a_threshold_of_rx_that_does_not_fit_is_named(threshold):
    with pytest.raises(ConfigError, match=f"threshold = '{threshold}'"):
        RXDetector(threshold=threshold).fit(spectra(100))


def test_constant_bands_alone_are_refused():
    with pytest.raises(NotEnoughPixels, match="All 3 bands have one value"):
        short().fit(np.ones((50, 3)))


@pytest.mark.parametrize(
    "call", [lambda: VAEDetector().reconstruct(spectra(5)), lambda: VAEDetector().sample()]
)
def test_an_unfitted_estimator_is_refused(call):
    with pytest.raises(NotFittedError):
        call()


# DataFrames


def frame(count, seed=0):
    return pd.DataFrame(spectra(count, seed=seed), columns=list("ABCDEF"))


def test_columns_become_bands():
    X = frame(300)
    X["C"] = 1.0

    vae = short().fit(X)

    assert vae.detector_.bands.names == ("A", "B", "D", "E", "F")
    assert vae.detector_.bands.named
    assert vae.detector_.card.dropped == ("C",)
    assert list(vae.feature_names_in_) == list("ABCDEF")


# Codes, reconstructions and samples


def test_transform_returns_the_posterior_means():
    X = spectra(40, seed=2)

    codes = fitted().transform(X)

    assert codes.shape == (40, fitted().detector_.card.latent)
    assert codes.dtype == np.float32
    assert np.array_equal(codes, fitted().detector_.encode(X))


def test_encode_returns_means_draws_and_averages_of_draws():
    X, vae = spectra(400, seed=2), fitted()

    mean, draw, same = (vae.encode(X, how, random_state=3) for how in ("mean", "sample", "sample"))
    average = vae.encode(X, "average", n_samples=100, random_state=3)

    assert np.array_equal(mean, vae.transform(X))
    assert np.array_equal(draw, same)
    assert not np.array_equal(draw, vae.encode(X, "sample", random_state=4))
    assert np.abs(average - mean).mean() < 0.2 * np.abs(draw - mean).mean()


@pytest.mark.parametrize(
    ("family", "options", "problem"),
    [
        ("vae", {"how": "median"}, "how = 'median'"),
        ("vae", {"how": "sample", "n_samples": 3}, "samples = 3 with how = 'sample'"),
        ("vae", {"how": "average", "n_samples": 0}, "samples = 0"),
        ("ae", {"how": "sample"}, "model.family = 'ae' has one code for a pixel"),
        ("vq-vae", {"how": "average"}, "model.family = 'vq-vae' has one code for a pixel"),
    ],
)
def test_codes_that_a_model_does_not_have_are_refused(family, options, problem):
    X = spectra(50)
    vae = short(family=family).fit(X)

    with pytest.raises(ConfigError, match=problem):
        vae.encode(X, **options)


def test_codes_are_decoded_to_all_columns():
    X = spectra(300)
    X[:, 2] = 5.0
    vae = short().fit(X)

    decoded = vae.inverse_transform(vae.transform(X))

    assert np.array_equal(decoded, vae.reconstruct(X))
    assert (decoded[:, 2] == 5.0).all()
    with pytest.raises(ConfigError, match="latent units"):
        vae.inverse_transform(X)


def test_transform_names_its_columns():
    vae = short(latent=2).set_output(transform="pandas")

    codes = vae.fit_transform(frame(100))

    assert (
        list(codes.columns) == list(vae.get_feature_names_out()) == ["vaedetector0", "vaedetector1"]
    )


def test_reconstruct_returns_spectra_without_their_noise():
    X = spectra(2000)
    vae = VAEDetector(epochs=100, max_steps=800, random_state=0).fit(X)

    error = vae.reconstruct(X) - X

    assert error.shape == X.shape
    assert (error.std(0) < 0.02).all()  # noise has 0.01, the widest band 0.1


def test_a_dropped_band_is_returned_as_it_is_and_a_wrapped_detector_does_without():
    X = spectra(300)
    X[:, 2] = 5.0
    vae = short().fit(X)
    X[:, 2] = 6.0

    means, wrapped = vae.reconstruct(X), VAEDetector.from_detector(vae.detector_)

    assert wrapped.n_features_in_ == 5
    assert wrapped.anomaly_score(np.delete(X, 2, axis=1)).shape == (300,)
    assert (means[:, 2] == 6.0).all()
    assert means.shape == X.shape
    assert vae.sample(3).shape == (3, 5)


def test_sample_draws_spectra_by_random_state():
    first, same = fitted().sample(20), fitted().sample(20)

    assert first.shape == (20, BANDS)
    assert np.array_equal(first, same)
    assert fitted().sample().shape == (1, BANDS)


@pytest.mark.parametrize("rule", ["budget:5", "fdr:0.1", "sigma:3+local:2"])
@pytest.mark.parametrize("kind", [VAEDetector, RXDetector])
def test_rules_of_a_scene_are_refused_for_rows_of_pixels(kind, rule):
    with pytest.raises(ConfigError, match="rows of pixels are none"):
        kind(threshold=rule).fit(spectra(100))
