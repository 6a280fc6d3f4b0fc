"""Drift: how far a scene lies from the training scenes, in bands and scores."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.rasters import write

from anomvae import load, score_scene, train
from anomvae.config import Config, resolve_config
from anomvae.mapping import read_summary
from anomvae.stats.drift import (
    LEVELS,
    DriftReference,
    UsualDrift,
    divergences,
    drift_among,
    read_drift,
)
from anomvae.stats.scores import describe_scores

RNG = np.random.default_rng(0)
LAND = RNG.normal(5, 1, (20_000, 3))
SCORES = RNG.chisquare(3, 20_000)
EDGES = np.quantile(LAND, LEVELS, axis=0)
NAMES = ("blue", "red", "nir")
NOTHING = UsualDrift(np.full((2, 3), 1e-6), np.full((2, 1), 1e-6))
REFERENCE = DriftReference(NAMES, EDGES, describe_scores(SCORES), NOTHING)


def drift(spectra=LAND, scores=SCORES, *, reference=REFERENCE, threshold=12.0, covered=1.0):
    return reference.drift(spectra, scores, threshold=threshold, covered=covered)


def moved(band, shift):
    """Return the land with another level in one band."""
    return LAND + shift * np.eye(3)[band]


@given(values=arrays(np.int16, st.integers(1, 60), elements=st.integers(-5, 5)))
def test_whole_numbers_do_not_drift_from_themselves(values):
    column = values[:, None].astype(float)
    edges = np.quantile(column, LEVELS, axis=0, method="inverted_cdf")

    (found,) = divergences(column, edges, ["red"], np.zeros((2, 1)))

    assert found.psi == pytest.approx(0, abs=1e-12)
    assert found.ks == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("sigmas", [-0.5, 0.25, 0.5, 1.0])
def test_a_shift_has_the_index_and_the_distance_of_its_size_and_names_the_band(sigmas):
    found = drift(moved(2, sigmas)).band

    assert found.name == "nir"
    assert found.psi == pytest.approx(sigmas**2, rel=0.2)
    assert found.ks == pytest.approx(0.39 * sigmas, rel=0.1)
    assert found.direction == ("higher" if sigmas > 0 else "lower")


def test_flagged_and_masked_pixels_do_not_count():
    spectra, scores = LAND.copy(), SCORES.copy()
    spectra[:700], scores[:700] = 50, 99
    spectra[700:9000] = np.nan
    scores[9000:12_000] = np.nan

    found = drift(spectra, scores)

    assert found.pixels == np.count_nonzero(scores[12_000:] <= 12)
    assert found.band.level() < 0.2
    assert found.scores.level() < 0.2


def test_without_scenes_to_compare_as_much_as_the_limits_is_usual():
    unknown = replace(REFERENCE, usual=UsualDrift(np.zeros((2, 3)), np.zeros((2, 1))))

    assert drift(moved(2, 0.8)).band.level() > 1
    assert drift(moved(2, 0.8), reference=unknown).band.level() < 1
    assert drift(moved(2, 1.3), reference=unknown).band.level() > 1


def test_a_scene_that_is_flagged_everywhere_drifts():
    found = drift(LAND + 3, SCORES + 50)

    assert found.band.level() > 1
    assert found.scores.level() > 1


@pytest.mark.parametrize(
    "change", [{"covered": 0.4}, {"scores": np.where(SCORES < 0.1, 1, np.nan)}]
)
def test_a_scene_of_which_little_has_data_has_no_drift(change):
    assert drift(**change) is None


def test_what_training_scenes_differ_by_is_usual():
    shifts = (-0.4, 0.0, 0.4)
    parts = [moved(1, shift)[number::3] for number, shift in enumerate(shifts)]
    together = np.concatenate(parts)
    edges = np.quantile(together, LEVELS, axis=0)

    psi, ks = drift_among(parts, edges)

    # The scene at one end lies 0.6 from the middle of the others, which have a spread of 1.02.
    assert psi == pytest.approx([0, 0.36, 0], abs=0.06)
    assert ks == pytest.approx([0, 0.23, 0], abs=0.02)
    usual = replace(REFERENCE, usual=replace(NOTHING, bands=np.stack([psi, ks])))
    assert drift(moved(1, 0.7)).band.level() > 1
    assert drift(moved(1, 0.7), reference=usual).band.level() < 1
    assert drift(moved(1, 1.8), reference=usual).band.level() > 1


@cache
def light(number):
    """Return land of 40 x 40 pixels under the light of a day, (band, row, col)."""
    rng = np.random.default_rng(7)
    land = rng.gamma(9, 0.02, (4, 40, 40))
    day = np.random.default_rng([1, number])
    return (land * day.normal(1, 0.05) + day.normal(0, 0.002, land.shape)).astype("float32")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")
    config = resolve_config("default", ["training.max_steps=60", "training.beta=0.5"]).config
    paths = [write(folder / f"{number}.tif", light(number)) for number in range(5)]
    train(paths, config).save(folder / "model.safetensors")
    return folder / "model.safetensors"


def test_a_model_keeps_what_its_training_scenes_differ_by_and_its_configuration(model):
    detector = load(model)

    assert (detector.usual_drift.bands > 0).all()
    assert (detector.usual_drift.scores > 0).all()
    config = Config.read(json.loads(detector.card.training.config))
    assert config.training.max_steps == 60
    assert config.training.beta == 0.5


def test_a_score_measures_drift_and_its_summary_keeps_it(tmp_path, model):
    quiet = score_scene(load(model), write(tmp_path / "a.tif", light(9)), tmp_path)
    shifted = light(8) + np.float32([0, 0, 0.05, 0])[:, None, None]
    moved = score_scene(load(model), write(tmp_path / "b.tif", shifted), tmp_path)

    assert quiet.drift.band.level() < 1
    assert moved.drift.band.level() > 1
    assert moved.drift.band.name == load(model).bands.names[2]
    assert moved.drift.band.direction == "higher"
    assert read_summary(moved.files).drift == moved.drift


def test_a_model_without_these_figures_measures_no_drift(tmp_path, model):
    detector = load(model)
    older = replace(detector, usual_drift=None, card=replace(detector.card, drift=False))
    older.save(tmp_path / "older.safetensors")

    result = score_scene(
        load(tmp_path / "older.safetensors"), write(tmp_path / "a.tif", light(9)), tmp_path
    )

    assert result.drift is None


def test_drift_that_is_no_drift_is_refused():
    with pytest.raises((TypeError, ValueError)):
        read_drift({"scores": None, "band": {"name": "red", "psi": "x", "ks": 0}, "pixels": 9})
