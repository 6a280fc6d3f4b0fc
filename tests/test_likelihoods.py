"""The likelihoods: densities and draws of the noise per band."""

import numpy as np
import pytest
import torch
from scipy import stats

from anomvae.models import LIKELIHOODS

BANDS = 3
DENSITIES = {"gaussian": stats.norm, "student-t": stats.t(df=4), "mse": stats.norm}

every_likelihood = pytest.mark.parametrize("name", LIKELIHOODS)


def likelihood(name):
    """Build one with another noise in each band, where it is learnt."""
    built = LIKELIHOODS[name](4, BANDS)
    if built.log_sigma.requires_grad:
        built.log_sigma.data = torch.tensor([-2.0, 0.0, 1.5])
    return built.requires_grad_(False)


@every_likelihood
def test_the_error_is_the_negative_log_density(name):
    built = likelihood(name)
    mean, x = torch.zeros(50, BANDS), torch.linspace(-30, 30, 50 * BANDS).reshape(50, BANDS)

    error = built.error(mean, x).numpy()

    sigma = built.sigma.numpy()
    expected = -DENSITIES[name].logpdf(x.numpy() / sigma) + np.log(sigma)
    np.testing.assert_allclose(error, expected, rtol=1e-4, atol=1e-5)


@every_likelihood
def test_the_nll_above_the_mode_is_the_error_minus_that_of_the_mode_and_never_negative(name):
    built = likelihood(name)
    mean, x = torch.zeros(7, BANDS), torch.linspace(-3, 3, 7 * BANDS).reshape(7, BANDS)
    squares = (x / built.sigma).square()

    nll = built.nll_above_mode(squares)
    built.nll_above_mode(squares, out=squares)

    extreme = built.nll_above_mode(torch.tensor([0.0, 1e-12, 1e18, 1e30]))
    assert extreme[0] == 0
    assert (extreme >= 0).all()
    assert extreme.isfinite().all()
    torch.testing.assert_close(nll, built.error(mean, x) - built.error(mean, mean))
    assert torch.equal(squares, nll)


@every_likelihood
def test_the_error_has_the_gradients_of_the_density(name):
    built = likelihood(name).double()
    x = torch.randn(2, 4, BANDS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = (3 * x.flip(0)).requires_grad_()
    built.log_sigma.requires_grad_()

    def error(mean, _):
        return built.error(mean, x)

    assert torch.autograd.gradcheck(error, (mean, built.log_sigma))


def test_the_noise_of_mse_is_1_and_fixed():
    built = LIKELIHOODS["mse"](4, BANDS)

    assert (built.sigma == 1).all()
    assert not built.log_sigma.requires_grad


@every_likelihood
def test_draws_follow_the_density_independently_per_band_and_repeat(name):
    built = likelihood(name)
    mean = torch.tensor([5.0, 0.0, -5.0]).expand(40_000, BANDS)

    drawn, same = (built.draw(mean, torch.Generator().manual_seed(0)) for _ in range(2))

    assert torch.equal(drawn, same)
    white = ((drawn - mean) / built.sigma).numpy()
    for band in white.T:
        assert stats.kstest(band, DENSITIES[name].cdf).statistic < 0.01
    assert white.std(axis=0) == pytest.approx(DENSITIES[name].std(), rel=0.1)
    assert np.abs(np.corrcoef(white.T) - np.eye(BANDS)).max() < 0.03
