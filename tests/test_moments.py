"""Moments of bands, merged in a stream, and the scaler that they give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.stats.moments import band_statistics, in_parts, stream_moments, stream_statistics
from anomvae.stats.scaler import FARTHEST, Scaler

FAR = np.array([0.0, 1e4, -3e5, 1e-6])
STD = np.array([1.0, 2.0, 50.0, 1e-8])
cuts = st.lists(st.integers(0, 500), max_size=8)


def examples(count, seed=0, nodata=0.1):
    rng = np.random.default_rng(seed)
    x = (FAR + STD * rng.normal(size=(count, 4))).astype(np.float32)
    x[rng.random(x.shape) < nodata] = np.nan
    return x


@given(cuts=cuts, far=st.sampled_from([0.0, 1e3, -1e6]))
def test_moments_of_a_stream_are_those_of_numpy_whatever_the_parts(cuts, far):
    x = far + np.random.default_rng(0).normal(size=(500, 5)) @ np.diag([1, 2, 3, 4, 5])

    streamed = stream_moments(np.split(x, sorted(cuts)))

    assert streamed.count == 500
    np.testing.assert_allclose(streamed.mean, x.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(streamed.covariance, np.cov(x.T), rtol=1e-7, atol=1e-9)


@given(cuts=cuts, seed=st.integers(0, 99))
def test_statistics_of_a_stream_are_those_of_numpy_without_nan_whatever_the_parts(cuts, seed):
    x = examples(500, seed)

    streamed = stream_statistics(part[:, None] for part in np.split(x, sorted(cuts)))

    wide = x.astype(np.float64)
    np.testing.assert_array_equal(streamed.count, np.isfinite(x).sum(axis=0))
    np.testing.assert_allclose(streamed.mean, np.nanmean(wide, axis=0), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(streamed.std, np.nanstd(wide, axis=0), rtol=1e-9)
    np.testing.assert_array_equal(streamed.largest, np.nanmax(np.abs(wide), axis=0))


@pytest.mark.parametrize("count", [0, 1, 65_536, 65_537, 140_000])
def test_parts_hold_each_example_once(count):
    x = np.arange(count, dtype=np.float32)[:, None]

    parts = list(in_parts(x))

    assert 0 < max(map(len, parts)) <= 65_536 or count == 0
    np.testing.assert_array_equal(np.concatenate(parts), x)


def test_infinity_is_no_data_and_the_examples_are_not_changed():
    x = np.array([[1.0], [np.inf], [3.0], [-np.inf]], np.float32)
    before = x.copy()

    statistics = band_statistics(x)

    assert (statistics.count[0], statistics.mean[0], statistics.largest[0]) == (2, 2.0, 3.0)
    np.testing.assert_array_equal(x, before)


NOISE = np.random.default_rng(0).normal(size=1000)


@pytest.mark.parametrize(
    ("band", "dead"),
    [
        (np.full(1000, 0.1), True),
        (np.zeros(1000), True),
        (np.full(1000, np.nan), True),
        (np.full(1000, 3e4) + 2e-3 * np.arange(1000) % 4e-3, True),  # the last digit of float32
        (np.where(np.arange(1000) % 2, np.nan, -7.3), True),
        *((std * NOISE, False) for std in (1e-8, 1e-3, 1.0, 1e6)),
        (np.eye(1, 100_000, 7)[0], False),  # one value differs
    ],
)
def test_a_band_with_a_single_value_is_dead_and_another_is_not(band, dead):
    x = band[:, None].astype(np.float32)

    assert stream_statistics(np.array_split(x, 7)).dead.tolist() == [dead]


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

    restored = scaler.unscale(scaler.scale(data))

    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, data, rtol=1e-6, atol=2e-6 * (abs(centre) + 1))


def test_scaling_keeps_no_data_and_clips_what_is_too_far():
    scaler = Scaler(np.zeros(3), np.full(3, 1e-9))

    scaled = scaler.scale(np.array([[np.nan, 3e38, -1e9]], np.float32))

    np.testing.assert_array_equal(scaled, np.float32([[np.nan, FARTHEST, -FARTHEST]]))
