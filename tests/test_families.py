"""Every family of the table keeps the contract, and what single families promise beyond it."""

import numpy as np
import pytest
from support.family_contract import BANDS, FamilyContract, fitted
from support.spectra import around, fit, scene, spectra

from anomvae.errors import BandMismatch, ConfigError
from anomvae.models.families import FAMILIES, family_named


@pytest.mark.parametrize("family", FAMILIES)
class TestEveryFamily(FamilyContract):
    pass


def test_the_kl_of_ae_is_exactly_0():
    scores = fitted("ae").score(scene((8, 8), seed=2))

    assert (scores.kl == 0).all()
    assert np.array_equal(scores.total, scores.reconstruction + scores.linear)


def test_mse_measures_scaled_residuals_as_they_are():
    detector = fit(spectra(200), model={"likelihood": "mse"}, training={"max_steps": 5})

    assert (detector.noise.whitening == 1).all()


def test_a_conditioned_score_depends_on_the_annulus_of_a_pixel():
    detector, block = fitted("cvae"), scene((21, 21), seed=2)
    before = detector.score(block).total
    block[0, 10, 10] *= 3

    changed = (detector.score(block).total != before)[0]

    changed[10, 10] = False
    assert np.array_equal(changed, around(detector.context.plan.annulus, (21, 21), (10, 10)))


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"cvae", "spatial"}))
def test_other_families_score_each_pixel_alone(family):
    assert fitted(family).radius == 0
    assert fitted(family).context is None


def test_examples_without_their_context_are_refused():
    with pytest.raises(BandMismatch, match=r"has 6 bands, .* on 6 .*, and 11 features of context"):
        fitted("cvae").encode(spectra(5))


@pytest.mark.parametrize("family", ["vae", "cvae"])
@pytest.mark.parametrize("bands", [BANDS - 1, BANDS + 1, BANDS + 11])
def test_a_block_of_other_bands_is_refused(family, bands):
    with pytest.raises(BandMismatch, match=rf"has {bands} bands, .* on 6 \(band_1, .*Give these"):
        fitted(family).score(scene((3, 3), bands=bands))


def test_a_misspelt_family_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"model.family = 'bta-vae' .* Did you mean 'beta-vae'"):
        family_named("bta-vae")
