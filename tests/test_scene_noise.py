"""Noise that is estimated again on the scored scene: robust, and the same whatever the tiles."""

import json
import logging
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.rasters import BANDS, NODATA, QUICK, land, plant, trained, write, write_labels
from support.scorers import same_files

from anomvae import VAEDetector
from anomvae.config import resolve_config
from anomvae.detector import Detector, adapted_to
from anomvae.errors import NotFinite
from anomvae.evaluation import evaluate_detector
from anomvae.fitting import refit_threshold, train
from anomvae.mapping import ScoreOptions, score_scene
from anomvae.raster import Scene
from anomvae.stats.noise import Noise, fit_scene_noise

LEARNT = Noise(np.zeros(BANDS), np.geomspace(1, 30, BANDS))
ON_THE_SCENE = "score.noise=scene"


@cache
def adaptive(*settings):
    """Fit a detector whose noise is estimated on each scene; once for all tests of a process."""
    import tempfile
    from pathlib import Path

    config = resolve_config("default", [*QUICK, ON_THE_SCENE, *settings]).config
    with tempfile.TemporaryDirectory() as folder:
        return train([write(Path(folder) / "normal.tif", land())], config)


def adapted(detector, path):
    with Scene.of(path).open(detector.bands) as opened:
        return adapted_to(detector, opened)


def whitened(count=4000, seed=0):
    """Draw residuals whitened by a noise that is three times too wide, and shared by bands."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, BANDS)) + rng.normal(size=(count, 1))
    return (mixed / 3).astype(np.float32)


def spread(noise, u):
    """Return the variances of residuals along the bands, as the noise of a scene whitens them."""
    return ((u / LEARNT.whitening) @ noise.whitening).var(axis=0)


# The estimate


def test_the_noise_of_a_scene_is_as_wide_as_its_residuals():
    u = whitened()

    assert spread(fit_scene_noise(u, LEARNT), u) == pytest.approx(np.ones(BANDS), abs=0.3)


def test_the_noise_of_a_scene_is_never_wider_than_the_learnt_noise():
    u = 100 * whitened()

    noise = fit_scene_noise(u, LEARNT)

    np.testing.assert_allclose(noise.whitening, np.diag(LEARNT.whitening), atol=1e-9)
    assert noise.centre.tolist() == LEARNT.centre.tolist()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_what_lies_apart_does_not_become_noise_up_to_a_fifth_of_the_scene(share):
    u = whitened()
    changed = u.copy()
    changed[: int(share * len(u)), :2] += 8.0

    clean, wide = (spread(fit_scene_noise(x, LEARNT), u) for x in (u, changed))

    np.testing.assert_allclose(wide, clean, rtol=0.35)


@pytest.mark.parametrize("value", [0.0, 1e6, 1e20])
def test_residuals_of_one_value_give_a_finite_noise(value):
    noise = fit_scene_noise(np.full((100, BANDS), value, np.float32), LEARNT)

    assert np.isfinite(noise.whitening).all()


# On scenes


def test_a_scene_with_less_noise_than_training_gets_a_narrower_noise(tmp_path):
    quiet = land(seed=3)
    quiet[:] = np.median(quiet, axis=(1, 2), keepdims=True) + 0.1 * (quiet - quiet.mean())
    detector = adaptive()

    noise = adapted(detector, write(tmp_path / "quiet.tif", quiet)).noise

    stretch = np.linalg.svd(noise.whitening / detector.noise.whitening[:, None], compute_uv=False)
    assert stretch.min() >= 1 - 1e-9
    assert stretch.max() > 1.5


@pytest.mark.parametrize("layout", [{"blockysize": 1}, {"tiled": True, "blockxsize": 16}])
def test_any_file_blocks_give_the_same_noise(tmp_path, layout):
    values = plant(land((70, 60), seed=4))
    blocks = {"blockysize": 16} | layout if "tiled" in layout else layout

    one = adapted(adaptive(), write(tmp_path / "one.tif", values))
    other = adapted(adaptive(), write(tmp_path / "other.tif", values, **blocks))

    np.testing.assert_array_equal(other.noise.whitening, one.noise.whitening)


def test_any_tiles_threads_and_workers_give_the_same_map(tmp_path, scene, two):
    detector = adaptive()

    one = score_scene(detector, scene, tmp_path / "one", ScoreOptions(tile=1000, threads=1))
    small = score_scene(detector, scene, tmp_path / "small", ScoreOptions(tile=7, threads=3))
    remote = score_scene(detector, scene, tmp_path / "remote", mapper=two)

    assert same_files(small, one)
    assert same_files(remote, one)
    assert json.loads(one.files.all[-1].read_text())["detector"] == detector.id


def test_the_map_is_scored_with_the_noise_of_the_scene(tmp_path, scene):
    detector = adaptive()
    with Scene.of(scene).open(detector.bands) as opened:
        block = opened.read((slice(0, 40), slice(0, 48)))
        expected = adapted_to(detector, opened).score(block).total

    found = score_scene(detector, scene, tmp_path / "out").quantiles["1"]

    assert found == np.nanmax(expected)
    assert found != np.nanmax(detector.score(block).total)


def test_no_data_does_not_count_in_the_noise(tmp_path):
    values = land(seed=5)
    values[:, ::2] = NODATA
    filled = values.copy()
    filled[0, ::2] = 0.3  # data in a single band
    detector = adaptive()

    one, other = (
        adapted(detector, write(tmp_path / f"{name}.tif", each)).noise.whitening
        for name, each in {"gaps": values, "filled": filled}.items()
    )

    np.testing.assert_array_equal(one, other)
    assert one.ndim == 2


def test_too_few_pixels_keep_the_learnt_noise_and_a_line_reports_it(tmp_path, caplog):
    detector = adaptive()
    few = write(tmp_path / "few.tif", land((4, 5), seed=6))

    with caplog.at_level(logging.WARNING, "anomvae"):
        same = adapted(detector, few)

    assert same is detector
    assert caplog.messages == [
        f"{few}: 20 pixels with data are too few for the noise of 6 bands; the learnt noise stays"
    ]


def test_a_scene_is_adapted_to_once(tmp_path, caplog):
    few = write(tmp_path / "few.tif", land((4, 5), seed=6))

    score_scene(adaptive(), few, tmp_path / "out", ScoreOptions(sensitivity=True))

    assert len([line for line in caplog.messages if "are too few for the noise" in line]) == 1


def test_implants_are_scored_with_the_noise_of_the_scene(tmp_path, scene):
    detector, options = adaptive(), ScoreOptions(sensitivity=True)
    with Scene.of(scene).open(detector.bands) as opened:
        fixed = adapted_to(detector, opened)

    one, other = (
        score_scene(each, scene, tmp_path / name, options)
        for name, each in {"adaptive": detector, "fixed": fixed}.items()
    )

    assert one.sensitivity == other.sensitivity


def test_an_evaluation_scores_with_the_noise_of_the_scene(tmp_path, scene):
    detector, labels = adaptive(), write_labels(tmp_path / "labels.tif")
    with Scene.of(scene).open(detector.bands) as opened:
        fixed = adapted_to(detector, opened)
    learnt = replace(detector, card=replace(detector.card, noise="band"))

    ours, same, other = (
        evaluate_detector(each, scene, labels, baselines=(), threshold="fpr:0.01").rows["anomvae"]
        for each in (detector, fixed, learnt)
    )

    assert ours == same != other


@pytest.mark.parametrize("noise", ["unit", "band", "covariance"])
def test_other_noise_is_not_estimated_again(tmp_path, scene, noise):
    detector = adaptive()
    fixed = replace(detector, card=replace(detector.card, noise=noise))

    assert adapted(fixed, scene) is fixed


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_a_wide_anomaly_is_found_as_with_band_noise(tmp_path, share):
    values = land((50, 50), seed=7)
    wide = np.zeros((50, 50), bool)
    wide[: int(50 * share)] = True
    values[:, wide] = np.linspace(0.9, 0.1, BANDS)[:, None] + 0.05 * values[:, wide]
    scene, detector = write(tmp_path / "wide.tif", values), adaptive()

    with Scene.of(scene).open(detector.bands) as opened:
        block = opened.read((slice(0, 50), slice(0, 50)))
        score = adapted_to(detector, opened).score(block).total[0]

    assert (score[wide] > np.quantile(score[~wide], 0.99)).all()


@pytest.mark.parametrize("family", ["cvae", "spatial", "sequential"])
def test_contexts_patches_and_dates_have_a_noise_of_the_scene(tmp_path, family):
    paths = [
        write(tmp_path / f"{date}.tif", plant(land(seed=2) + np.float32(0.01 * date)))
        for date in range(4)
    ]
    settings = [ON_THE_SCENE, f"model.family={family}", "training.max_steps=2"]
    detector = train(paths, resolve_config("default", settings).config)

    with Scene.of(paths if family == "sequential" else paths[0]).open(detector.bands) as opened:
        noise = adapted_to(detector, opened).noise

    assert noise.whitening.shape == (BANDS, BANDS)


def test_sensitivity_is_measured_with_the_noise_of_the_scene(tmp_path, scene):
    detector, options = adaptive(), ScoreOptions(sensitivity=True)

    of_model = score_scene(detector, scene, tmp_path / "of model", options)
    of_scene = score_scene(adapted(detector, scene), scene, tmp_path / "of scene", options)

    assert of_model.sensitivity == of_scene.sensitivity is not None


# Thresholds, files and settings


def test_thresholds_hold_for_scores_with_the_noise_of_each_training_scene(tmp_path):
    path = write(tmp_path / "normal.tif", land(seed=8))
    detector = refit_threshold(adaptive(), [path], "quantile:0.01")

    result = score_scene(detector, path, tmp_path / "out")

    assert result.flagged / result.valid == pytest.approx(0.01, abs=0.002)


def test_the_file_holds_the_learnt_noise_and_each_scene_gets_its_own(tmp_path, scene):
    detector = adaptive()
    detector.save(tmp_path / "model.safetensors")
    loaded = Detector.load(tmp_path / "model.safetensors")

    assert (loaded.card.noise, loaded.noise.whitening.shape) == ("scene", (BANDS,))
    np.testing.assert_array_equal(
        adapted(loaded, scene).noise.whitening, adapted(detector, scene).noise.whitening
    )


def test_residuals_that_are_not_finite_are_the_fault_of_the_model(tmp_path, scene):
    detector, learnt = adaptive(), adaptive().noise
    huge = replace(detector, noise=Noise(learnt.centre, np.full_like(learnt.whitening, 3e38)))

    with pytest.raises(NotFinite, match=r"residuals of .*\.tif are not finite"):
        score_scene(huge, scene, tmp_path / "out")


def test_an_adapted_detector_can_be_saved_and_is_not_adapted_again(tmp_path, scene):
    fixed = adapted(adaptive(), scene)
    fixed.save(tmp_path / "model.safetensors")
    loaded = Detector.load(tmp_path / "model.safetensors")

    assert adapted(loaded, scene) is loaded
    np.testing.assert_array_equal(loaded.noise.whitening, fixed.noise.whitening)


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_unit_of_the_scenes_does_not_matter(tmp_path, factor):
    config = resolve_config("default", [*QUICK, ON_THE_SCENE]).config
    scaled = train([write(tmp_path / "normal.tif", land() * np.float32(factor))], config)

    one = adapted(adaptive(), write(tmp_path / "one.tif", land(seed=1)))
    other = adapted(scaled, write(tmp_path / "other.tif", land(seed=1) * np.float32(factor)))

    np.testing.assert_allclose(other.noise.whitening, one.noise.whitening, rtol=0.02, atol=0.02)


def test_many_bands_take_the_noise_of_the_scene_and_few_bands_that_of_training(tmp_path):
    many = write(tmp_path / "many.tif", land(bands=33))

    assert train([many], resolve_config("default", QUICK).config).card.noise == "scene"
    assert trained().card.noise == "band"


def test_rows_of_an_array_are_scored_with_the_learnt_noise():
    x = np.random.default_rng(0).normal(size=(300, BANDS)).astype("float32")
    settings = {"max_steps": 20, "random_state": 0}

    scene, band = (VAEDetector(noise=noise, **settings).fit(x) for noise in ("scene", "band"))

    np.testing.assert_array_equal(scene.score_samples(x), band.score_samples(x))
