import numpy as np
import pytest

from anomvae.stats.noise import fit_noise

BANDS = 8
SIGMA = np.geomspace(0.01, 3.0, BANDS).astype(np.float32)
CENTRE = np.linspace(-2, 2, BANDS) * SIGMA


def residuals(count=20_000, correlation=0.0, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(count, 1))
    own = rng.normal(size=(count, BANDS))
    mixed = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return (CENTRE + SIGMA * mixed).astype(np.float32)


def whitened(noise, x):
    return (x - noise.centre) @ noise.whitening


@pytest.mark.parametrize(("kind", "whitening"), [("unit", 1.0), ("band", 1 / SIGMA)])
def test_unit_and_band_noise_do_not_depend_on_the_residuals(kind, whitening):
    noise = fit_noise(kind, residuals(), SIGMA)

    assert noise.centre.tolist() == [0.0] * BANDS
    np.testing.assert_allclose(noise.whitening, np.broadcast_to(whitening, BANDS), rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.03])
def test_covariance_noise_brings_residuals_to_mean_0_and_variance_1_despite_outliers(share):
    x = residuals()
    polluted = x.copy()
    polluted[: int(share * len(x))] += 30 * SIGMA

    u = whitened(fit_noise("covariance", polluted, SIGMA), x)

    np.testing.assert_allclose(u.mean(axis=0), 0.0, atol=0.05)
    # Trimming removes a tenth of the variance, which is not corrected.
    np.testing.assert_allclose(u.var(axis=0), 1.0, atol=0.2)


def test_covariance_noise_keeps_a_fifth_of_the_correlation_of_bands():
    x = residuals(correlation=0.9) / SIGMA

    noise = fit_noise("covariance", x, SIGMA)

    covariance = np.linalg.inv(noise.whitening @ noise.whitening)
    correlation = covariance[0, 1:] / np.sqrt(covariance[0, 0] * covariance.diagonal()[1:])
    assert correlation == pytest.approx(0.2 * 0.9, abs=0.01)


def test_each_whitened_residual_stays_nearest_to_its_own_band():
    x = residuals(correlation=0.5) / SIGMA  # scaled units

    u = whitened(fit_noise("covariance", x, np.ones_like(SIGMA)), x)

    correlation = np.corrcoef(u.T, x.T)[:BANDS, BANDS:]
    assert (correlation.argmax(axis=1) == np.arange(BANDS)).all()
    assert correlation.diagonal().min() > 0.8


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_covariance_noise_does_not_depend_on_the_unit(scale):
    x = residuals()

    one = whitened(fit_noise("covariance", x, SIGMA), x)
    other = whitened(fit_noise("covariance", x * np.float32(scale), SIGMA), x * np.float32(scale))

    np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3)


def test_a_band_without_residuals_has_a_finite_whitening():
    x = residuals()
    x[:, 0] = 0.0

    assert np.isfinite(fit_noise("covariance", x, SIGMA).whitening).all()


def test_whitened_residuals_fit_float32_where_nearly_all_are_equal():
    x = np.full((1000, BANDS), 0.1, np.float32)
    x[:20] += residuals(20)

    u = whitened(fit_noise("covariance", x, SIGMA), x)

    assert np.isfinite(np.square(u.astype(np.float32))).all()
