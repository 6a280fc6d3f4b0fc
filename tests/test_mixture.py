"""A mixture of normals: as likely as the truth, the same bits, and finite where it is poor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from threadpoolctl import threadpool_limits

from anomvae.stats.mixture import fit_mixture

RIDGE = 1e-3


def drawn(count=3000, seed=0):
    """Draw from three normals of unequal weights; return values and their log densities."""
    rng = np.random.default_rng(seed)
    weights, means = (0.6, 0.3, 0.1), rng.normal(scale=3, size=(3, 4))
    factors = rng.normal(size=(3, 4, 4))
    component = rng.choice(3, size=count, p=weights)
    noise = rng.normal(size=(count, 1, 4))
    values = means[component] + (noise @ factors[component].swapaxes(1, 2))[:, 0]
    density = sum(
        weight * multivariate_normal(mean, factor @ factor.T).pdf(values)
        for weight, mean, factor in zip(weights, means, factors, strict=True)
    )
    return values, np.log(density)


@pytest.mark.parametrize("seed", range(3))
def test_a_mixture_is_as_likely_as_the_one_that_values_are_drawn_from(seed):
    values, truth = drawn(seed=seed)

    fitted = fit_mixture(values, 6, RIDGE, seed)

    constant = values.shape[1] / 2 * np.log(2 * np.pi)
    logs = np.logaddexp.reduce(fitted.logs(values.T), axis=0) - constant
    expected = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(values)
        for weight, mean, covariance in zip(
            fitted.weights, fitted.means, fitted.covariances, strict=True
        )
    ]
    np.testing.assert_allclose(logs, np.logaddexp.reduce(expected, axis=0))
    assert logs.mean() > truth.mean() - 0.05
    assert fitted.weights.sum() == pytest.approx(1)


def test_a_mixture_has_the_same_bits_whatever_the_threads():
    values, _ = drawn()

    with threadpool_limits(1):
        one = fit_mixture(values, 5, RIDGE, 7)
    two = fit_mixture(values, 5, RIDGE, 7)

    assert one.covariances.tobytes() == two.covariances.tobytes()
    assert one.logs(values.T).tobytes() == two.logs(values.T).tobytes()


@settings(max_examples=20)
@given(
    rows=st.integers(1, 30), distinct=st.integers(1, 4), scale=st.sampled_from([0.0, 1.0, 100.0])
)
def test_a_mixture_of_few_distinct_values_is_finite_and_positive_definite(rows, distinct, scale):
    values = scale * np.arange(rows * 3.0).reshape(rows, 3)[np.arange(rows) % distinct % rows]

    fitted = fit_mixture(values, 10, RIDGE, 0)

    assert np.isfinite(fitted.logs(values.T)).all()
    assert (np.linalg.eigvalsh(fitted.covariances) > 0).all()
