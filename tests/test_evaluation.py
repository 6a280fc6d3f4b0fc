"""Evaluation: maps and detectors against labels, baselines beside them."""

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from support.rasters import NODATA, land, plant, trained, write, write_labels

from anomvae.errors import ConfigError, GridMismatch, RasterError
from anomvae.evaluation import BASELINES, evaluate, evaluate_detector
from anomvae.evaluation.estimators import RXDetector
from anomvae.mapping import score_scene
from anomvae.raster import read_map
from anomvae.stats.rx import fit_robust_rx


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


def test_a_map_and_the_detector_that_made_it_get_the_same_figures(scene, labels, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    of_map = evaluate(result, labels)
    of_path = evaluate(result.path, labels, scene)
    of_detector = evaluate_detector(trained(), scene, labels)

    assert of_map.rows == of_path.rows == of_detector.rows
    assert list(of_map.rows) == ["anomvae", "rx"]


def test_pixels_without_data_never_count(scene, labels, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    rows = evaluate(result, labels, baselines=list(BASELINES)).rows

    assert {metrics.pixels for metrics in rows.values()} == {39 * 48}
    assert {metrics.anomalous for metrics in rows.values()} == {4}


def test_rx_is_the_estimator_s_rx(scene, labels, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    found = evaluate(result, labels).rows["rx"].roc_auc

    pixels = plant(land(seed=1))[:, 1:].reshape(6, -1).T
    truth = np.zeros((40, 48))
    truth[10:12, 12:14] = 1
    scores = RXDetector().fit(pixels).anomaly_score(pixels)
    assert found == pytest.approx(roc_auc_score(truth[1:].ravel(), scores), abs=1e-12)


def test_the_threshold_of_the_map_is_the_one_that_is_measured(scene, labels, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    metrics = evaluate(result, labels, baselines=()).rows["anomvae"]

    assert metrics.threshold == result.threshold.value
    assert metrics.true_positive + metrics.false_positive == result.flagged


def test_robust_rx_is_rx_on_the_spectra_nearest_to_it(scene, labels):
    found = evaluate_detector(trained(), scene, labels, baselines=["rrx"]).rows["rrx"].roc_auc

    pixels = plant(land(seed=1))[:, 1:].reshape(6, -1).T
    truth = np.zeros((40, 48))
    truth[10:12, 12:14] = 1
    scores = fit_robust_rx(lambda: [pixels]).score(pixels)
    assert found == pytest.approx(roc_auc_score(truth[1:].ravel(), scores), abs=1e-12)


@pytest.mark.parametrize("name", ["rx", "rrx", "iforest"])
def test_a_baseline_finds_what_is_planted(scene, labels, name):
    rows = evaluate_detector(trained(), scene, labels, baselines=[name]).rows

    assert rows[name].roc_auc > 0.95


def test_the_pca_baseline_is_the_residual_of_standardised_principal_components():
    x = land(bands=8)[:, 1:].reshape(8, -1).T
    standardised = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    model = PCA(4).fit(standardised)
    residual = standardised - model.inverse_transform(model.transform(standardised))

    scores = BASELINES["pca"](lambda: iter([x[:500], x[500:]]))(x)

    assert scores == pytest.approx((residual**2).sum(axis=1), rel=1e-4)


def test_labels_of_one_class_give_nan_and_the_reason(scene, tmp_path):
    nothing = write(tmp_path / "labels.tif", np.zeros((1, 40, 48), "uint8"), nodata=255)

    found = evaluate_detector(trained(), scene, nothing)

    assert np.isnan(found.rows["anomvae"].roc_auc)
    assert "normal" in found.rows["anomvae"].reason
    assert json.loads(found.to_json())["detectors"]["anomvae"]["roc_auc"] is None


def test_unknown_labels_never_count(scene, tmp_path):
    values = np.full((1, 40, 48), 255, "uint8")
    values[0, 5:20] = 0
    values[0, 10:12, 12:14] = 1
    labels = write(tmp_path / "labels.tif", values, nodata=255)

    metrics = evaluate_detector(trained(), scene, labels).rows["anomvae"]

    assert (metrics.pixels, metrics.anomalous) == (15 * 48, 4)


def test_a_mask_takes_pixels_out_of_every_row(scene, labels, tmp_path):
    keep = np.ones((1, 40, 48), "uint8")
    keep[0, 20:] = 0
    mask = write(tmp_path / "mask.tif", keep, nodata=None)

    rows = evaluate_detector(trained(), scene, labels, mask=mask).rows

    assert {metrics.pixels for metrics in rows.values()} == {19 * 48}


def test_a_table_has_a_row_for_each_detector(scene, labels):
    table = evaluate_detector(trained(), scene, labels, baselines=["rx", "pca"]).table()

    assert list(table.index) == ["anomvae", "rx", "pca"]
    assert table.loc["anomvae", "roc_auc"] > 0.95


def test_figures_in_json_are_those_of_the_table(scene, labels):
    found = evaluate_detector(trained(), scene, labels)

    told = json.loads(found.to_json())["detectors"]
    assert told["anomvae"]["roc_auc"] == found.table().loc["anomvae", "roc_auc"]
    assert told["rx"]["average_precision"] == found.rows["rx"].average_precision


def test_a_raster_that_is_no_map_is_named(scene, labels):
    with pytest.raises(RasterError, match="anomaly map"):
        evaluate(scene, labels)


def test_labels_on_another_grid_are_refused(scene, tmp_path):
    other = write_labels(tmp_path / "other.tif", (20, 20))

    with pytest.raises(GridMismatch, match="20 x 20"):
        evaluate_detector(trained(), scene, other)


def test_an_unknown_baseline_is_answered_with_the_nearest_one(scene, labels):
    with pytest.raises(ConfigError, match="Did you mean 'iforest'"):
        evaluate_detector(trained(), scene, labels, baselines=["iforrest"])


def test_a_map_can_be_read_back(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    found = read_map(result.path)

    assert found.score.shape == (40, 48)
    assert found.tags["ANOMVAE_DETECTOR"] == trained().id


def test_a_mask_takes_pixels_out_of_a_map_with_and_without_its_scene(scene, labels, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")
    keep = np.ones((1, 40, 48), "uint8")
    keep[0, 20:] = 0
    mask = write(tmp_path / "mask.tif", keep, nodata=None)

    with_scene = evaluate(result, labels, mask=mask).rows
    without = evaluate(result.path, labels, mask=mask).rows

    assert {metrics.pixels for metrics in with_scene.values()} == {19 * 48}
    assert without["anomvae"].pixels == 19 * 48


def test_a_scene_without_data_is_evaluated_to_nan(labels, tmp_path):
    scene = write(tmp_path / "empty.tif", np.full((6, 40, 48), NODATA, "float32"))
    result = score_scene(trained(), scene, tmp_path / "out")

    for found in (
        evaluate(result, labels, baselines=list(BASELINES)),
        evaluate_detector(trained(), scene, labels, baselines=list(BASELINES)),
    ):
        assert all(np.isnan(metrics.roc_auc) for metrics in found.rows.values())
