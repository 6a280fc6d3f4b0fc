"""What each band and latent unit adds to a score."""

import numpy as np
import pytest
from support import families
from support.family_contract import compares_dates
from support.spectra import fit_scene, scene

from anomvae.detector.linear_shares import BandDirections
from anomvae.program import Arithmetic
from anomvae.stats.background import Background
from benchmarks import bands


@pytest.mark.parametrize("noise", ["band", "covariance"])
@pytest.mark.parametrize("family", families.rows())
def test_contributions_add_up_to_the_score_terms(family, noise):
    dates = 3 if compares_dates(family) else 1
    block = scene((12, 11), 6, dates, 2)
    training, score = {"max_steps": 30}, {"noise": noise}
    detector = fit_scene(block, model={"family": family}, training=training, score=score)
    examples = detector.view.split(block, detector.view.where(block))

    parts, terms = detector.contributions(examples), detector.score_examples(examples)

    np.testing.assert_allclose(parts.reconstruction.sum(-1), terms.reconstruction, rtol=1e-5)
    np.testing.assert_allclose(parts.kl.sum(-1), terms.kl, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(parts.linear.sum(-1), terms.linear, rtol=1e-5, atol=1e-6)
    assert all((part >= 0).all() for part in parts[:3])
    np.testing.assert_array_equal(parts.bands, parts.reconstruction + parts.linear)


def test_contributions_name_the_bands_in_which_an_object_differs():
    """benchmarks/bands.py counts 200 objects of 12 and of 120 bands."""
    found = bands.measure(bands.simulated(12, seed=8), 12, seed=8)

    assert found.flagged >= 10
    assert found.named >= 0.95 * found.flagged


def expected_from_others(linear, x, chosen):
    """Return a spectrum with bands replaced by their conditional means given the others."""
    covariance, replaced = np.linalg.inv(linear.whitening @ linear.whitening.T), x.copy()
    others = [band for band in range(len(x)) if band not in chosen]
    weights = np.linalg.solve(covariance[np.ix_(others, others)], (x - linear.centre)[others])
    replaced[chosen] = linear.centre[chosen] + covariance[np.ix_(chosen, others)] @ weights
    return replaced


def test_bands_share_half_of_what_the_linear_term_loses_when_they_are_as_expected_from_the_others():
    detector = fit_scene(scene((12, 11), 6), score={"noise": "covariance", "linear": 1.0})
    x = scene((12, 11), 6, seed=3).reshape(-1, 6)
    spectra, linear = detector.scaler.scale(x).astype(np.float64), detector.linear

    parts = detector.contributions(x)

    for spectrum, shares, u in zip(spectra, parts.linear, parts.residual, strict=True):
        chosen = np.argsort(-np.abs(u))[:3].tolist()
        without = [chosen, *([band for band in chosen if band != one] for one in chosen)]
        replaced = np.stack([expected_from_others(linear, spectrum, some) for some in without])
        term, left, *back = linear.distance(np.stack([spectrum, *replaced]))
        regained, lost = np.array(back) - left, np.square(u)
        lost[chosen] = 0
        lost *= left / lost.sum()
        lost[chosen] = (term - left) * regained / regained.sum()
        by_residual = term * np.square(u) / np.square(u).sum()
        np.testing.assert_allclose(shares, (lost + by_residual) / 2, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_shares_of_copied_constant_and_far_bands_are_finite_and_add_up(size):
    whitening = np.zeros((5, 5))
    whitening[:3, :3] = np.diag([0.5, 0.5, 2.0])
    whitening[0, 1] = whitening[1, 0] = 0.5  # bands 0 and 1 are copies, 3 and 4 are constant
    directions = BandDirections.of(Background(np.zeros(5), whitening))
    v = size * np.array([[3, 3, 1, 0, 0], [0, 0, 0, 0, 0]], np.float32)
    u = size * np.array([[2, 2, 1, 0, 1], [0, 0, 0, 0, 0]], np.float32)

    shares = directions.shares(np.float32(v), np.float32(u), Arithmetic())

    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-6)
    lost, by_residual = np.array([18, 18, 1, 0, 1]) / 38, np.array([4, 4, 1, 0, 1]) / 10
    np.testing.assert_allclose(shares[0], (lost + by_residual) / 2, rtol=1e-4)
