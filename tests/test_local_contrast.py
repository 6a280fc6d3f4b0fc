"""The factor on a score by local contrast and latent distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.spectra import around

from anomvae.pixels.annulus import Annulus
from anomvae.pixels.tiling import tiles
from anomvae.stats.local_contrast import (
    AT_LARGE,
    NEAREST,
    STEEPEST,
    LocalContrastWeighting,
    fit_local_contrast,
)

WEIGHTS = {"local_contrast": (0.65, 0.0), "latent_distance": (0.0, 1.5), "both": (0.65, 1.5)}
shapes = npst.array_shapes(min_dims=2, max_dims=2, max_side=9)
annuli = st.sampled_from([Annulus(3, 1), Annulus(5, 1), Annulus(5, 3), Annulus(9, 5)])
shares = st.sampled_from([0.0, 0.3, 0.8, 1.0])
few_examples = settings(max_examples=30)
every_weight = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)


def weighting(weights, annulus=None):
    return LocalContrastWeighting(
        annulus or Annulus(5, 1), *weights, variance=2.0, distance=-0.5, level=1.2
    )


def scored(shape, share=0.0, dates=1, seed=0):
    """Draw scores (time, row, col) and codes (time, row, col, latent), a share without data."""
    rng = np.random.default_rng(seed)
    score = rng.exponential(4, (dates, *shape)).astype(np.float32)
    code = rng.normal(1, 1, (dates, *shape, 3)).astype(np.float32)
    missing = rng.uniform(size=score.shape) < share
    score[missing], code[missing] = np.nan, np.nan
    return score, code


def naive(weighting, score, code):
    """Return the factor of one date, (row, col), by the formula."""
    shape, valid = score.shape, np.isfinite(score)
    log_distance, common = np.zeros(shape), np.exp(-weighting.distance)
    for pixel in map(tuple, np.argwhere(valid)):
        inside = around(weighting.annulus, shape, pixel) & valid
        squares = np.square(code[inside] - code[pixel]).sum(axis=-1, dtype=float)
        near = np.mean(1 / (squares / weighting.variance + NEAREST)) if inside.any() else common
        lacking = 1 - inside.sum() / weighting.annulus.pixels
        distance = -np.log(near + AT_LARGE * lacking * (common - near))
        log_distance[pixel] = weighting.latent_distance * (distance - weighting.distance)
    level = np.log1p(score) + log_distance
    factor = np.full(shape, np.nan)
    for pixel in map(tuple, np.argwhere(valid)):
        inside = around(weighting.annulus, shape, pixel) & valid
        contrast = level[inside].mean() - weighting.level if inside.any() else 0.0
        factor[pixel] = np.exp(log_distance[pixel] - weighting.local_contrast * contrast)
    return factor


@every_weight
@few_examples
@given(shape=shapes, annulus=annuli, share=shares)
def test_the_factor_follows_the_formula(weights, shape, annulus, share):
    fit, (score, code) = weighting(weights, annulus), scored(shape, share, dates=2)
    before = score.tobytes(), code.tobytes()

    factor = fit.factor(score, code)

    assert (score.tobytes(), code.tobytes()) == before
    assert factor.dtype == np.float32
    for date in range(2):
        np.testing.assert_allclose(factor[date], naive(fit, score[date], code[date]), rtol=1e-3)


@every_weight
@few_examples
@given(
    shape=shapes, annulus=annuli, share=shares, size=st.tuples(st.integers(1, 9), st.integers(1, 9))
)
def test_tiles_do_not_show_to_the_bit(weights, shape, annulus, share, size):
    fit, (score, code) = weighting(weights, annulus), scored(shape, share)
    whole = fit.factor(score, code)
    mosaic = np.full_like(whole, np.inf)

    for tile in tiles(shape, size, halo=fit.radius):
        factor = fit.factor(score[:, *tile.read], code[:, *tile.read])
        mosaic[:, *tile.keep] = factor[:, *tile.inner]

    assert mosaic.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("weights", "radius"), [((0.0, 0.0), 0), ((0.5, 0.0), 4), ((0.0, 1.0), 4), ((0.5, 1.0), 8)]
)
def test_local_contrast_and_latent_distance_each_add_the_radius_of_the_annulus(weights, radius):
    assert weighting(weights, Annulus(9, 3)).radius == radius


def test_without_weights_the_factor_is_1():
    assert (weighting((0.0, 0.0)).factor(*scored((6, 7))) == 1).all()


@every_weight
@few_examples
@given(
    score=npst.arrays(
        np.float32, (1, 5, 6), elements=st.sampled_from([0.0, 1.0, 1e30, 3e38, np.nan])
    ),
    code=npst.arrays(np.float32, (1, 5, 6, 2), elements=st.sampled_from([0.0, 0.1, 1e6, -1e6])),
)
def test_a_factor_is_a_positive_number_wherever_there_is_a_score(weights, score, code):
    code[np.isnan(score)] = np.nan

    factor = weighting(weights).factor(score, code)

    assert np.array_equal(np.isnan(factor), np.isnan(score))
    finite = factor[~np.isnan(score)]
    assert (finite > 0).all()
    assert (finite <= np.exp(STEEPEST) * 1.001).all()


# Fitting


# Fitting


def fitted(annulus, local_contrast, latent_distance, score, code, seed=0):
    return fit_local_contrast(
        LocalContrastWeighting(annulus, local_contrast, latent_distance), score, code, seed
    )


def flat(count):
    score, code = scored((1, count))
    return score.ravel(), code.reshape(count, -1)


@pytest.mark.parametrize("count", [2, 200])
def test_variance_distance_and_level_follow_the_formula_without_a_pixel_itself(count):
    score, code = flat(count)

    fit = fitted(Annulus(9, 3), 0.5, 1.5, score, code)

    variance = code.var(axis=0).sum(dtype=float)
    squares = np.square(code[:, None] - code).sum(axis=-1, dtype=float) / variance
    near = (1 / (squares + NEAREST))[~np.eye(count, dtype=bool)].reshape(count, -1).mean(axis=1)
    level = np.log1p(score) + 1.5 * (-np.log(near) - fit.distance)
    expected = [variance, -np.log(near).mean(), level.mean()]
    assert [fit.variance, fit.distance, fit.level] == pytest.approx(expected, rel=1e-4)
    assert (fit.annulus, fit.local_contrast, fit.latent_distance) == (Annulus(9, 3), 0.5, 1.5)


@pytest.mark.parametrize(("count", "tolerance"), [(256, 1e-9), (20_000, 0.1)])
def test_the_order_of_training_pixels_does_not_matter(count, tolerance):
    score, code = flat(count)
    order = np.random.default_rng(1).permutation(count)

    straight = fitted(Annulus(9, 3), 0.5, 1.0, score, code)
    shuffled = fitted(Annulus(9, 3), 0.5, 1.0, score[order], code[order])

    for name in ("variance", "distance", "level"):
        assert getattr(shuffled, name) == pytest.approx(getattr(straight, name), abs=tolerance)


@pytest.mark.parametrize("count", [1, 32, 5000])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_identical_codes_can_be_fitted_to(count, value):
    score, code = flat(count)
    code[:] = value

    fit = fitted(Annulus(5, 1), 0.65, 1.0, score, code)

    assert np.isfinite([fit.variance, fit.distance, fit.level]).all()
    factor = fit.factor(np.ones((1, 9, 9), np.float32), np.full((1, 9, 9, 3), value, np.float32))
    assert np.isfinite(factor).all()
