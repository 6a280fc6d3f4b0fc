"""What each band and latent unit adds to a score."""

import numpy as np
import pytest
from support.spectra import fit_scene, scene

from anomvae.models.families import FAMILIES


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
