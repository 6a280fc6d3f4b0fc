"""What surrounds a pixel: sums over rings, and what a model is told of them."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from support.spectra import around, scene, spectra

from anomvae.pixels.annulus import LEAST, Annulus
from anomvae.pixels.tiling import tiles
from anomvae.pixels.views import Spectra
from anomvae.stats.context import Conditioned, Context, ContextPlan, fit_context

BANDS = 6
STEP = 2.0**-16
PLAN = ContextPlan(Annulus(5, 3), mean_components=3, std_components=2, clip_sigma=2.0)
rings = st.builds(
    lambda guard, width: Annulus(2 * (guard + width) + 1, 2 * guard + 1),
    st.integers(0, 4),
    st.integers(1, 4),
)
shapes = npst.array_shapes(min_dims=2, max_dims=2, max_side=12)
few_examples = settings(deadline=None, max_examples=30)


def fitted(plan=PLAN, bands=BANDS, used=None):
    used = np.ones(bands, bool) if used is None else used
    context = fit_context(plan, spectra(500, int(used.sum())), used)
    empty_context = np.zeros((1, 20, 25, bands), np.float32)
    empty_context[..., used] = scene((20, 25), int(used.sum()))
    return context.fitted_to(
        Spectra().split(context.describe(empty_context), np.ones((1, 20, 25), bool))
    )


def gaps(shape, share, seed=0):
    """Choose pixels without data, (time, row, col)."""
    return np.random.default_rng(seed).uniform(size=(1, *shape)) < share


# Rings


@few_examples
@given(rings, npst.arrays(np.int64, shapes, elements=st.integers(-(2**50), 2**50)))
def test_a_sum_is_that_of_the_pixels_of_the_scene_between_guard_and_outer_side(annulus, values):
    sums = annulus.sums(values)

    for place in np.ndindex(values.shape):
        assert sums[place] == values[around(annulus, values.shape, place)].sum()


@given(rings)
def test_a_ring_counts_its_pixels_and_its_reach(annulus):
    side = annulus.outer + 4
    held = around(annulus, (side, side), (side // 2, side // 2))

    assert annulus.pixels == held.sum()
    assert np.abs(np.argwhere(held) - side // 2).max() == annulus.radius


@few_examples
@given(rings, shapes, st.floats(0, 1))
def test_a_mean_is_that_of_known_pixels_and_counts_where_a_quarter_is_known(annulus, shape, share):
    values = np.random.default_rng(0).normal(size=shape)
    known = ~gaps(shape, share)[0]
    values[~known] = np.nan

    means, seen = annulus.means(values, known)

    for place in np.ndindex(shape):
        held = values[around(annulus, shape, place) & known]
        assert seen[place] == (len(held) >= LEAST * annulus.pixels)
        if len(held):
            assert means[place] == pytest.approx(held.mean(), abs=STEP)
        else:
            assert np.isnan(means[place])


# What is told


@few_examples
@given(rings, shapes, st.floats(0, 1))
def test_a_context_is_mean_and_spread_of_the_components_in_the_ring(annulus, shape, share):
    context = fitted(replace(PLAN, annulus=annulus))
    block = scene(shape, BANDS, seed=3)
    block[gaps(shape, share)] = np.nan
    block[0, 0, 0, 2] = np.nan  # one band is enough for a pixel not to count

    numbers = context.describe(block)[0]

    scaled = (block[0] - context.centre) / context.std
    components = scaled @ context.basis / context.scale
    for place in np.ndindex(shape):
        held = components[around(annulus, shape, place)]
        held = held[np.isfinite(held).all(axis=1)]
        if len(held) < LEAST * annulus.pixels:
            assert np.isnan(numbers[place]).all()
        else:
            told = np.stack([held.mean(0)[:2], held.std(0)[:2]], axis=-1).ravel()
            wanted = [*told, held.mean(0)[2]]  # mean and spread of the first two, mean of the third
            assert numbers[place] == pytest.approx(wanted, abs=1e-2)


def test_too_few_known_pixels_tell_the_training_mean():
    context, block = fitted(), np.full((1, 9, 9, BANDS), np.nan, np.float32)
    block[0, 4, 4] = 0.3

    numbers = context.describe(block)

    assert np.isnan(numbers).all()
    assert (context.standardised(numbers) == 0).all()


def test_a_block_of_few_bands_is_described_in_a_dozen_times_its_memory():
    context, block = fitted(ContextPlan(Annulus(15, 7), 10, 5, 2.0), bands=4), scene((256, 256), 4)
    tracemalloc.start()

    context.describe(block)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * block.nbytes


def test_components_are_fitted_without_a_second_copy_of_the_spectra():
    x = spectra(400_000, BANDS)
    tracemalloc.start()

    fit_context(PLAN, x, np.ones(BANDS, bool))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes


@few_examples
@given(rings, shapes, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 2))
def test_tiles_are_invisible_to_the_bit(annulus, shape, size, dates):
    context = fitted(replace(PLAN, annulus=annulus))
    block = scene(shape, BANDS, dates, seed=3)
    block[0][gaps(shape, 0.3)[0]] = np.nan
    whole = context.describe(block)
    mosaic = np.full_like(whole, np.inf)

    for tile in tiles(shape, size, halo=context.radius):
        mosaic[:, *tile.keep] = context.describe(block[:, *tile.read])[:, *tile.inner]

    assert mosaic.tobytes() == whole.tobytes()


@pytest.mark.parametrize("change", [0.3, np.nan, np.inf, 3e38])
def test_a_pixel_is_seen_by_the_rings_that_hold_it_and_by_no_other(change):
    context, block = fitted(replace(PLAN, annulus=Annulus(9, 5))), scene((21, 21), seed=3)
    before = context.describe(block)
    block[0, 10, 10] = change

    changed = (context.describe(block) != before).any(axis=-1)[0]

    assert np.array_equal(changed, around(Annulus(9, 5), (21, 21), (10, 10)))


def test_bands_that_are_not_used_do_not_count():
    used = np.array([True, False, True, True, False, True])
    context, block = fitted(used=used), scene((8, 9), seed=3)
    before = context.describe(block)
    block[..., 1], block[..., 4] = np.nan, 1e30

    assert context.describe(block).tobytes() == before.tobytes()


def test_kept_bands_tell_the_same_as_all():
    used = np.array([True, False, True, True, False, True])
    context, block = fitted(used=used), scene((8, 9), seed=3)

    kept = context.keep(used)

    assert kept.describe(block[..., used]).tobytes() == context.describe(block).tobytes()
    assert kept.width == context.width
    assert len(context.centre) == BANDS


@pytest.mark.parametrize("value", [np.inf, -1e20, 3.4e38, 50.0])
def test_no_number_is_larger_than_the_limit(value):
    context, block = fitted(replace(PLAN, clip_sigma=1.5)), scene((9, 9), seed=3)
    block[0, ::2, ::3] = value

    told = context.standardised(context.describe(block))

    assert told.dtype == np.float32
    assert np.abs(told).max() <= 1.5


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 12))
def test_a_scene_of_few_bands_has_fewer_numbers(bands, means, spreads):
    context = fitted(ContextPlan(Annulus(3, 1), means, spreads, 2.0), bands)

    assert context.width == min(means, bands) + min(spreads, bands)
    assert context.describe(scene((4, 5), bands)).shape == (1, 4, 5, context.width)


def test_components_have_mean_0_and_variance_1_over_the_training_spectra():
    x = spectra(500)

    context = fit_context(PLAN, x, np.ones(BANDS, bool))

    components = (x - context.centre) / context.std @ context.basis / context.scale
    assert components.mean(0) == pytest.approx(0, abs=1e-6)
    assert np.cov(components.T) == pytest.approx(np.eye(3), abs=1e-6)


def test_copied_bands_have_finite_numbers():
    x = np.repeat(spectra(500, 2), 3, axis=1)

    context = fit_context(replace(PLAN, mean_components=6), x, np.ones(BANDS, bool))

    assert np.isfinite(context.describe(x.reshape(1, 20, 25, BANDS))).all()


def test_the_numbers_of_training_pixels_have_mean_0_and_spread_1():
    numbers = np.random.default_rng(0).normal(5, 3, (1000, 5)).astype(np.float32)
    numbers[3] = np.nan

    context = replace(fitted(), plan=replace(PLAN, clip_sigma=100.0)).fitted_to(numbers)

    told = context.standardised(np.delete(numbers, 3, axis=0))
    assert told.mean(0) == pytest.approx(0, abs=1e-5)
    assert told.std(0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("numbers", [np.full((40, 5), np.nan), np.full((40, 5), 0.1), [[1.0] * 5]])
def test_numbers_that_say_nothing_can_be_fitted_to(numbers):
    numbers = np.asarray(numbers, np.float32)

    told = fitted().fitted_to(numbers).standardised(numbers)

    assert np.isfinite(told).all()


def test_a_context_comes_back_from_its_tensors():
    context, block = fitted(), scene((8, 9), seed=3)

    again = Context.of(context.plan, context.tensors)

    assert all(name.startswith("context.") for name in context.tensors)
    assert (again.width, again.radius) == (context.width, context.radius)
    assert again.describe(block).tobytes() == context.describe(block).tobytes()


def test_each_date_has_the_surroundings_of_its_own():
    context, block = fitted(), scene((8, 9), dates=3)

    together = context.describe(block)

    for date in range(3):
        assert np.array_equal(together[date], context.describe(block[date : date + 1])[0])


def test_the_block_given_is_not_changed():
    block = scene((5, 5))
    before = block.copy()

    fitted().describe(block)

    assert np.array_equal(block, before)


# The view


blocks = npst.arrays(
    np.float32,
    st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5), st.just(BANDS)),
    elements=st.sampled_from([0.0, 0.5, -3.0, np.nan, np.inf]),
)


@few_examples
@given(blocks)
def test_a_conditioned_view_scores_the_pixels_of_the_view_within(block):
    view = Conditioned(Spectra(), fitted())

    where = view.where(block)
    examples = view.split(block, where)

    assert np.array_equal(where, Spectra().where(block))
    assert np.array_equal(examples[:, :BANDS], Spectra().split(block, where))
    assert view.known(examples).all()
    assert view.join(examples[:, 0], where).shape == where.shape
    assert np.array_equal(np.isfinite(view.join(examples[:, 0], where)), where)


@few_examples
@given(blocks)
def test_a_conditioned_view_joins_the_context_to_the_end_of_an_example(block):
    context = fitted()
    everywhere = np.ones(block.shape[:-1], bool)

    examples = Conditioned(Spectra(), context).split(block, everywhere)

    assert examples.dtype == np.float32
    told = examples[:, BANDS:].reshape(*block.shape[:-1], -1)
    assert told.tobytes() == context.describe(block).tobytes()


def test_an_example_is_whole_though_nothing_is_known_around_it():
    view, block = Conditioned(Spectra(), fitted()), np.full((1, 9, 9, BANDS), np.nan, np.float32)
    block[0, 4, 4] = 0.3
    block[0, 4, 5, 1:] = 0.3

    examples = view.split(block, np.isfinite(block).any(axis=-1))

    assert np.isnan(examples[:, BANDS:]).all()
    assert list(view.known(examples)) == [True, False]


def test_the_reaches_of_view_and_ring_add_up():
    assert Conditioned(Spectra(radius=3), fitted()).radius == 3 + 2
