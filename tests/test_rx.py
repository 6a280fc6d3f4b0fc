import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.stats.rx import (
    fit_robust_rx,
    fit_rx,
    mahalanobis,
    moments,
    shrunk,
    stream_moments,
    stream_trimmed_moments,
    trimmed_moments,
    whitener,
)

OUTLIERS = 180


def spectra(count=400, bands=5, seed=0, far=0.0):
    rng = np.random.default_rng(seed)
    return far + rng.normal(size=(count, bands)) @ rng.normal(size=(bands, bands))


def reference(x):
    """RX as the books write it, all at once."""
    deviations = x - x.mean(axis=0)
    inverse = np.linalg.pinv(np.cov(x.T), hermitian=True)
    return np.einsum("ij,jk,ik->i", deviations, inverse, deviations)


def copied(x):
    return np.concatenate([x, x[:, [0, 0]]], axis=1)


def dead(x):
    return np.concatenate([x, np.full((len(x), 1), 7.0)], axis=1)


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=6), far=st.sampled_from([0.0, 1e3, -1e6]))
def test_moments_of_a_stream_are_those_of_the_whole_whatever_the_split(cuts, far):
    x = spectra(200, far=far)

    found = stream_moments(np.split(x, sorted(cuts)))

    assert found.count == 200
    np.testing.assert_allclose(found.mean, x.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(x.T), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("change", [lambda x: x, copied, dead], ids=["plain", "copied", "dead"])
@pytest.mark.parametrize("far", [0.0, 1e3, -1e5])
@pytest.mark.parametrize("parts", [1, 7])
def test_rx_is_the_mahalanobis_distance_by_the_pseudo_inverse(change, far, parts):
    x = change(spectra(far=far))

    found = fit_rx(np.array_split(x, parts)).score(x)

    np.testing.assert_allclose(found, reference(x), rtol=1e-5)


def test_a_copied_band_changes_no_score():
    x = spectra(20_000).astype(np.float32)

    plain, doubled = (fit_rx(np.array_split(y, 3)).score(y) for y in (x, copied(x)))

    np.testing.assert_allclose(doubled, plain, rtol=1e-6)


def test_the_mean_score_of_the_scene_itself_is_its_number_of_bands():
    x = spectra(500, bands=6)

    assert fit_rx([x]).score(x).sum() == pytest.approx(6 * 499)


@settings(deadline=None)
@given(seed=st.integers(0, 99))
def test_scores_do_not_change_under_a_linear_map_of_the_bands(seed):
    x = spectra()
    turned = x @ np.linalg.qr(spectra(5, seed=seed))[0] * 3.0 + 5.0

    np.testing.assert_allclose(fit_rx([turned]).score(turned), fit_rx([x]).score(x), rtol=1e-6)


def test_scores_are_never_negative_and_no_data_stays_no_data():
    x = spectra()
    holed = x.copy()
    holed[3, 2] = np.nan

    found = fit_rx([x]).score(holed)

    assert np.isnan(found).nonzero()[0].tolist() == [3]
    assert np.nanmin(found) >= 0


def test_a_scene_of_one_spectrum_has_no_distances():
    x = np.full((30, 4), 0.1, np.float32)

    assert (fit_rx([x]).score(x) == 0).all()


def test_the_whitener_squares_to_the_pseudo_inverse():
    covariance = np.cov(dead(spectra()).T)

    found = whitener(covariance)

    assert found.shape == (6, 5)
    np.testing.assert_allclose(
        found @ found.T, np.linalg.pinv(covariance, hermitian=True), rtol=1e-8, atol=1e-12
    )


def test_outliers_have_no_say_in_trimmed_moments():
    clean = spectra(4000)
    outliers = clean.mean(axis=0) + 40 * clean.std(axis=0) + spectra(OUTLIERS)

    found = trimmed_moments(np.concatenate([clean, outliers]))

    assert found.count == pytest.approx(0.95 * (len(clean) + len(outliers)), abs=2)
    np.testing.assert_allclose(found.mean, clean.mean(axis=0), atol=0.1 * clean.std())
    spread = np.sqrt(np.diag(found.covariance))
    np.testing.assert_allclose(spread, clean.std(axis=0), rtol=0.15)


def test_trimming_nothing_gives_plain_moments():
    x = spectra()

    np.testing.assert_array_equal(trimmed_moments(x, keep=1.0).mean, moments(x).mean)


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=5), keep=st.sampled_from([0.5, 0.95, 1.0]))
def test_trimmed_moments_of_a_stream_are_those_of_the_whole_whatever_the_split(cuts, keep):
    x = spectra()
    parts = np.split(x, sorted(cuts))

    found = stream_trimmed_moments(lambda: iter(parts), keep)

    expected = trimmed_moments(x, keep)
    assert found.count == expected.count
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-9)


def test_robust_rx_is_the_distance_to_the_spectra_nearest_by_it():
    x = np.concatenate([spectra(4000), spectra(OUTLIERS) + 20])
    kept = x
    for _ in range(3):
        distance = mahalanobis(x, kept.mean(axis=0), whitener(np.cov(kept.T)))
        kept = x[distance <= np.quantile(distance, 0.95)]

    found = fit_robust_rx(lambda: np.array_split(x, 7)).score(x)

    expected = mahalanobis(x, kept.mean(axis=0), whitener(np.cov(kept.T)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_robust_rx_finds_outliers_that_widen_plain_rx():
    clean = spectra(4000)
    outliers = clean.mean(axis=0) + 3 * clean.std(axis=0) + spectra(OUTLIERS)
    x = np.concatenate([clean, outliers])

    plain, robust = fit_rx([x]).score(x), fit_robust_rx(lambda: [x]).score(x)

    def missed(scores):
        return (scores[4000:] < np.quantile(scores[:4000], 0.99)).mean()

    assert missed(robust) < missed(plain)
    assert np.median(robust[4000:]) > 2 * np.median(plain[4000:])


def test_robust_rx_begins_the_stream_again_twice_a_round():
    begun = []

    def stream():
        begun.append(True)
        return iter([spectra()])

    fit_robust_rx(stream, rounds=2)

    assert len(begun) == 2 * 2 + 1


@pytest.mark.parametrize("change", [copied, dead], ids=["copied", "dead"])
def test_bands_without_a_say_of_their_own_change_no_robust_score(change):
    x = spectra(2000)
    longer = change(x)

    found = fit_robust_rx(lambda: [longer]).score(longer)

    np.testing.assert_allclose(found, fit_robust_rx(lambda: [x]).score(x), rtol=1e-6)


def test_robust_rx_of_a_scene_of_one_spectrum_has_no_distances():
    x = np.full((30, 4), 0.1, np.float32)

    assert (fit_robust_rx(lambda: [x]).score(x) == 0).all()


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_shrinking_keeps_variances_and_weakens_covariances(weight):
    covariance = np.cov(spectra().T)

    found = shrunk(covariance, weight)

    off_diagonal = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(np.diag(found), np.diag(covariance))
    np.testing.assert_allclose(found[off_diagonal], (1 - weight) * covariance[off_diagonal])
