"""The detector: how its scores are defined, that they repeat, and what its file holds."""

import logging
import tracemalloc
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats
from support.spectra import ArrayScene, fit, fit_scene, scene, spectra

from anomvae.detector import Detector
from anomvae.detector.modelfile import ModelFile, read_model, to_bytes
from anomvae.errors import BandMismatch, ConfigError, ModelFileError, NotEnoughPixels
from anomvae.mapping.scorer import inner
from anomvae.models import LIKELIHOODS
from anomvae.parallel.threads import blas_threads
from anomvae.pixels.bands import Band, Bands
from anomvae.pixels.tiling import tiles
from anomvae.program.numpy_engine import MOST_ROWS
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule

BANDS = 6
WITH_SURROUNDINGS = {
    "context": {"model": {"family": "cvae"}},
    "local_contrast": {"score": {"local_contrast": 0.65, "annulus": (9, 5)}},
    "latent_distance": {"score": {"latent_distance": 1.0, "annulus": (9, 5)}},
    "all": {
        "model": {"family": "cvae", "likelihood": "student-t"},
        "score": {"local_contrast": 0.65, "latent_distance": 1.0, "noise": "covariance"},
    },
}
every_kind_of_surroundings = pytest.mark.parametrize("kind", WITH_SURROUNDINGS)
KINDS = ("unit", "band", "covariance")
every_detector = pytest.mark.parametrize("kind", [*KINDS, *WITH_SURROUNDINGS])
every_noise = pytest.mark.parametrize("noise", KINDS)


@cache
def fitted(noise="band", kl_weight=1.0, likelihood="gaussian"):
    score = {"noise": noise, "kl_weight": kl_weight}
    model = {"likelihood": likelihood}
    return fit(spectra(1000), training={"max_steps": 60}, score=score, model=model)


@cache
def with_surroundings(kind):
    return fit_scene(scene((25, 40)), training={"max_steps": 40}, **WITH_SURROUNDINGS[kind])


def detector_of(kind):
    return fitted(kind) if kind in KINDS else with_surroundings(kind)


def with_gaps(shape, dates=1):
    block = scene(shape, dates=dates, seed=2)
    block[0, 3:9, 2:11] = np.nan
    block[0, -1, -1, 0] = np.nan
    return block


def terms_of(detector, x):
    terms = detector.score_examples(x)
    return np.stack([terms.reconstruction, terms.kl, terms.linear])


def thresholded(rule="sigma:3"):
    scores = fitted().score_examples(spectra(500, seed=3)).total
    return fitted().with_threshold(parse_rule(rule), NormalScores.of(scores, held_out=True))


# Definition of the score


@every_detector
def test_score_is_the_sum_of_its_terms_exactly_never_negative_and_nan_without_data(kind):
    detector, block = detector_of(kind), with_gaps((30, 40), dates=2)
    before = block.copy()

    total, reconstruction, kl, linear = scores = detector.score(block)

    known = np.isfinite(block).all(axis=-1)
    assert all(np.array_equal(np.isfinite(term), known) for term in scores)
    assert np.array_equal(total[known], (reconstruction + kl + linear)[known])
    assert (np.stack(scores)[:, known] >= 0).all()
    assert (linear[known] > 0).any() == (detector.card.family == "vae")
    assert np.array_equal(block, before, equal_nan=True)


@every_noise
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_reconstruction_is_the_negative_log_likelihood_of_whitened_residuals(noise, likelihood):
    detector, x = fitted(noise, likelihood=likelihood), spectra(50, seed=2)

    reconstruction = detector.score_examples(x).reconstruction

    residual = (x - detector.reconstruct(x)) / detector.scaler.std - detector.noise.centre
    whitening = detector.noise.whitening
    white = residual * whitening if whitening.ndim == 1 else residual @ whitening
    p = stats.t(df=4) if likelihood == "student-t" else stats.norm
    assert reconstruction == pytest.approx((p.logpdf(0) - p.logpdf(white)).sum(-1), rel=1e-3)


@pytest.mark.parametrize("noise", ["unit", "band"])
def test_noise_is_that_of_its_kind(noise):
    detector = fitted(noise)

    sigma = detector.model.likelihood.sigma.detach().numpy() if noise == "band" else 1.0

    assert detector.noise.whitening == pytest.approx(np.ones(BANDS) / sigma, rel=1e-5)
    assert (detector.noise.centre == 0).all()


def test_covariance_noise_detects_residuals_against_the_correlation_better_than_band_noise():
    rng = np.random.default_rng(0)
    x = spectra(3000)
    # Striping: two bands err together, more than the others, and the code has no room for it.
    x[:, :2] += rng.normal(0, 0.03, (3000, 1)).astype(np.float32)
    anomalies = x[:100].copy()
    anomalies[:, 0] += 0.05
    anomalies[:, 1] -= 0.05
    model, training = {"latent": 1, "likelihood": "gaussian"}, {"max_steps": 150}

    rates = {}
    for noise in ("band", "covariance"):
        detector = fit(x, model=model, training=training, score={"noise": noise})
        normal, unusual = (detector.score_examples(y).reconstruction for y in (x, anomalies))
        rates[noise] = (unusual > np.quantile(normal, 0.99)).mean()

    assert rates["covariance"] > 1.5 * rates["band"]


def test_covariance_is_fitted_to_examples_from_the_whole_scene(monkeypatch):
    # Examples are in the order of the scene; its second half is noisier.
    x = spectra(2000)
    x[1000:] += np.random.default_rng(1).normal(0, 0.2, (1000, BANDS)).astype(np.float32)
    settings = {"score": {"noise": "covariance"}, "training": {"max_steps": 5}}
    every = fit(x, **settings).noise.whitening

    monkeypatch.setattr("anomvae.detector.trained.RESIDUAL_VALUES", 1000 * BANDS)
    half = fit(x, **settings).noise.whitening

    assert np.diag(half) == pytest.approx(np.diag(every), rel=0.1)


def test_kl_weight_multiplies_the_kl_term_alone():
    x = spectra(50, seed=2)

    terms, double, none = (terms_of(fitted(kl_weight=weight), x) for weight in (1.0, 2.0, 0.0))

    assert np.array_equal(double[:2], [terms[0], 2 * terms[1]])
    assert np.array_equal(none[:2], [terms[0], 0 * terms[1]])


@every_detector
@pytest.mark.parametrize("value", [1e10, -1e20, 3.4e38])
def test_every_finite_value_has_a_finite_score(kind, value):
    detector, block = detector_of(kind), scene((31, 31), seed=2)
    block[0, 15, 15] = value
    block[0, 3:5, 3:5, ::2] = -value

    scores = detector.score(block)

    assert np.isfinite(np.stack(scores)).all()
    assert scores.total[0, 15, 15] > 100 * np.median(scores.total)


def test_a_detector_with_an_undeclared_nodata_value_in_its_held_out_pixels_can_be_saved(tmp_path):
    x, held_out = spectra(200), spectra(20, seed=1)
    held_out[0, 0] = -3.4e38

    detector = fit(x, held_out=held_out, training={"max_steps": 5})
    detector.save(tmp_path / "m.safetensors")

    assert Detector.load(tmp_path / "m.safetensors").card == detector.card


# The same bits


@every_noise
def test_scores_have_the_same_bits_in_any_order_batch_and_number_of_threads(noise):
    x, detector = spectra(2 * MOST_ROWS + 50, seed=2), fitted(noise)
    order = np.random.default_rng(0).permutation(len(x))

    expected = terms_of(detector, x)
    cut = [terms_of(detector, x[start : start + 1000]) for start in range(0, len(x), 1000)]
    with blas_threads(2):
        threaded = terms_of(detector, x)

    assert terms_of(detector, x[order]).tobytes() == expected[:, order].tobytes()
    assert np.concatenate(cut, axis=1).tobytes() == expected.tobytes()
    assert threaded.tobytes() == expected.tobytes()
    for size in (1, 3, MOST_ROWS, MOST_ROWS + 1):
        part = terms_of(detector, x[MOST_ROWS + 7 :][:size])
        assert part.tobytes() == expected[:, MOST_ROWS + 7 :][:, :size].tobytes()


def test_padding_changes_no_code_and_no_reconstruction():
    x = spectra(10, seed=2)
    many = np.tile(x, (200, 1))

    code, means = fitted().encode(x), fitted().reconstruct(x)

    assert code.shape == (10, fitted().card.latent)
    assert means.shape == x.shape
    assert fitted().encode(many)[:10].tobytes() == code.tobytes()
    assert fitted().reconstruct(many)[:10].tobytes() == means.tobytes()


def test_no_examples_have_no_scores():
    none = spectra(0)

    assert terms_of(fitted(), none).shape == (3, 0)
    assert fitted().encode(none).shape == (0, fitted().card.latent)
    assert fitted().reconstruct(none).shape == (0, BANDS)


def test_codes_are_returned_on_request():
    x = spectra(9, seed=2)

    assert fitted().score_examples(x).code is None
    codes = fitted().score_examples(x, codes=True).code
    assert codes == pytest.approx(fitted().encode(x), rel=1e-5, abs=1e-6)


def test_the_global_generator_is_left_as_it_was():
    before = torch.get_rng_state()

    fitted().score(scene((5, 5)))
    fitted().sample(5, seed=0)

    assert torch.equal(torch.get_rng_state(), before)


def test_dates_are_scored_alike_together_and_alone():
    block = scene((8, 9), dates=3)

    alone = [fitted().score(block[i : i + 1]).total for i in range(3)]

    assert fitted().score(block).total.tobytes() == np.concatenate(alone).tobytes()


def test_another_number_of_bands_is_refused_with_the_expected_names():
    with pytest.raises(BandMismatch, match=r"has 5 bands, .* trained on 6 \(band_1, band_2"):
        fitted().score(scene((3, 3), bands=5))
    with pytest.raises(BandMismatch, match=r"has 5 bands, .* trained on 6 \(band_1, band_2"):
        fitted().encode(spectra(3, bands=5))


# Dropped bands


def named_bands(*names):
    return Bands(tuple(Band(i, n) for i, n in enumerate(names, 1)), source=len(names), named=True)


def with_dead_bands(x):
    x[..., 1], x[..., 4] = np.nan, 7.0
    return x


@pytest.mark.parametrize("family", ["vae", "cvae"])
def test_bands_without_data_or_with_a_single_value_are_dropped_and_logged_once(family, caplog):
    block = with_dead_bands(scene((25, 40)))

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        detector = fit_scene(block, model={"family": family}, training={"max_steps": 5})

    (message,) = (text for text in caplog.messages if "dropped" in text)
    assert message.endswith("band_2, band_5")
    assert detector.card.dropped == ("band_2", "band_5")
    assert detector.bands.indexes == [1, 3, 4, 6]
    assert family == "vae" or len(detector.context.basis) == BANDS - 2
    with ArrayScene(with_dead_bands(scene((4, 5), seed=2))).open(detector.bands) as opened:
        scores = detector.score(opened.read((slice(0, 4), slice(0, 5))))
    assert np.isfinite(scores.total).all()


def test_a_band_is_dropped_that_is_constant_where_all_bands_have_data():
    x = spectra(300)
    x[:, 0] = np.where(np.arange(300) < 200, 1.0, x[:, 0])
    x[200:, 1] = np.nan

    detector = fit(x, training={"max_steps": 5})

    assert detector.card.dropped == ("band_1",)
    assert detector.card.training.pixels == 200


def test_nothing_is_logged_where_every_band_is_kept(caplog):
    with caplog.at_level(logging.WARNING, logger="anomvae"):
        fit(spectra(100), training={"max_steps": 2})

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("x", "problem"),
    [
        (np.empty((0, 0)), "0 valid pixels to train on"),
        (np.full((50, 3), 4.0), "All 3 bands have one value in all 50 pixels"),
        (np.where(np.eye(3), np.nan, 1.0), "0 valid pixels to train on"),
    ],
)
def test_examples_without_information_are_refused(x, problem):
    with pytest.raises(NotEnoughPixels, match=problem):
        fit(x.astype(np.float32), bands=named_bands("A", "B", "C"))


def test_one_band_is_enough():
    x = spectra(100)
    x[:, 1:] = 0

    detector = fit(x, training={"max_steps": 5})

    assert detector.card.latent == len(detector.bands) == 1
    assert np.isfinite(terms_of(detector, x[:, :1])).all()


# The card


def test_the_card_describes_the_fit():
    x, held_out = spectra(400), spectra(50, seed=1)
    held_out[0, 0] = np.nan
    training = {"max_steps": 7, "trim": 0.1}

    detector = fit(x, held_out=held_out, seed=5, training=training, model={"latent": 2})

    card = detector.card
    assert (card.family, card.latent, card.hidden) == ("vae", 2, (64, 32))
    assert (card.training.seed, card.training.pixels, card.training.steps) == (5, 400, 7)
    assert (card.training.trim, card.training.beta) == (0.1, 1.0)
    assert np.isfinite(card.training.elbo)
    assert card.torch in torch.__version__


def test_the_held_out_elbo_rises_with_training_and_needs_held_out_examples():
    def elbo(steps):
        detector = fit(spectra(800), held_out=spectra(200, seed=1), training={"max_steps": steps})
        return detector.card.training.elbo

    assert elbo(200) > elbo(2)
    assert fitted().card.training.elbo is None


def test_the_configuration_overrides_the_objective_of_the_family():
    training = ({"max_steps": 2}, {"max_steps": 2, "beta": 0.5})

    cards = [fit(spectra(100), model={"family": "beta-vae"}, training=t).card for t in training]

    assert [card.training.beta for card in cards] == [4.0, 0.5]


def test_band_quantiles_are_those_of_the_training_examples():
    x = spectra(1000)

    quantiles = fitted().band_quantiles

    assert quantiles.shape == (11, BANDS)
    assert quantiles[0] == pytest.approx(x.min(0))
    assert quantiles[5] == pytest.approx(np.median(x, axis=0))
    assert quantiles[-1] == pytest.approx(x.max(0))


def test_only_a_score_without_local_contrast_weighting_is_in_nats():
    assert "nats" in fitted().meaning
    for kind in WITH_SURROUNDINGS:
        meaning = with_surroundings(kind).meaning
        assert ("nats" in meaning) == (kind == "context")
        assert ("local-contrast weighting" in meaning) == (kind != "context")


# The threshold


def test_with_threshold_leaves_the_detector_as_it_was():
    detector = thresholded()

    assert detector.threshold.rule == "sigma:3"
    assert detector.threshold.pixels == detector.scores.all.count == 500
    assert detector.weights is fitted().weights
    assert fitted().card.threshold is None


@pytest.mark.parametrize("load", [False, True])
def test_a_threshold_is_chosen_anew_from_the_kept_scores(tmp_path, load):
    scores = fitted().score_examples(spectra(500, seed=3)).total

    if load:
        thresholded().save(tmp_path / "m.safetensors")
        detector = Detector.load(tmp_path / "m.safetensors", threshold="quantile:0.1", device="cpu")
    else:
        detector = thresholded().with_threshold(parse_rule("quantile:0.1"))

    assert detector.threshold.fpr == pytest.approx(0.1)
    assert (scores > detector.threshold.value).mean() == pytest.approx(0.1)
    assert detector.threshold.held_out


def test_a_detector_without_a_threshold_names_the_way_to_one():
    with pytest.raises(ConfigError, match="no threshold yet"):
        _ = fitted().threshold
    with pytest.raises(ConfigError, match="no scores yet"):
        fitted().with_threshold(parse_rule("sigma"))


# The file


def test_the_id_changes_with_the_content_of_the_detector():
    detector = thresholded()
    others = [
        thresholded("sigma:4"),
        fitted(),
        fitted("unit"),
        replace(detector, card=replace(detector.card, kl_weight=0.5)),
    ]

    ids = {one.id for one in (detector, *others)}

    assert len(ids) == 5
    assert thresholded().id == detector.id
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in ids)


@pytest.mark.parametrize("kind", ["alone", *WITH_SURROUNDINGS])
def test_a_loaded_detector_is_the_saved_one(tmp_path, kind):
    detector = thresholded() if kind == "alone" else with_surroundings(kind)
    block = with_gaps((30, 40))
    detector.save(tmp_path / "model.safetensors")

    loaded = Detector.load(tmp_path / "model.safetensors")

    assert (loaded.card, loaded.id, loaded.radius) == (detector.card, detector.id, detector.radius)
    assert np.stack(loaded.score(block)).tobytes() == np.stack(detector.score(block)).tobytes()
    assert not loaded.model.training


@pytest.mark.parametrize(
    "change",
    [
        *({"family": family} for family in ("from-the-future", "ae")),
        *({"latent": latent} for latent in (1, -1)),
        *({"hidden": hidden} for hidden in ((8,), 8, ())),
        *("scaler.std", "noise.whitening", "scores.values"),
    ],
    ids=str,
)
def test_a_card_that_does_not_describe_its_tensors_is_refused(tmp_path, change):
    path = tmp_path / "model.safetensors"
    thresholded().save(path)
    file = read_model(path)
    if isinstance(change, str):
        file = replace(file, tensors={k: v for k, v in file.tensors.items() if k != change})
    else:
        file = ModelFile(replace(file.card, **change), file.tensors)
    path.write_bytes(to_bytes(file))

    with pytest.raises(
        ModelFileError, match=r"does not (hold the detector its card describes|fit format 2)"
    ):
        Detector.load(path)


def test_a_missing_device_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    fitted().save(tmp_path / "model.safetensors")

    for use in (
        lambda: fitted().to("cuda"),
        lambda: Detector.load(tmp_path / "model.safetensors", device="cuda"),
        lambda: fit(spectra(100), device="cuda"),
    ):
        with pytest.raises(ConfigError, match="no CUDA GPU"):
            use()


# Drawing


def test_drawn_spectra_have_the_statistics_of_the_training_spectra():
    x = spectra(4000)
    # Long enough for the noise to come down from 1 to that of the spectra.
    detector = fit(x, training={"max_steps": 500, "epochs": 400})

    drawn = detector.sample(4000, seed=0)

    assert drawn.shape == (4000, BANDS)
    assert drawn.mean(0) == pytest.approx(x.mean(0), abs=0.15 * float(x.std()))
    assert drawn.std(0) == pytest.approx(x.std(0), rel=0.3)
    assert np.abs(np.corrcoef(drawn.T) - np.corrcoef(x.T)).max() < 0.25


def test_a_conditioned_model_draws_for_the_mean_context():
    drawn = with_surroundings("context").sample(500, seed=0)

    assert drawn.shape == (500, BANDS)
    assert drawn.mean(0) == pytest.approx(spectra(1000).mean(0), abs=0.05)


def test_the_seed_decides_the_drawn_spectra():
    one, same, other = (fitted().sample(5, seed) for seed in (1, 1, 2))

    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


# Surroundings


@every_kind_of_surroundings
@pytest.mark.parametrize("size", [(7, 11), (30, 3), (64, 64)])
def test_tiles_with_a_halo_of_the_radius_are_invisible(kind, size):
    detector, block = with_surroundings(kind), with_gaps((30, 40))
    whole = detector.score(block)
    mosaic = np.full((4, 1, 30, 40), np.inf, np.float32)

    for tile in tiles((30, 40), size, halo=detector.radius):
        mosaic[:, :, *tile.keep] = np.stack(inner(detector.score(block[:, *tile.read]), tile))

    assert mosaic.tobytes() == np.stack(whole).tobytes()


@pytest.mark.parametrize(
    ("kind", "radius"),
    [("context", 7), ("local_contrast", 4), ("latent_distance", 4), ("all", 7 + 2 * 10)],
)
def test_receptive_radii_add_up(kind, radius):
    detector, block = with_surroundings(kind), scene((71, 71), seed=2)
    before = detector.score(block).total
    block[0, 35, 35] *= 5

    rows, cols = np.nonzero((detector.score(block).total != before)[0])

    assert detector.radius == radius
    assert np.abs([rows - 35, cols - 35]).max() == radius


@every_kind_of_surroundings
def test_a_block_has_the_same_bits_with_one_thread_and_with_two(kind):
    detector, block = with_surroundings(kind), with_gaps((50, 60))

    one = np.stack(detector.score(block))
    with blas_threads(2):
        two = np.stack(detector.score(block))

    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("kind", ["local_contrast", "latent_distance"])
def test_a_weighting_multiplies_every_term_by_one_factor(kind):
    alone = fit_scene(scene((25, 40)), training={"max_steps": 40})
    block = scene((25, 40), seed=2)

    weighted, plain = with_surroundings(kind).score(block), alone.score(block)

    factor = weighted.total / plain.total
    for term, unweighted in zip(weighted, plain, strict=True):
        assert factor == pytest.approx(term / unweighted, rel=1e-5)
    assert factor.std() > 0.01


def test_patches_are_made_batch_by_batch():
    block = scene((240, 240))
    detector = fit_scene(scene((12, 12)), model={"family": "spatial"}, training={"max_steps": 2})
    detector.score(block[:, :20])  # a first call loads modules

    tracemalloc.start()
    detector.score(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # all patches at once would be 49; each thread has some batches of 2 MiB
    assert peak < 25 * block.nbytes
