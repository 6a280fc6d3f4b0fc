"""Codes of examples: their levels, draws from the posterior, and back to spectra."""

import numpy as np
import pytest
from support import families
from support.family_contract import block_for, fitted

from anomvae.errors import ConfigError

pytestmark = pytest.mark.parametrize("family", families.rows())


def examples_of(detector, family, shape=(30, 50)):
    block = block_for(family, shape)
    return detector.view.split(block, detector.view.where(block))


def test_codes_without_noise_are_the_posterior_means(family):
    detector = fitted(family)
    x = examples_of(detector, family)

    codes = detector.codes(x)

    assert np.array_equal(codes.z, detector.encode(x))
    assert codes.levels.shape[-1] == len(detector.code_names)


def test_codes_drawn_by_noise_are_spread_about_the_mean(family):
    detector = fitted(family)
    x = examples_of(detector, family)
    mean = detector.codes(x).levels
    noise = np.random.default_rng(0).normal(size=(*mean.shape[:-1], detector.noise_width))

    drawn = detector.codes(x, noise.astype(np.float32)).levels

    moved = ~np.isclose(drawn, mean).all(axis=-1)
    assert moved.all() if detector.noise_width else not moved.any()
    assert np.abs((drawn - mean).mean()) < 0.05


def test_decoded_codes_are_the_reconstruction(family):
    detector = fitted(family)
    x = examples_of(detector, family)

    decoded = detector.decode(detector.encode(x), x)

    assert np.array_equal(decoded, detector.reconstruct(x))


def test_codes_are_decoded_in_the_mean_context(family):
    detector = fitted(family)
    z = np.zeros((5, detector.card.latent), np.float32)

    decoded = detector.decode(z)

    assert decoded.shape == (5, len(detector.bands))
    assert (np.abs(decoded - detector.scaler.centre) < 5 * detector.scaler.std).all()


def test_codes_of_another_length_are_refused(family):
    detector = fitted(family)
    latent = detector.card.latent

    with pytest.raises(ConfigError, match=rf"this model has {latent} latent units"):
        detector.decode(np.zeros((5, latent + 1), np.float32))
