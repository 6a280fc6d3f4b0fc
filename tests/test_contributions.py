"""What each band and latent unit adds to a score."""

import numpy as np
import pytest
from support.spectra import fit_scene, scene

from anomvae.models.families import FAMILIES
from benchmarks import bands


@pytest.mark.parametrize("noise", ["band", "covariance"])
@pytest.mark.parametrize("family", FAMILIES)
def test_contributions_add_up_to_the_score_terms(family, noise):
    dates = 3 if family == "sequential" else 1
    block = scene((12, 11), 6, dates, 2)
    detector = fit_scene(block, model={"family": family}, score={"noise": noise})
    examples = detector.view.split(block, detector.view.where(block))

    parts, terms = detector.contributions(examples), detector.score_examples(examples)

    np.testing.assert_allclose(parts.reconstruction.sum(-1), terms.reconstruction, rtol=1e-5)
    np.testing.assert_allclose(parts.kl.sum(-1), terms.kl, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(parts.linear.sum(-1), terms.linear, rtol=1e-5, atol=1e-6)
    assert all((part >= 0).all() for part in parts[:3])
    np.testing.assert_array_equal(parts.bands, parts.reconstruction + parts.linear)


def test_contributions_name_the_bands_in_which_an_object_differs():
    """benchmarks/bands.py counts 200 objects of 12 and of 120 bands."""
    found = bands.measure(bands.simulated(12, seed=4), 12, seed=4)

    assert found.flagged >= 9
    assert found.named >= 0.9 * found.flagged


def test_bands_share_the_linear_term_by_the_squares_of_the_whitened_residual():
    detector = fit_scene(scene((12, 11), 6), score={"noise": "covariance", "linear": 1.0})
    x = scene((12, 11), 6, seed=3).reshape(-1, 6)

    parts = detector.contributions(x)

    share = np.square(parts.residual) / np.square(parts.residual).sum(-1, keepdims=True)
    expected = detector.score_examples(x).linear[:, None] * share
    np.testing.assert_allclose(parts.linear, expected, rtol=1e-4)
