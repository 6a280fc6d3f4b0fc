import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.stats.scaler import Scaler, band_statistics, stream_statistics

FAR = np.array([0.0, 1e4, -3e5, 1e-6])
SPREAD = np.array([1.0, 2.0, 50.0, 1e-8])


def examples(count, seed=0, nodata=0.1):
    rng = np.random.default_rng(seed)
    x = (FAR + SPREAD * rng.normal(size=(count, 4))).astype(np.float32)
    x[rng.random(x.shape) < nodata] = np.nan
    return x


def assert_same(found, expected):
    np.testing.assert_array_equal(found.count, expected.count)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(found.std, expected.std, rtol=1e-9)
    np.testing.assert_array_equal(found.largest, expected.largest)


def test_statistics_are_those_of_numpy_without_the_missing_values():
    x = examples(5000).astype(np.float64)

    found = band_statistics(x.astype(np.float32))

    np.testing.assert_array_equal(found.count, np.isfinite(x).sum(axis=0))
    np.testing.assert_allclose(found.mean, np.nanmean(x, axis=0), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(found.std, np.nanstd(x, axis=0), rtol=1e-9)
    np.testing.assert_array_equal(found.largest, np.nanmax(np.abs(x), axis=0))


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 500), max_size=8), seed=st.integers(0, 99))
def test_a_stream_says_what_the_whole_says_whatever_the_split(cuts, seed):
    x = examples(500, seed)

    streamed = stream_statistics(np.split(x, sorted(cuts)))

    assert_same(streamed, band_statistics(x))


def test_the_order_of_the_parts_does_not_matter():
    first, second = band_statistics(examples(300, 1)), band_statistics(examples(40, 2))

    assert_same(first.merged(second), second.merged(first))


def test_the_leading_axes_do_not_matter():
    x = examples(600)

    assert_same(band_statistics(x.reshape(2, 15, 20, 4)), band_statistics(x))


def test_infinity_is_no_data():
    x = np.array([[1.0], [np.inf], [3.0], [-np.inf]], np.float32)

    found = band_statistics(x)

    assert (found.count[0], found.mean[0], found.largest[0]) == (2, 2.0, 3.0)


def test_statistics_leave_the_examples_as_they_were():
    x = examples(50)
    before = x.copy()

    band_statistics(x)

    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    "band",
    [
        np.full(1000, 0.1),
        np.zeros(1000),
        np.full(1000, np.nan),
        np.full(1000, 3e4) + 2e-3 * np.arange(1000) % 4e-3,  # the last digit of float32
        np.where(np.arange(1000) % 2, np.nan, -7.3),
    ],
    ids=["constant", "zero", "no data", "float32 jitter", "constant with gaps"],
)
def test_a_band_that_carries_nothing_is_dead(band):
    x = np.stack([band, np.random.default_rng(0).normal(size=1000)], axis=-1).astype(np.float32)

    assert stream_statistics(np.array_split(x, 7)).dead.tolist() == [True, False]


@pytest.mark.parametrize("std", [1e-8, 1e-3, 1.0, 1e6])
def test_a_band_is_not_dead_because_its_values_are_small_or_large(std):
    x = (std * np.random.default_rng(0).normal(size=(1000, 1))).astype(np.float32)

    assert not band_statistics(x).dead.any()


def test_a_band_with_a_single_value_that_differs_is_not_dead():
    x = np.zeros((100_000, 1), np.float32)
    x[7] = 1.0

    assert not band_statistics(x).dead.any()


def test_scaled_examples_have_mean_0_and_standard_deviation_1():
    x = examples(20_000, nodata=0.0)

    scaled = band_statistics(x).scaler().scale(x)

    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=0, dtype=float), 0.0, atol=2e-3)
    np.testing.assert_allclose(scaled.std(axis=0, dtype=float), 1.0, rtol=1e-3)


@given(
    x=st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=2),
    centre=st.floats(-1e3, 1e3),
    std=st.floats(1e-2, 1e3),
)
def test_unscaling_undoes_scaling(x, centre, std):
    data = np.array(x, np.float32)
    scaler = Scaler(np.full(2, centre), np.full(2, std))

    back = scaler.unscale(scaler.scale(data))

    assert back.dtype == np.float32
    np.testing.assert_allclose(back, data, rtol=1e-6, atol=2e-6 * (abs(centre) + 1))


def test_no_data_stays_no_data():
    scaler = Scaler(np.zeros(1), np.ones(1))

    assert np.isnan(scaler.scale(np.array([[np.nan]], np.float32))).all()
