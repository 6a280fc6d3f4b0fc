"""The detector: what its scores are made of, that they repeat, and what its file holds."""

import logging
import pickle
import tracemalloc
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats
from support.spectra import ArrayReader, fit, fit_scene, scene, spectra

from anomvae.detector import CHUNK, Detector
from anomvae.detector import fit as fit_module
from anomvae.detector.modelfile import ModelFile, read_model, to_bytes
from anomvae.errors import BandMismatch, ConfigError, ModelFileError, NotEnoughPixels
from anomvae.models import LIKELIHOODS
from anomvae.pixels.bands import Band, Bands
from anomvae.pixels.tiling import tiles
from anomvae.pixels.views import matched
from anomvae.stats.noise import KINDS
from anomvae.stats.thresholds import parse_rule

BANDS = 6


NOT_ALONE = {
    "context": {"model": {"family": "cvae"}},
    "local_contrast": {"score": {"local_contrast": 0.65, "annulus": (9, 5)}},
    "latent_distance": {"score": {"latent_distance": 1.0, "annulus": (9, 5)}},
    "all": {
        "model": {"family": "cvae", "likelihood": "student-t"},
        "score": {"local_contrast": 0.65, "latent_distance": 1.0, "noise": "covariance"},
    },
}
every_way_to_look_around = pytest.mark.parametrize("way", NOT_ALONE)


@cache
def fitted(noise="band", kl_weight=1.0, likelihood="gaussian"):
    score = {"noise": noise, "kl_weight": kl_weight}
    model = {"likelihood": likelihood}
    return fit(spectra(1000), training={"max_steps": 60}, score=score, model=model)


@cache
def among_surroundings(way):
    return fit_scene(scene((25, 40)), training={"max_steps": 40}, **NOT_ALONE[way])


def with_gaps(shape, dates=1):
    block = scene(shape, dates=dates, seed=2)
    block[0, 3:9, 2:11] = np.nan
    block[0, -1, -1, 0] = np.nan
    return block


def thresholded(rule="sigma:3"):
    scores = np.add(*fitted().score_examples(spectra(500, seed=3)))
    return fitted().with_threshold(parse_rule(rule), scores, held_out=True)


def terms_of(detector, x):
    return np.stack(detector.score_examples(x))


# What a score is


@pytest.mark.parametrize("noise", KINDS)
def test_score_is_reconstruction_plus_kl_exactly_and_never_negative(noise):
    block = scene((30, 40), seed=2)

    total, reconstruction, kl = fitted(noise).score(block)

    assert np.array_equal(total, reconstruction + kl)
    assert (reconstruction >= 0).all()
    assert (kl >= 0).all()


def test_with_noise_per_band_the_reconstruction_term_is_half_the_squared_whitened_residual():
    detector, x = fitted("band"), spectra(50, seed=2)

    reconstruction, _ = detector.score_examples(x)

    residual = (x - detector.reconstruct(x)) / detector.scaler.std
    sigma = detector.model.likelihood.sigma.detach().numpy()
    assert reconstruction == pytest.approx(0.5 * ((residual / sigma) ** 2).sum(-1), rel=1e-3)


def test_with_unit_noise_it_is_half_the_squared_error_in_scaled_units():
    detector, x = fitted("unit"), spectra(50, seed=2)

    reconstruction, _ = detector.score_examples(x)

    residual = (x - detector.reconstruct(x)) / detector.scaler.std
    assert reconstruction == pytest.approx(0.5 * (residual**2).sum(-1), rel=1e-3)


@pytest.mark.parametrize("likelihood", ["gaussian", "mse"])
def test_with_covariance_it_is_half_the_squared_mahalanobis_distance_of_the_residual(likelihood):
    detector, x = fitted("covariance", likelihood=likelihood), spectra(50, seed=2)

    reconstruction, _ = detector.score_examples(x)

    residual = (x - detector.reconstruct(x)) / detector.scaler.std - detector.noise.centre
    precision = detector.noise.whitening @ detector.noise.whitening.T
    distance = np.einsum("ni,ij,nj->n", residual, precision, residual)
    assert reconstruction == pytest.approx(0.5 * distance, rel=1e-3)


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_reconstruction_term_is_what_whitened_residuals_cost(noise, likelihood):
    detector, x = fitted(noise, likelihood=likelihood), spectra(50, seed=2)

    reconstruction, _ = detector.score_examples(x)

    residual = (x - detector.reconstruct(x)) / detector.scaler.std - detector.noise.centre
    whitening = detector.noise.whitening
    white = residual * whitening if whitening.ndim == 1 else residual @ whitening
    p = stats.t(df=4) if likelihood == "student-t" else stats.norm
    surprise = p.logpdf(0) - p.logpdf(white)
    assert reconstruction == pytest.approx(surprise.sum(-1), rel=1e-3)


def test_covariance_sees_bands_that_err_against_their_habit_better_than_band_does():
    rng = np.random.default_rng(0)
    x = spectra(3000)
    # Striping: two bands err together, more than the others, and the code has no room for it.
    x[:, :2] += rng.normal(0, 0.03, (3000, 1)).astype(np.float32)
    odd = x[:100].copy()
    odd[:, 0] += 0.05
    odd[:, 1] -= 0.05
    model, training = {"latent": 1, "likelihood": "gaussian"}, {"max_steps": 150}

    rates = {}
    for noise in ("band", "covariance"):
        detector = fit(x, model=model, training=training, score={"noise": noise})
        normal, unusual = (detector.score_examples(part)[0] for part in (x, odd))
        rates[noise] = (unusual > np.quantile(normal, 0.99)).mean()

    assert rates["covariance"] > 1.5 * rates["band"]


def test_the_covariance_is_that_of_examples_from_the_whole_scene(monkeypatch):
    # Examples lie in the order of the scene; its second half is noisier.
    x = spectra(2000)
    x[1000:] += np.random.default_rng(1).normal(0, 0.2, (1000, BANDS)).astype(np.float32)
    settings = {"score": {"noise": "covariance"}, "training": {"max_steps": 5}}
    every = fit(x, **settings).noise.whitening

    monkeypatch.setattr(fit_module, "RESIDUALS", 1000 * BANDS)
    half = fit(x, **settings).noise.whitening

    assert np.diag(half) == pytest.approx(np.diag(every), rel=0.1)


def test_kl_weight_multiplies_the_kl_term_alone():
    x = spectra(50, seed=2)

    whole, double = terms_of(fitted(), x), terms_of(fitted(kl_weight=2.0), x)

    assert np.array_equal(double[0], whole[0])
    assert np.array_equal(double[1], 2 * whole[1])


def test_without_the_kl_the_score_is_the_reconstruction_term():
    total, reconstruction, kl = fitted(kl_weight=0.0).score(scene((4, 4), seed=2))

    assert (kl == 0).all()
    assert np.array_equal(total, reconstruction)


def test_an_unusual_spectrum_scores_higher_than_normal_ones():
    usual, odd = spectra(200, seed=2), spectra(200, seed=2)[:, ::-1].copy()

    assert np.median(terms_of(fitted(), odd).sum(0)) > terms_of(fitted(), usual).sum(0).max()


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("value", [1e10, -1e20, 3.4e38])
def test_no_finite_value_has_a_score_that_is_not(noise, value):
    x = spectra(3, seed=2)
    x[1] = value
    x[2, ::2] *= -value if abs(value) < 1e38 else 1

    terms = terms_of(fitted(noise), x)

    assert np.isfinite(terms).all()
    assert terms[:, 1].sum() > 1e3 * terms[:, 0].sum()


def test_the_scores_of_values_without_bound_in_training_can_be_saved(tmp_path):
    x, held_out = spectra(200), spectra(20, seed=1)
    held_out[0, 0] = -3.4e38  # a no-data value that the file does not declare

    detector = fit(x, held_out=held_out, training={"max_steps": 5})
    detector.save(tmp_path / "m.safetensors")

    assert Detector.load(tmp_path / "m.safetensors").card == detector.card


# The same bits


def test_a_score_has_the_same_bits_whatever_its_neighbours():
    x = spectra(2 * CHUNK + 100, seed=2)

    among_others, alone = terms_of(fitted(), x), terms_of(fitted(), x[CHUNK + 7 : CHUNK + 8])

    assert among_others[:, CHUNK + 7 : CHUNK + 8].tobytes() == alone.tobytes()


@pytest.mark.parametrize("noise", KINDS)
def test_a_score_has_the_same_bits_in_any_order(noise):
    x = spectra(2500, seed=2)
    order = np.random.default_rng(0).permutation(len(x))

    straight, shuffled = terms_of(fitted(noise), x), terms_of(fitted(noise), x[order])

    assert shuffled.tobytes() == straight[:, order].tobytes()


@pytest.mark.parametrize("size", [1, 3, 1000, CHUNK, CHUNK + 1])
def test_a_score_has_the_same_bits_in_any_portion(size):
    x = spectra(2 * CHUNK + 50, seed=2)[-(40 if size < 10 else 10**6) :]

    parts = [terms_of(fitted(), x[start : start + size]) for start in range(0, len(x), size)]

    assert np.concatenate(parts, axis=1).tobytes() == terms_of(fitted(), x).tobytes()


@pytest.mark.parametrize("noise", KINDS)
def test_a_score_has_the_same_bits_with_one_thread_and_with_two(noise):
    x = spectra(3000, seed=2)

    one = terms_of(fitted(noise), x)
    torch.set_num_threads(2)
    try:
        two = terms_of(fitted(noise), x)
    finally:
        torch.set_num_threads(1)

    assert one.tobytes() == two.tobytes()


def test_padding_does_not_leak():
    x = spectra(10, seed=2)

    code, means = fitted().encode(x), fitted().reconstruct(x)

    assert code.shape == (10, fitted().card.latent)
    assert means.shape == x.shape
    assert terms_of(fitted(), x).shape == (2, 10)
    assert fitted().encode(np.tile(x, (200, 1)))[:10].tobytes() == code.tobytes()
    assert fitted().reconstruct(np.tile(x, (200, 1)))[:10].tobytes() == means.tobytes()


def test_no_examples_give_no_scores():
    none = spectra(0)

    assert terms_of(fitted(), none).shape == (2, 0)
    assert fitted().encode(none).shape == (0, fitted().card.latent)
    assert fitted().reconstruct(none).shape == (0, BANDS)


def test_the_block_given_is_not_changed():
    block = scene((5, 5), seed=2)
    before = block.copy()

    fitted().score(block)

    assert np.array_equal(block, before)


def test_the_global_generator_is_left_as_it_was():
    before = torch.get_rng_state()

    fitted().score(scene((5, 5)))
    fitted().sample(5, seed=0)

    assert torch.equal(torch.get_rng_state(), before)


def test_another_count_of_bands_is_refused_with_the_names_expected():
    with pytest.raises(BandMismatch, match=r"has 5 bands, .* trained on 6 \(band_1, band_2"):
        fitted().score(scene((3, 3), bands=5))


# Bands that carry nothing


def named_bands(*names):
    return Bands(tuple(Band(i, n) for i, n in enumerate(names, 1)), source=len(names), named=True)


def test_dead_and_constant_bands_are_left_out_and_named_in_the_log(caplog):
    x = spectra(300)
    x[:, 1], x[:, 4] = np.nan, 7.0

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        detector = fit(x, bands=named_bands(*"ABCDEF"), training={"max_steps": 5})

    assert "dropped, no data or one value everywhere: B, E" in caplog.messages
    assert detector.card.dropped == ("B", "E")
    assert detector.bands.names == ("A", "C", "D", "F")
    assert detector.bands.indexes == [1, 3, 4, 6]
    assert detector.model.encoder.layers[0].in_features == 4


def test_what_bands_left_out_hold_does_not_matter_to_a_score():
    x = spectra(300)
    x[:, 1], x[:, 4] = np.nan, 7.0
    detector = fit(x, training={"max_steps": 5})
    block = scene((4, 5), seed=2)
    block[..., 1], block[0, :2, :, 4] = np.nan, np.nan
    reader = matched(ArrayReader(block), detector.bands)

    scores = detector.score(reader.read((slice(0, 4), slice(0, 5))))

    assert np.isfinite(scores.total).all()


def test_a_band_that_is_constant_where_all_bands_have_data_is_left_out():
    x = spectra(300)
    x[:, 0] = np.where(np.arange(300) < 200, 1.0, x[:, 0])
    x[200:, 1] = np.nan

    detector = fit(x, training={"max_steps": 5})

    assert detector.card.dropped == ("band_1",)
    assert detector.card.training.pixels == 200


def test_nothing_is_logged_where_all_bands_are_alive(caplog):
    with caplog.at_level(logging.WARNING, logger="anomvae"):
        fit(spectra(100), training={"max_steps": 2})

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("x", "problem"),
    [
        (np.empty((0, 0), np.float32), "0 valid pixels to train on"),
        (np.full((50, 3), 4.0, np.float32), "All 3 bands have one value in all 50 pixels"),
        (
            np.where(np.eye(3), np.nan, np.ones((3, 3))).astype(np.float32),
            "0 valid pixels to train on",
        ),
    ],
)
def test_examples_that_carry_nothing_are_refused(x, problem):
    with pytest.raises(NotEnoughPixels, match=problem):
        fit(x, bands=named_bands("A", "B", "C"))


def test_one_living_band_is_enough():
    x = spectra(100)
    x[:, 1:] = 0

    detector = fit(x, training={"max_steps": 5})

    assert detector.card.latent == len(detector.bands) == 1
    assert np.isfinite(terms_of(detector, x[:, :1])).all()


# What a detector remembers


def test_the_card_tells_how_it_was_fitted():
    x, held_out = spectra(400), spectra(50, seed=1)
    held_out[0, 0] = np.nan

    detector = fit(
        x, held_out=held_out, seed=5, trim=0.1, training={"max_steps": 7}, model={"latent": 2}
    )

    card = detector.card
    assert (card.family, card.latent, card.hidden) == ("vae", 2, (64, 32))
    assert (card.training.seed, card.training.pixels, card.training.steps) == (5, 400, 7)
    assert (card.training.trim, card.training.beta) == (0.1, 1.0)
    assert np.isfinite(card.training.elbo)
    assert card.torch in torch.__version__


def test_without_held_out_examples_there_is_no_held_out_elbo():
    assert fitted().card.training.elbo is None


def test_the_held_out_elbo_rises_with_training():
    def elbo(steps):
        detector = fit(spectra(800), held_out=spectra(200, seed=1), training={"max_steps": steps})
        return detector.card.training.elbo

    assert elbo(200) > elbo(2)


def test_the_configuration_overrides_the_objective_of_the_family():
    plain = fit(spectra(100), model={"family": "beta-vae"}, training={"max_steps": 2})
    chosen = fit(spectra(100), model={"family": "beta-vae"}, training={"max_steps": 2, "beta": 0.5})

    assert (plain.card.training.beta, chosen.card.training.beta) == (4.0, 0.5)


def test_band_quantiles_are_those_of_the_training_examples():
    x = spectra(1000)

    quantiles = fitted().band_quantiles

    assert quantiles.shape == (11, BANDS)
    assert quantiles[0] == pytest.approx(x.min(0))
    assert quantiles[5] == pytest.approx(np.median(x, axis=0))
    assert quantiles[-1] == pytest.approx(x.max(0))


def test_with_threshold_leaves_the_detector_as_it_was():
    detector = fitted()

    cut = thresholded()

    assert cut.threshold.rule == "sigma:3"
    assert cut.threshold.pixels == cut.scores.count == 500
    assert cut.model is detector.model
    assert detector.card.threshold is None


def test_a_threshold_can_be_chosen_anew_from_the_scores_that_are_kept():
    scores = np.add(*fitted().score_examples(spectra(500, seed=3)))

    anew = thresholded("sigma:3").with_threshold(parse_rule("quantile:0.1"), held_out=True)

    assert anew.threshold.fpr == pytest.approx(0.1)
    assert (scores > anew.threshold.value).mean() == pytest.approx(0.1)


def test_a_detector_without_a_threshold_says_how_to_get_one():
    with pytest.raises(ConfigError, match="no threshold yet"):
        _ = fitted().threshold
    with pytest.raises(ConfigError, match="no scores yet"):
        fitted().with_threshold(parse_rule("sigma"), held_out=True)


# The file


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    def content(seed):
        return fit(spectra(300), seed=seed, training={"max_steps": 10}).to_bytes()

    assert content(0) == content(0)
    assert content(0) != content(1)


def test_the_id_changes_with_what_the_detector_is():
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


def test_saved_and_loaded_is_the_same_detector(tmp_path):
    detector = thresholded()

    detector.save(tmp_path / "model.safetensors")
    loaded = Detector.load(tmp_path / "model.safetensors")

    assert loaded.id == detector.id
    assert loaded.threshold == detector.threshold
    assert loaded.scores.values.tobytes() == detector.scores.values.tobytes()
    assert not loaded.model.training


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"gone\.safetensors cannot be read"):
        Detector.load(tmp_path / "gone.safetensors")


def test_a_damaged_file_is_refused(tmp_path):
    path, content = tmp_path / "model.safetensors", bytearray(fitted().to_bytes())
    content[-3] ^= 1
    path.write_bytes(content)

    with pytest.raises(ModelFileError, match="damaged"):
        Detector.load(path)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps({"weights": [1.0]}))

    with pytest.raises(ModelFileError, match="pickle"):
        Detector.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"family": "from-the-future"},
        {"family": "ae"},
        {"latent": 1},
        {"hidden": (8,)},
        {"hidden": 8},
        {"hidden": ()},
        {"latent": -1},
    ],
    ids=str,
)
def test_a_card_that_does_not_describe_its_tensors_is_refused(tmp_path, change):
    path = tmp_path / "model.safetensors"
    tensors = read_model_of(fitted(), path).tensors
    path.write_bytes(to_bytes(ModelFile(replace(fitted().card, **change), tensors)))

    with pytest.raises(ModelFileError, match="does not hold the detector its card describes"):
        Detector.load(path)


@pytest.mark.parametrize("name", ["scaler.std", "noise.whitening", "scores.values"])
def test_a_file_without_one_of_its_tensors_is_refused(tmp_path, name):
    path = tmp_path / "model.safetensors"
    file = read_model_of(thresholded(), path)
    tensors = {key: array for key, array in file.tensors.items() if key != name}
    path.write_bytes(to_bytes(ModelFile(file.card, tensors)))

    with pytest.raises(ModelFileError, match=name):
        Detector.load(path)


def read_model_of(detector, path):
    detector.save(path)
    return read_model(path)


# Drawing


def test_drawn_spectra_have_the_statistics_of_the_training_spectra():
    x = spectra(4000)
    # Long enough for the noise to come down from 1 to that of the spectra.
    detector = fit(x, training={"max_steps": 1500, "epochs": 400})

    drawn = detector.sample(4000, seed=0)

    assert drawn.shape == (4000, BANDS)
    assert drawn.mean(0) == pytest.approx(x.mean(0), abs=0.15 * float(x.std()))
    assert drawn.std(0) == pytest.approx(x.std(0), rel=0.3)
    assert np.abs(np.corrcoef(drawn.T) - np.corrcoef(x.T)).max() < 0.25


def test_the_seed_decides_what_is_drawn():
    one, again, other = (fitted().sample(5, seed) for seed in (1, 1, 2))

    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


def test_ae_has_no_prior_to_draw_from():
    detector = fit(spectra(100), model={"family": "ae"}, training={"max_steps": 2})

    with pytest.raises(ConfigError, match=r"'ae' has no prior.*such as 'vae'"):
        detector.sample(1, seed=0)


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")

    with pytest.raises(ConfigError, match="no CUDA GPU"):
        fitted().to("cuda")
    with pytest.raises(ConfigError, match="no CUDA GPU"):
        fit(spectra(100), device="cuda")


# Scores that depend on the surroundings


@every_way_to_look_around
def test_the_terms_still_add_up_and_are_never_negative(way):
    total, reconstruction, kl = among_surroundings(way).score(with_gaps((30, 40), dates=2))

    known = np.isfinite(total)
    assert np.array_equal((reconstruction + kl)[known], total[known])
    assert (reconstruction[known] >= 0).all()
    assert (kl[known] >= 0).all()


@every_way_to_look_around
def test_no_data_around_a_pixel_takes_no_score_away(way):
    block = with_gaps((30, 40), dates=2)

    scores = among_surroundings(way).score(block)

    for term in scores:
        assert np.array_equal(np.isfinite(term), np.isfinite(block).all(axis=-1))


@every_way_to_look_around
@pytest.mark.parametrize("size", [(7, 11), (30, 3), (64, 64)])
def test_tiles_are_invisible_however_far_a_detector_looks(way, size):
    detector, block = among_surroundings(way), with_gaps((30, 40))
    whole = detector.score(block)
    mosaic = np.full((3, 1, 30, 40), np.inf, np.float32)

    for tile in tiles((30, 40), size, halo=detector.radius):
        mosaic[:, :, *tile.keep] = np.stack(detector.score(block[:, *tile.read]).inner(tile))

    assert mosaic.tobytes() == np.stack(whole).tobytes()


@pytest.mark.parametrize(
    ("way", "radius"),
    [("context", 7), ("local_contrast", 4), ("latent_distance", 4), ("all", 7 + 2 * 10)],
)
def test_reaches_add_up(way, radius):
    detector, block = among_surroundings(way), scene((71, 71), seed=2)
    before = detector.score(block).total
    block[0, 35, 35] *= 5

    rows, cols = np.nonzero((detector.score(block).total != before)[0])

    assert detector.radius == radius
    assert np.abs([rows - 35, cols - 35]).max() == radius


@every_way_to_look_around
def test_a_block_has_the_same_bits_with_one_thread_and_with_two(way):
    detector, block = among_surroundings(way), with_gaps((50, 60))

    one = np.stack(detector.score(block))
    torch.set_num_threads(2)
    try:
        two = np.stack(detector.score(block))
    finally:
        torch.set_num_threads(1)

    assert one.tobytes() == two.tobytes()


@every_way_to_look_around
def test_saved_and_loaded_it_looks_around_as_before(way, tmp_path):
    detector, block = among_surroundings(way), with_gaps((30, 40))
    detector.save(tmp_path / "model.safetensors")

    loaded = Detector.load(tmp_path / "model.safetensors")

    assert (loaded.card, loaded.id, loaded.radius) == (detector.card, detector.id, detector.radius)
    assert np.stack(loaded.score(block)).tobytes() == np.stack(detector.score(block)).tobytes()


@every_way_to_look_around
def test_a_detector_says_whether_its_scores_are_nats(way):
    detector = among_surroundings(way)

    assert ("nats" in detector.meaning) == (way == "context")
    assert ("local-contrast weighting" in detector.meaning) == (way != "context")
    assert "nats" in fitted().meaning


@every_way_to_look_around
@pytest.mark.parametrize("value", [1e10, -1e20, 3.4e38])
def test_no_finite_value_has_a_score_that_is_not_however_it_is_made(way, value):
    block = scene((31, 31), seed=2)
    block[0, 15, 15] = value
    block[0, 3:5, 3:5, ::2] = -value

    scores = among_surroundings(way).score(block)

    assert np.isfinite(np.stack(scores)).all()
    assert scores.total[0, 15, 15] > 100 * np.median(scores.total)


@pytest.mark.parametrize("way", ["local_contrast", "latent_distance"])
def test_surroundings_count_on_top_of_the_same_scores(way):
    alone = fit_scene(scene((25, 40)), training={"max_steps": 40})
    block = scene((25, 40), seed=2)

    among, plain = among_surroundings(way).score(block), alone.score(block)

    factor = among.total / plain.total
    assert factor == pytest.approx(among.reconstruction / plain.reconstruction, rel=1e-5)
    assert factor.std() > 0.01


def test_dead_bands_are_named_once_though_scenes_are_read_twice(caplog):
    block = scene((25, 40))
    block[..., 1], block[..., 4] = np.nan, 7.0

    detector = fit_scene(block, model={"family": "cvae"}, training={"max_steps": 5})

    assert caplog.text.count("dropped, no data or one value everywhere: band_2, band_5") == 1
    assert caplog.text.count("dropped") == 1
    assert len(detector.context.basis) == BANDS - 2
    assert np.isfinite(detector.score(np.delete(block, [1, 4], axis=-1)).total).all()


def test_drawn_spectra_of_a_conditioned_model_are_those_of_usual_surroundings():
    drawn = among_surroundings("context").sample(500, seed=0)

    assert drawn.shape == (500, BANDS)
    assert drawn.mean(0) == pytest.approx(spectra(1000).mean(0), abs=0.05)


# Detectors that see more than a pixel


def test_a_halo_that_is_too_small_would_show():
    block = scene((24, 32))
    detector = fit_scene(block, model={"family": "spatial"}, training={"max_steps": 10})
    whole = detector.score(block).total

    half = detector.score(block[:, :, :16]).total

    assert np.array_equal(half[..., : 16 - detector.radius], whole[..., : 16 - detector.radius])
    assert not np.array_equal(half[..., 15], whole[..., 15])


def test_patches_are_made_a_pass_at_a_time():
    block = scene((200, 200))
    detector = fit_scene(scene((12, 12)), model={"family": "spatial"}, training={"max_steps": 2})
    detector.score(block[:, :20])  # what a first call loads is no part of it

    tracemalloc.start()
    detector.score(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10 * block.nbytes  # all patches at once would be 49


def test_a_date_scores_the_same_with_others_and_alone():
    block = scene((8, 9), dates=3)

    together = fitted().score(block).total

    assert together.tobytes() == b"".join(
        fitted().score(block[i : i + 1]).total.tobytes() for i in range(3)
    )
