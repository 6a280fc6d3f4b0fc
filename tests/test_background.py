"""The background that a detector keeps: mean and covariance of its training spectra."""

from dataclasses import replace

import numpy as np
import pytest
from support import families
from support.family_contract import compares_dates
from support.spectra import fit, fit_scene, scene, spectra

from anomvae.detector import Detector
from anomvae.detector.state import to_model_file
from anomvae.stats.background import fit_background
from anomvae.stats.rx import fit_robust_rx

SHORT = {"max_steps": 2}


@pytest.mark.parametrize("linear", [0, "auto"])
@pytest.mark.parametrize("family", families.rows())
def test_the_file_of_every_family_keeps_the_covariance_of_training_once(family, linear, tmp_path):
    block = scene((12, 11), 6, 3 if compares_dates(family) else 1, 2)
    score = {"linear": linear}

    detector = fit_scene(block, model={"family": family}, score=score, training=SHORT)
    detector.save(tmp_path / "m.safetensors")
    loaded = Detector.load(tmp_path / "m.safetensors")

    scored = block[detector.view.where(block)]
    expected = fit_robust_rx(lambda: [scored]).score(scored)
    distance = loaded.background.distance(loaded.scaler.scale(scored))
    np.testing.assert_allclose(distance / distance[0], expected / expected[0], rtol=1e-3)
    names = to_model_file(loaded).tensors
    assert ("background.whitening" in names) != ("linear.whitening" in names)
    assert loaded.id == detector.id


def test_it_is_not_in_the_score():
    detector = fit(spectra(200), score={"linear": 0}, training=SHORT)
    x = spectra(50, seed=1)

    without = replace(detector, background=None)

    assert detector.background is not None
    assert without.score_examples(x).total.tobytes() == detector.score_examples(x).total.tobytes()


def test_a_file_without_one_is_read(tmp_path):
    detector = fit(spectra(200), score={"linear": 0}, training=SHORT)
    earlier = replace(detector, card=replace(detector.card, background=False))

    earlier.save(tmp_path / "m.safetensors")

    assert Detector.load(tmp_path / "m.safetensors").background is None


@pytest.mark.parametrize("linear", [0, "auto"])
def test_under_five_pixels_for_each_band_there_is_none(linear):
    score = {"linear": linear}

    enough, few = (fit(spectra(n), score=score, training=SHORT) for n in (30, 29))

    assert enough.background is not None
    assert few.background is None


def test_outliers_do_not_count():
    x = spectra(2000)
    polluted = x.copy()
    polluted[:60, 0] += 5

    distance = fit_background(polluted).distance(polluted)

    assert distance[:60].min() > 20 * np.quantile(distance[60:], 0.99)
