"""The context of pixels: sums over annuli, their features, and views with a context."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.spectra import around, scene, spectra

from anomvae.pixels.annulus import LARGEST, LEAST, STEP, Annulus
from anomvae.pixels.tiling import tiles
from anomvae.pixels.views import Series, Spectra
from anomvae.stats.context import ConditionedView, Context, ContextPlan, fit_context

BANDS = 6
USED = np.array([True, False, True, True, False, True])
PLAN = ContextPlan(Annulus(5, 3), mean_components=3, std_components=2, clip_sigma=2.0)
annuli = st.builds(
    lambda guard, width: Annulus(2 * (guard + width) + 1, 2 * guard + 1),
    st.integers(0, 4),
    st.integers(1, 4),
)
shapes = npst.array_shapes(min_dims=2, max_dims=2, max_side=12)
few_examples = settings(max_examples=30)


def fitted(plan=PLAN, bands=BANDS, used=None):
    used = np.ones(bands, bool) if used is None else used
    context = fit_context(plan, spectra(500, int(used.sum())), used)
    block = np.zeros((1, 20, 25, bands), np.float32)
    block[..., used] = scene((20, 25), int(used.sum()))
    return context.fitted_to(context.describe(block).reshape(500, -1))


def gaps(shape, share, seed=0):
    """Choose pixels without data, (time, row, col)."""
    return np.random.default_rng(seed).uniform(size=(1, *shape)) < share


# Annuli


@few_examples
@given(annuli, npst.arrays(np.int64, shapes, elements=st.integers(-(2**50), 2**50)))
def test_a_sum_is_over_the_pixels_of_the_scene_between_guard_and_outer_side(annulus, values):
    sums = annulus.sums(values)

    for pixel in np.ndindex(values.shape):
        assert sums[pixel] == values[around(annulus, values.shape, pixel)].sum()


@given(annuli)
def test_an_annulus_has_a_number_of_pixels_and_a_radius(annulus):
    side = annulus.outer + 4
    inside = around(annulus, (side, side), (side // 2, side // 2))

    assert annulus.pixels == inside.sum()
    assert np.abs(np.argwhere(inside) - side // 2).max() == annulus.radius


@few_examples
@given(annuli, shapes, st.floats(0, 1))
def test_a_mean_is_over_valid_pixels(annulus, shape, share):
    values = np.random.default_rng(0).normal(size=shape)
    valid = ~gaps(shape, share)[0]
    values[~valid] = np.nan

    means = annulus.means(values, valid)

    for pixel in np.ndindex(shape):
        inside = values[around(annulus, shape, pixel) & valid]
        if len(inside):
            assert means[pixel] == pytest.approx(inside.mean(), abs=STEP)
        else:
            assert np.isnan(means[pixel])


def test_a_value_is_clipped_before_it_is_averaged():
    means = Annulus(3, 1).means(np.full((3, 3), 1e9), np.ones((3, 3), bool))

    assert (means == LARGEST).all()


# Features


@few_examples
@given(annuli, shapes, st.floats(0, 1))
def test_features_are_mean_and_std_of_the_components_in_the_annulus(annulus, shape, share):
    context = fitted(replace(PLAN, annulus=annulus))
    block = scene(shape, BANDS, seed=3)
    block[gaps(shape, share)] = np.nan
    block[0, 0, 0, 2] = np.nan  # a pixel without one band does not count

    features = context.describe(block)[0]

    components = (block[0] - context.centre) / context.std @ context.basis / context.scale
    for pixel in np.ndindex(shape):
        inside = components[around(annulus, shape, pixel)]
        inside = inside[np.isfinite(inside).all(axis=1)]
        mean = inside.sum(0) / annulus.pixels  # a pixel without data counts as 0
        enough = len(inside) >= LEAST * annulus.pixels
        std = inside.std(0)[:2] if enough else np.full(2, np.nan)
        pairs = np.stack([mean[:2], std], axis=-1).ravel()
        assert features[pixel] == pytest.approx([*pairs, mean[2]], abs=1e-2, nan_ok=True)


def peak_memory(function, *arguments):
    tracemalloc.start()
    function(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_block_of_few_bands_is_described_in_a_dozen_times_its_memory():
    context, block = fitted(ContextPlan(Annulus(15, 7), 10, 5, 2.0), bands=4), scene((256, 256), 4)

    assert peak_memory(context.describe, block) < 12 * block.nbytes


def test_components_are_fitted_without_a_second_copy_of_the_spectra():
    x = spectra(400_000, BANDS)

    assert peak_memory(fit_context, PLAN, x, np.ones(BANDS, bool)) < x.nbytes


@few_examples
@given(annuli, shapes, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 2))
def test_tiles_do_not_show_to_the_bit(annulus, shape, size, dates):
    context = fitted(replace(PLAN, annulus=annulus))
    block = scene(shape, BANDS, dates, seed=3)
    block[0][gaps(shape, 0.3)[0]] = np.nan
    whole = context.describe(block)
    mosaic = np.full_like(whole, np.inf)

    for tile in tiles(shape, size, halo=context.radius):
        mosaic[:, *tile.keep] = context.describe(block[:, *tile.read])[:, *tile.inner]

    assert mosaic.tobytes() == whole.tobytes()


@pytest.mark.parametrize("change", [0.3, np.nan, np.inf, 3e38])
def test_a_pixel_changes_the_annuli_that_hold_it_and_no_other(change):
    context, block = fitted(replace(PLAN, annulus=Annulus(9, 5))), scene((21, 21), seed=3)
    before = context.describe(block)
    block[0, 10, 10] = change

    changed = (context.describe(block) != before).any(axis=-1)[0]

    assert np.array_equal(changed, around(Annulus(9, 5), (21, 21), (10, 10)))


def test_bands_that_are_not_used_do_not_count():
    context, block = fitted(used=USED), scene((8, 9), seed=3)
    before = context.describe(block)
    block[..., 1], block[..., 4] = np.nan, 1e30

    assert context.describe(block).tobytes() == before.tobytes()
    kept = context.keep(USED)
    assert kept.describe(block[..., USED]).tobytes() == before.tobytes()
    assert (kept.width, kept.bands, context.bands) == (context.width, 4, BANDS)


@pytest.mark.parametrize("value", [np.inf, -1e20, 3.4e38, 50.0])
def test_no_feature_is_larger_than_clip_sigma(value):
    context, block = fitted(replace(PLAN, clip_sigma=1.5)), scene((9, 9), seed=3)
    block[0, ::2, ::3] = value

    scaled = context.standardised(context.describe(block))

    assert scaled.dtype == np.float32
    assert np.abs(scaled).max() <= 1.5


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_scene_of_few_bands_has_fewer_features(bands, means, stds):
    context = fitted(ContextPlan(Annulus(3, 1), means, stds, 2.0), bands)

    assert context.width == min(means, bands) + min(stds, bands)
    assert context.describe(scene((4, 5), bands)).shape == (1, 4, 5, context.width)
    assert context.radius == (1 if means or stds else 0)


def test_components_have_mean_0_and_variance_1_over_the_training_spectra():
    x = spectra(500)

    context = fit_context(PLAN, x, np.ones(BANDS, bool))

    components = (x - context.centre) / context.std @ context.basis / context.scale
    assert components.mean(0) == pytest.approx(0, abs=1e-6)
    assert np.cov(components.T) == pytest.approx(np.eye(3), abs=1e-6)


def test_copied_bands_have_finite_features():
    x = np.repeat(spectra(500, 2), 3, axis=1)

    context = fit_context(replace(PLAN, mean_components=6), x, np.ones(BANDS, bool))

    assert np.isfinite(context.describe(x.reshape(1, 20, 25, BANDS))).all()


def test_the_features_of_training_pixels_have_mean_0_and_std_1():
    features = np.random.default_rng(0).normal(5, 3, (1000, 5)).astype(np.float32)
    features[3] = np.nan

    context = replace(fitted(), plan=replace(PLAN, clip_sigma=100.0)).fitted_to(features)

    scaled = context.standardised(np.delete(features, 3, axis=0))
    assert scaled.mean(0) == pytest.approx(0, abs=1e-5)
    assert scaled.std(0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("features", [np.full((40, 5), np.nan), np.full((40, 5), 0.1), [[1.0] * 5]])
def test_features_without_variance_can_be_fitted_to(features):
    features = np.asarray(features, np.float32)

    assert np.isfinite(fitted().fitted_to(features).standardised(features)).all()


def test_a_context_is_rebuilt_from_its_tensors():
    context, block = fitted(), scene((8, 9), seed=3)

    again = Context.of(context.plan, context.tensors)

    assert all(name.startswith("context.") for name in context.tensors)
    assert (again.width, again.radius) == (context.width, context.radius)
    assert again.describe(block).tobytes() == context.describe(block).tobytes()


def test_each_date_has_its_own_surroundings_and_the_block_is_not_changed():
    context, block = fitted(), scene((8, 9), dates=3)
    before = block.copy()

    together = context.describe(block)

    for date in range(3):
        assert np.array_equal(together[date], context.describe(block[date : date + 1])[0])
    assert np.array_equal(block, before)


# The view

blocks = npst.arrays(
    np.float32,
    st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5), st.just(BANDS)),
    elements=st.sampled_from([0.0, 0.5, -3.0, np.nan, np.inf]),
)


@few_examples
@given(blocks)
def test_a_conditioned_view_scores_the_pixels_of_its_view_and_appends_their_context(block):
    view = ConditionedView(Spectra(), fitted())

    where = view.where(block)
    examples = view.split(block, where)
    joined = view.join(examples[:, 0], where)

    assert examples.dtype == np.float32
    assert examples[:, BANDS:].tobytes() == view.context.describe(block)[where].tobytes()
    assert np.array_equal(where, Spectra().where(block))
    assert np.array_equal(examples[:, :BANDS], Spectra().split(block, where))
    assert view.known(examples).all()
    assert np.array_equal(np.isfinite(joined), where)


def test_an_example_can_be_scored_though_nothing_around_it_is_valid():
    view = ConditionedView(Spectra(), fitted())
    block = np.full((1, 9, 9, BANDS), np.nan, np.float32)
    block[0, 4, 4] = 0.3
    block[0, 4, 5, 1:] = 0.3

    examples = view.split(block, np.isfinite(block).any(axis=-1))

    means, stds = examples[:, BANDS::2], examples[:, BANDS + 1 :: 2]
    assert (means == 0).all()  # the mean of a component over the training pixels
    assert np.isnan(stds).all()
    assert (view.context.standardised(examples[:, BANDS:])[:, 1::2] == 0).all()
    assert list(view.known(examples)) == [True, False]


@pytest.mark.parametrize("view", [Spectra(radius=3), Series()])
def test_a_conditioned_view_adds_its_radius_and_compares_dates_as_its_view(view):
    conditioned = ConditionedView(view, fitted())

    assert conditioned.radius == view.radius + 2
    assert conditioned.compares_dates == view.compares_dates
