"""RX and robust RX against the formula, and the Mahalanobis distance that both use."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.stats.moments import moments
from anomvae.stats.rx import (
    fit_robust_rx,
    fit_rx,
    mahalanobis,
    shrunk,
    stream_trimmed_moments,
    trimmed_moments,
    whitener,
)

OUTLIERS = 180


def spectra(count=400, bands=5, seed=0, far=0.0):
    rng = np.random.default_rng(seed)
    return far + rng.normal(size=(count, bands)) @ rng.normal(size=(bands, bands))


def formula(x):
    deviations = x - x.mean(axis=0)
    inverse = np.linalg.pinv(np.cov(x.T), hermitian=True)
    return np.einsum("ij,jk,ik->i", deviations, inverse, deviations)


def plain(x):
    return x


def copied(x):
    return np.concatenate([x, x[:, [0, 0]]], axis=1)


def dead(x):
    return np.concatenate([x, np.full((len(x), 1), 7.0, x.dtype)], axis=1)


def global_scores(x, parts=3):
    return fit_rx(np.array_split(x, parts)).score(x)


def robust_scores(x):
    return fit_robust_rx(lambda: np.array_split(x, 7)).score(x)


@pytest.mark.parametrize("change", [plain, copied, dead])
@pytest.mark.parametrize("far", [0.0, 1e3, -1e5])
@pytest.mark.parametrize("parts", [1, 7])
def test_rx_is_the_mahalanobis_distance_by_the_pseudo_inverse(change, far, parts):
    x = change(spectra(far=far))

    np.testing.assert_allclose(global_scores(x, parts), formula(x), rtol=1e-5)


@pytest.mark.parametrize("scores", [global_scores, robust_scores])
@pytest.mark.parametrize("change", [copied, dead])
def test_copied_and_dead_bands_change_no_score(scores, change):
    x = spectra(20_000).astype(np.float32)

    np.testing.assert_allclose(scores(change(x)), scores(x), rtol=1e-6)


def test_the_mean_score_of_the_training_scene_is_its_number_of_bands():
    assert global_scores(spectra(500, bands=6)).sum() == pytest.approx(6 * 499)


@given(seed=st.integers(0, 99))
def test_scores_do_not_change_under_a_linear_map_of_the_bands(seed):
    x = spectra()
    turned = x @ np.linalg.qr(spectra(5, seed=seed))[0] * 3.0 + 5.0

    np.testing.assert_allclose(global_scores(turned), global_scores(x), rtol=1e-6)


def test_scores_are_never_negative_and_nan_where_a_band_is_nan():
    x = spectra()
    with_gap = x.copy()
    with_gap[3, 2] = np.nan

    scores = fit_rx([x]).score(with_gap)

    assert np.isnan(scores).nonzero()[0].tolist() == [3]
    assert np.nanmin(scores) >= 0


@pytest.mark.parametrize("scores", [global_scores, robust_scores])
def test_equal_spectra_have_score_0(scores):
    assert (scores(np.full((30, 4), 0.1, np.float32)) == 0).all()


def test_the_whitener_squares_to_the_pseudo_inverse():
    covariance = np.cov(dead(spectra()).T)

    whitening = whitener(covariance)

    assert whitening.shape == (6, 5)
    inverse = np.linalg.pinv(covariance, hermitian=True)
    np.testing.assert_allclose(whitening @ whitening.T, inverse, rtol=1e-8, atol=1e-12)


def test_outliers_do_not_count_in_trimmed_moments():
    clean = spectra(4000)
    outliers = clean.mean(axis=0) + 40 * clean.std(axis=0) + spectra(OUTLIERS)

    trimmed = trimmed_moments(np.concatenate([clean, outliers]))

    assert trimmed.count == pytest.approx(0.95 * (len(clean) + len(outliers)), abs=2)
    np.testing.assert_allclose(trimmed.mean, clean.mean(axis=0), atol=0.1 * clean.std())
    std = np.sqrt(np.diag(trimmed.covariance))
    np.testing.assert_allclose(std, clean.std(axis=0), rtol=0.15)


def test_without_trimming_moments_are_plain():
    x = spectra()

    np.testing.assert_array_equal(trimmed_moments(x, keep=1.0).mean, moments(x).mean)


@given(cuts=st.lists(st.integers(0, 400), max_size=5), keep=st.sampled_from([0.5, 0.95, 1.0]))
def test_trimmed_moments_do_not_depend_on_the_parts_of_a_stream(cuts, keep):
    x = spectra()
    parts = np.split(x, sorted(cuts))

    streamed = stream_trimmed_moments(lambda: iter(parts), keep)

    whole = trimmed_moments(x, keep)
    assert streamed.count == whole.count
    np.testing.assert_allclose(streamed.mean, whole.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(streamed.covariance, whole.covariance, rtol=1e-9)


def test_robust_rx_is_the_distance_to_the_spectra_nearest_by_it():
    x = np.concatenate([spectra(4000), spectra(OUTLIERS) + 20])
    kept = x
    for _ in range(3):
        distance = mahalanobis(x, kept.mean(axis=0), whitener(np.cov(kept.T)))
        kept = x[distance <= np.quantile(distance, 0.95)]

    expected = mahalanobis(x, kept.mean(axis=0), whitener(np.cov(kept.T)))

    np.testing.assert_allclose(robust_scores(x), expected, rtol=1e-6)


def test_robust_rx_finds_outliers_that_widen_global_rx():
    clean = spectra(4000)
    outliers = clean.mean(axis=0) + 3 * clean.std(axis=0) + spectra(OUTLIERS)
    x = np.concatenate([clean, outliers])

    widened, robust = global_scores(x), robust_scores(x)

    def missed(scores):
        return (scores[4000:] < np.quantile(scores[:4000], 0.99)).mean()

    assert missed(robust) < missed(widened)
    assert np.median(robust[4000:]) > 2 * np.median(widened[4000:])


def test_robust_rx_reads_the_stream_twice_a_round_and_once_more():
    started = []

    def stream():
        started.append(True)
        return iter([spectra()])

    fit_robust_rx(stream, rounds=2)

    assert len(started) == 2 * 2 + 1


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_shrinking_keeps_variances_and_weakens_covariances(weight):
    covariance = np.cov(spectra().T)

    moved = shrunk(covariance, weight)

    off_diagonal = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(np.diag(moved), np.diag(covariance))
    np.testing.assert_allclose(moved[off_diagonal], (1 - weight) * covariance[off_diagonal])
