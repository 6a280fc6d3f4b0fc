"""The residuals of drawn spectra: shared by bands, and given the code."""

import numpy as np
import pytest
from support.spectra import fit, spectra

from anomvae.detector import Detector
from anomvae.stats.residuals import fit_residuals


def known_residuals(count=4000, bands=12, seed=0):
    """Draw codes, and residuals that grow with the first code and are shared by all bands."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(count, 2))
    shared = rng.normal(size=(count, 1)) * np.where(z[:, :1] > 0, 2.0, 0.5)
    r = shared * np.linspace(1, 2, bands) + 0.3 * z[:, 1:] + 0.05 * rng.normal(size=(count, bands))
    return z.astype(np.float32), r.astype(np.float32)


def test_drawn_residuals_have_the_moments_of_the_residuals_and_their_dependence_on_the_code():
    z, r = known_residuals()
    fitted = fit_residuals(z, r, seed=0)

    drawn = fitted.draw(z, np.random.default_rng(1))

    assert drawn.mean(0) == pytest.approx(r.mean(0), abs=0.1)
    assert np.abs(np.corrcoef(drawn.T) - np.corrcoef(r.T)).max() < 0.05
    for part in (z[:, 0] > 1, z[:, 0] < -1):
        assert drawn[part].std(0) == pytest.approx(r[part].std(0), rel=0.3)
    slope = np.polyfit(z[:, 1], drawn.mean(1), 1)[0]
    assert slope == pytest.approx(0.3, abs=0.1)


def test_too_few_residuals_have_no_density():
    z, r = known_residuals(50)

    assert fit_residuals(z, r, seed=0) is None


def test_a_model_file_keeps_the_residuals(tmp_path):
    detector = fit(spectra(800), training={"max_steps": 20})
    assert detector.residuals is not None

    detector.save(tmp_path / "model.safetensors")

    loaded = Detector.load(tmp_path / "model.safetensors")
    assert loaded.sample(50, 0).tobytes() == detector.sample(50, 0).tobytes()
    assert loaded.to_bytes() == detector.to_bytes()


def test_spectra_of_a_model_without_residuals_have_the_noise_of_its_likelihood():
    detector = fit(spectra(60), training={"max_steps": 20})
    assert detector.residuals is None

    drawn = detector.sample(4000, 0) - detector.sample(4000, 0, noise=False)

    assert np.abs(np.corrcoef(drawn.T) - np.eye(drawn.shape[1])).max() < 0.1
