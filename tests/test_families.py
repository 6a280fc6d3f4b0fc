"""The contract: what every family of autoencoders promises, whatever its parts."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from support.spectra import around, fit_scene, scene, spectra

from anomvae.detector import Detector
from anomvae.errors import BandMismatch, ConfigError
from anomvae.models import LIKELIHOODS
from anomvae.models.core import join
from anomvae.models.families import FAMILIES, Sizes, family_named, fitting_sizes
from anomvae.pixels.annulus import Annulus
from anomvae.pixels.tiling import tiles
from anomvae.testing.simulate import Anomaly, Sensor, draw_place, observe, simulate

BANDS = 6
CONTEXT = 5
DATES = 3
SIZES = Sizes(BANDS, latent=3, hidden=(16, 8), patch=Annulus(outer=5, guard=1))

every_family = pytest.mark.parametrize("family", FAMILIES)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def build(family, likelihood="gaussian", sizes=SIZES):
    torch.manual_seed(0)
    context = CONTEXT if FAMILIES[family].conditioned else 0
    return FAMILIES[family].build(replace(sizes, context=context), likelihood)


def inside(family, patch):
    """Axes of an example before its bands."""
    recipe = FAMILIES[family]
    if recipe.of_patches:
        return (patch.outer, patch.outer)
    return (DATES,) if recipe.of_dates else ()


def batch(family, count=40, sizes=SIZES):
    """Draw examples (count, ..., band), and the context that the family is told."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(count, *inside(family, sizes.patch), sizes.bands, generator=draw)
    context = torch.randn(count, CONTEXT, generator=draw)
    return x, context if FAMILIES[family].conditioned else None


def answered(model, x, context=None):
    """Look at examples, and let the model answer."""
    seen = model.prepare(x, context)
    return seen, model(seen.x, seen.context)


def block_for(family, shape, bands=BANDS, seed=2):
    """Draw a scene of as many dates as the family compares."""
    return scene(shape, bands, DATES if FAMILIES[family].of_dates else 1, seed)


def train(family, block, seed=0, **training):
    return fit_scene(block, seed=seed, model={"family": family}, training=training)


@cache
def fitted(family):
    return train(family, block_for(family, (20, 40), seed=0), max_steps=40)


@every_family
@pytest.mark.parametrize("training", [True, False])
def test_shapes_and_units(family, training):
    model, (x, context) = build(family).train(training), batch(family)

    seen, answer = answered(model, x, context)

    scored = (len(x), DATES) if FAMILIES[family].of_dates else (len(x),)
    assert seen.known.shape == answer.kl.shape == scored
    assert answer.mean.shape == answer.error.shape == seen.x.shape == (*scored, BANDS)
    assert answer.penalty.shape == ()
    assert answer.error.isfinite().all()
    assert (answer.kl >= 0).all()


@every_family
def test_all_axes_but_the_last_are_batch(family):
    model, (x, context) = build(family).eval(), batch(family)

    _, flat = answered(model, x, context)
    parts = (part if part is None else part.unflatten(0, (5, 4, 2)) for part in (x, context))
    _, scoring_program = answered(model, *parts)

    assert torch.allclose(scoring_program.mean.flatten(0, 2), flat.mean, atol=1e-6)
    assert torch.allclose(scoring_program.kl.flatten(0, 2), flat.kl, atol=1e-6)


@every_family
@pytest.mark.parametrize(
    ("likelihood", "distribution"),
    [
        ("gaussian", torch.distributions.Normal),
        ("student-t", partial(torch.distributions.StudentT, 4.0)),
        ("mse", torch.distributions.Normal),
    ],
)
def test_error_is_the_negative_log_density_of_the_likelihood(family, likelihood, distribution):
    model, (x, context) = build(family, likelihood).eval(), batch(family)

    seen, answer = answered(model, x, context)

    p = distribution(answer.mean, model.likelihood.sigma)
    assert torch.allclose(answer.error, -p.log_prob(seen.x), atol=1e-5)


@every_family
def test_kl_never_falls_below_zero_where_the_code_is_near_its_prior(family):
    model = build(family).eval()
    for parameter in model.parameters():
        parameter.data *= 1e-4

    assert (answered(model, *batch(family, 5000))[1].kl >= 0).all()


def test_kl_of_ae_is_exactly_zero():
    terms = fitted("ae").score(scene((8, 8), seed=2))

    assert (terms.kl == 0).all()
    assert np.array_equal(terms.total, terms.reconstruction)


@pytest.mark.parametrize("family", ["vae", "beta-vae", "cvae", "sequential", "spatial"])
def test_kl_is_that_of_a_normal_posterior_against_a_standard_normal_prior(family):
    model, (x, context) = build(family).eval(), batch(family)

    seen, answer = answered(model, x, context)
    features = model.encoder(join(seen.x, seen.context))
    mu, log_sigma = model.bottleneck.to_q(features).chunk(2, dim=-1)

    q, prior = torch.distributions.Normal(mu, log_sigma.exp()), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(q, prior).sum(-1)
    assert torch.allclose(answer.kl, expected, atol=1e-5)


@every_family
@every_likelihood
def test_gradient_reaches_every_trainable_parameter(family, likelihood):
    model = build(family, likelihood).train()

    x, context = batch(family)
    if FAMILIES[family].context_network is not None:
        x[0] = torch.nan  # what is missing is told, too
    seen, answer = answered(model, x, context)
    FAMILIES[family].objective(answer)[seen.known].mean().backward()

    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert (parameter.grad != 0).any(), name


@every_family
def test_unit_likelihood_has_noise_1_and_keeps_it(family):
    detector = fit_scene(
        block_for(family, (10, 20)),
        model={"family": family, "likelihood": "mse"},
        training={"max_steps": 5},
    )

    assert (detector.model.likelihood.sigma == 1).all()
    assert (detector.noise.whitening == 1).all()


@every_family
def test_noise_is_learnt_per_band(family):
    sigma = train(family, block_for(family, (20, 40)), max_steps=150).model.likelihood.sigma

    assert (sigma < 1).all()
    assert len(sigma.unique()) == BANDS


@every_family
def test_scoring_repeats(family):
    detector, block = fitted(family), block_for(family, (9, 7))

    first, second = detector.score(block), detector.score(block)

    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes()


@every_family
def test_saved_and_loaded_gives_the_same_scores_to_the_bit(family, tmp_path):
    detector, block = fitted(family), block_for(family, (9, 7))
    path = tmp_path / "model.safetensors"

    detector.save(path)
    loaded = Detector.load(path)

    assert loaded.card == detector.card
    assert loaded.to_bytes() == detector.to_bytes()
    for one, other in zip(detector.score(block), loaded.score(block), strict=True):
        assert one.tobytes() == other.tobytes()


@every_family
@pytest.mark.parametrize("hidden", [(10, 7), (50, 50)])
@pytest.mark.parametrize("bands", [2, 5, 11])
def test_a_score_has_the_same_bits_in_any_order_whatever_the_sizes(family, hidden, bands):
    block, order = block_for(family, (30, 50), bands), np.random.default_rng(0).permutation(1500)
    detector = fit_scene(
        block_for(family, (10, 20), bands, seed=0),
        model={"family": family, "hidden": hidden, "latent": 2},
        training={"max_steps": 2},
        score={"noise": "covariance"},
    )

    x = detector.view.split(block, np.ones(block.shape[:-1], bool))[:]

    straight, shuffled = (np.stack(detector.score_examples(part)) for part in (x, x[order]))

    assert shuffled.tobytes() == straight[:, order].tobytes()


@every_family
@pytest.mark.parametrize("size", [(1, 1), (7, 16), (40, 3), (64, 64)])
def test_tiles_are_invisible_to_the_bit(family, size):
    detector, block = fitted(family), block_for(family, (41, 37))
    block[:, 5:9, 30:33] = np.nan
    if size == (1, 1):
        block = block[:, :6, :9]  # a pass per tile
    whole = detector.score(block)
    mosaic = np.full((3, *block.shape[:-1]), np.inf, np.float32)

    for tile in tiles(block.shape[1:3], size, halo=detector.radius):
        terms = detector.score(block[:, *tile.read]).inner(tile)
        mosaic[:, :, *tile.keep] = np.stack(terms)

    assert mosaic.tobytes() == np.stack(whole).tobytes()


@every_family
def test_nan_in_is_nan_out_and_nowhere_else(family):
    block = block_for(family, (6, 5))
    block[0, 1, 2] = np.nan
    block[0, 4, 0, 3] = np.nan
    block[-1, 4, 1, 5] = np.inf

    terms = fitted(family).score(block)

    expected = np.zeros(block.shape[:-1], bool)
    expected[0, 1, 2] = expected[0, 4, 0] = expected[-1, 4, 1] = True
    if FAMILIES[family].of_dates:  # and the first date of each pixel has none to compare it with
        expected[0] = expected[1, 1, 2] = expected[1, 4, 0] = True
    for term in terms:
        assert term.shape == block.shape[:-1]
        assert term.dtype == np.float32
        assert np.array_equal(np.isnan(term), expected)


@every_family
def test_a_block_without_data_scores_to_nan(family):
    terms = fitted(family).score(np.full((2, 4, 3, BANDS), np.nan, np.float32))

    assert all(np.isnan(term).all() and term.shape == (2, 4, 3) for term in terms)


@cache
def sample_scenes(of_dates):
    """Draw blocks to train on and to score, and what is planted in the newest date of the other."""
    roof = [Anomaly("red roof", (2, 2))]
    if not of_dates:
        other = simulate((64, 64), 1, anomalies=roof)
        return simulate((64, 64), 0).block, other.block, other
    rng = np.random.default_rng(0)
    place = draw_place((64, 64), rng)
    # Shadows that move from day to day are changes, too.
    sensor = Sensor(shadow=0)
    days = [observe(place, rng, planted, sensor) for planted in ([], [], [], [], [], roof)]
    blocks = [day.block for day in days]
    return np.concatenate(blocks[:5]), np.concatenate(blocks[1:]), days[-1]


@every_family
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_anomaly_ranks_near_the_top_of_another_scene(family, seed):
    normal, block, other = sample_scenes(FAMILIES[family].of_dates)
    # To a conditioned model the surroundings in another scene are news, too.
    share = 0.02 if FAMILIES[family].conditioned else 0.01

    scores = train(family, normal, seed, max_steps=150, batch_size=256).score(block).total[-1]

    planted = scores[other.labels == 1]
    assert planted.min() > np.quantile(scores[other.valid], 1 - share)


def test_a_conditioned_family_is_told_what_surrounds_a_pixel():
    detector, block = fitted("cvae"), scene((21, 21), seed=2)
    before = detector.score(block).total
    block[0, 10, 10] *= 3

    changed = (detector.score(block).total != before)[0]

    changed[10, 10] = False
    assert np.array_equal(changed, around(detector.context.plan.annulus, (21, 21), (10, 10)))


def test_a_family_that_is_not_conditioned_sees_each_pixel_alone():
    for family in FAMILIES.keys() - {"cvae", "spatial"}:
        assert fitted(family).radius == 0
        assert fitted(family).context is None


def test_examples_without_their_context_are_refused():
    with pytest.raises(BandMismatch, match=r"has 6 bands, .* on 6 .*, and 11 numbers of context"):
        fitted("cvae").encode(spectra(5))


@every_family
@pytest.mark.parametrize("bands", [5, 7, BANDS + 11])
def test_a_block_of_other_bands_is_refused(family, bands):
    with pytest.raises(BandMismatch, match=rf"has {bands} bands, .* on 6 \(band_1, .*Give these"):
        fitted(family).score(scene((3, 3), bands=bands))


@every_family
def test_only_a_family_with_a_prior_draws_spectra(family):
    detector = fitted(family)

    if detector.model.has_prior:
        assert detector.sample(5, seed=0).shape == (5, BANDS)
    else:
        with pytest.raises(ConfigError, match=rf"model.family = '{family}' has no prior"):
            detector.sample(5, seed=0)


def test_a_misspelt_family_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"model.family = 'bta-vae' .* Did you mean 'beta-vae'"):
        family_named("bta-vae")


@pytest.mark.parametrize(
    ("bands", "latent", "hidden"),
    [
        (1, 1, (64, 32)),
        (4, 2, (64, 32)),
        (13, 6, (64, 32)),
        (32, 8, (64, 32)),
        (33, 8, (128, 64)),
        (400, 8, (128, 64)),
    ],
)
def test_sizes_follow_the_bands(bands, latent, hidden):
    assert fitting_sizes(bands) == Sizes(bands, latent, hidden)


def test_sizes_that_are_given_stay():
    assert fitting_sizes(4, 3, (7,), context=15) == Sizes(4, 3, (7,), 15)


@every_family
@pytest.mark.parametrize("sizes", [Sizes(1, 1, (2,)), Sizes(3, 5, (4, 4, 4))])
def test_any_sizes_make_a_model(family, sizes):
    _, answer = answered(build(family, sizes=sizes), *batch(family, 2, sizes))

    assert answer.mean.shape[-1] == sizes.bands
