"""RX and robust RX against the formula, and the Mahalanobis distance that both use."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.stats.rx import fit_robust_rx, fit_rx, shrunk, stream_trimmed_moments

OUTLIERS = 180


def spectra(count=400, bands=5, seed=0, far=0.0):
    rng = np.random.default_rng(seed)
    return far + rng.normal(size=(count, bands)) @ rng.normal(size=(bands, bands))


def formula(x, scene=None):
    """Return the distances of spectra to a scene, by default their own."""
    scene = x if scene is None else scene
    deviations = x - scene.mean(axis=0)
    inverse = np.linalg.pinv(np.cov(scene.T), hermitian=True)
    return np.einsum("ij,jk,ik->i", deviations, inverse, deviations)


def nearest(x, keep=0.95):
    """Keep the spectra nearest to those kept before, three times."""
    kept = x
    for _ in range(3):
        distance = formula(x, kept)
        kept = x[distance <= np.quantile(distance, keep)]
    return kept


def copied(x):
    return np.concatenate([x, x[:, [0, 0]]], axis=1)


def dead(x):
    return np.concatenate([x, np.full((len(x), 1), 7.0, x.dtype)], axis=1)


def global_scores(x, parts=3):
    return fit_rx(np.array_split(x, parts)).score(x)


def robust_scores(x):
    return fit_robust_rx(lambda: np.array_split(x, 7)).score(x)


@pytest.mark.parametrize("change", [np.copy, copied, dead])
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


def test_robust_rx_is_the_distance_to_the_spectra_nearest_by_it():
    x = np.concatenate([spectra(4000), spectra(OUTLIERS) + 20])

    np.testing.assert_allclose(robust_scores(x), formula(x, nearest(x)), rtol=1e-6)


@given(cuts=st.lists(st.integers(0, 400), max_size=5), keep=st.sampled_from([0.5, 0.95, 1.0]))
def test_trimmed_moments_are_those_of_a_share_of_the_spectra_whatever_the_parts(cuts, keep):
    x = spectra()
    parts = np.split(x, sorted(cuts))

    streamed = stream_trimmed_moments(lambda: iter(parts), keep)

    kept = nearest(x, keep)
    assert streamed.count == len(kept)
    np.testing.assert_allclose(streamed.mean, kept.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(streamed.covariance, np.cov(kept.T), rtol=1e-9)


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
