"""Evaluation: maps and detectors against labels, with baselines beside them."""

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from support.rasters import NODATA, land, plant, trained, write, write_labels

from anomvae.errors import ConfigError, GridMismatch, NotEnoughPixels, RasterError
from anomvae.evaluation import BASELINES, evaluate, evaluate_detector
from anomvae.evaluation.estimators import RXDetector
from anomvae.mapping import score_scene
from anomvae.parallel.threads import blas_threads, usable_threads
from anomvae.raster import Scene
from anomvae.stats.baselines import Method
from anomvae.stats.rx import fit_robust_rx
from anomvae.stats.thresholds import parse_rule

OF_ONE_DATE = [name for name, row in BASELINES.items() if row.dates == 1]


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


@pytest.fixture
def result(scene, tmp_path):
    return score_scene(trained(), scene, tmp_path / "out")


@pytest.fixture
def mask(tmp_path):
    keep = np.ones((1, 40, 48), "uint8")
    keep[0, 20:] = 0
    return write(tmp_path / "mask.tif", keep, nodata=None)


def test_a_map_and_its_detector_have_the_same_metrics(scene, labels, result):
    of_map = evaluate(result, labels)
    of_path = evaluate(result.path, labels, scene)
    of_detector = evaluate_detector(trained(), scene, labels)

    assert of_map.rows == of_path.rows == of_detector.rows
    assert list(of_map.rows) == list(of_map.table().index) == ["anomvae", "rx"]
    assert of_map.table().loc["anomvae", "roc_auc"] == of_map.rows["anomvae"].roc_auc > 0.95


def test_pixels_without_data_never_count(labels, result):
    rows = evaluate(result, labels, baselines=OF_ONE_DATE).rows

    assert {metrics.pixels for metrics in rows.values()} == {39 * 48}
    assert {metrics.anomalous for metrics in rows.values()} == {4}


def test_baselines_are_scored_on_one_thread_of_blas(labels, result):
    threads = set()

    with blas_threads(2):
        evaluate(
            result,
            labels,
            baselines=["local-rx"],
            progress=lambda name, *_: threads.add((name, usable_threads())),
        )

    assert ("local-rx", 1) in threads


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("rx", lambda pixels: RXDetector().fit(pixels).anomaly_score),
        ("rrx", lambda pixels: fit_robust_rx(lambda: [pixels]).score),
    ],
)
def test_rx_baselines_are_fitted_to_the_valid_pixels_of_the_scene(labels, result, name, fit):
    pixels = plant(land(seed=1))[:, 1:].reshape(6, -1).T
    truth = np.zeros((40, 48))
    truth[10:12, 12:14] = 1

    metrics = evaluate(result, labels, baselines=[name]).rows[name]

    expected = roc_auc_score(truth[1:].ravel(), fit(pixels)(pixels))
    assert metrics.roc_auc == pytest.approx(expected, abs=1e-12)
    assert metrics.roc_auc > 0.95


def test_the_pca_baseline_is_the_residual_of_standardised_principal_components():
    x = land(bands=8)[:, 1:].reshape(8, -1).T
    standardised = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    model = PCA(4).fit(standardised)
    residual = standardised - model.inverse_transform(model.transform(standardised))

    scores = Method.of("pca").fit(lambda: iter([x[:500], x[500:]])).score(x[None])[0]

    assert scores == pytest.approx((residual**2).sum(axis=1), rel=1e-4)


def test_an_isolation_forest_finds_a_planted_object(scene, labels):
    rows = evaluate_detector(trained(), scene, labels, baselines=["iforest"]).rows

    assert rows["iforest"].roc_auc > 0.95


def test_the_threshold_of_the_map_is_measured(labels, result):
    metrics = evaluate(result, labels, baselines=()).rows["anomvae"]

    assert metrics.threshold == result.threshold.value
    assert metrics.true_positive + metrics.false_positive == result.flagged


def test_labels_of_one_class_give_nan_null_and_the_reason(scene, tmp_path):
    nothing = write(tmp_path / "labels.tif", np.zeros((1, 40, 48), "uint8"), nodata=255)

    evaluation = evaluate_detector(trained(), scene, nothing)

    assert np.isnan(evaluation.rows["anomvae"].roc_auc)
    assert "normal" in evaluation.rows["anomvae"].reason
    assert json.loads(evaluation.to_json())["detectors"]["anomvae"]["roc_auc"] is None


def test_unknown_labels_never_count(scene, tmp_path):
    values = np.full((1, 40, 48), 255, "uint8")
    values[0, 5:20] = 0
    values[0, 10:12, 12:14] = 1
    labels = write(tmp_path / "labels.tif", values, nodata=255)

    metrics = evaluate_detector(trained(), scene, labels).rows["anomvae"]

    assert (metrics.pixels, metrics.anomalous) == (15 * 48, 4)


def test_a_mask_takes_pixels_out_of_every_row(scene, labels, result, mask):
    of_map = evaluate(result, labels, mask=mask).rows
    of_detector = evaluate_detector(trained(), Scene.of(scene, mask=mask), labels).rows
    without_scene = evaluate(result.path, labels, mask=mask).rows

    assert of_map == of_detector
    assert {metrics.pixels for metrics in of_map.values()} == {19 * 48}
    assert {name: metrics.pixels for name, metrics in without_scene.items()} == {"anomvae": 19 * 48}


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


def test_a_map_of_another_scene_is_evaluated_with_a_warning(labels, result, tmp_path, caplog):
    other = write(tmp_path / "other.tif", plant(land(seed=2)))

    evaluate(result, labels, other)

    assert "was made from scene.tif, not from" in caplog.text


def test_a_scene_without_data_is_evaluated_to_nan(labels, tmp_path):
    scene = write(tmp_path / "empty.tif", np.full((6, 40, 48), NODATA, "float32"))
    result = score_scene(trained(), scene, tmp_path / "out")

    for evaluation in (
        evaluate(result, labels, baselines=OF_ONE_DATE),
        evaluate_detector(trained(), scene, labels, baselines=OF_ONE_DATE),
    ):
        assert all(np.isnan(metrics.roc_auc) for metrics in evaluation.rows.values())


@pytest.mark.parametrize("rule", ["f1", "fpr:0.01", "fpr:0.05", "budget:7", "fixed:12.5"])
def test_a_rule_chooses_the_same_threshold_for_a_map_and_its_detector(scene, labels, result, rule):
    of_map = evaluate(result, labels, baselines=(), threshold=rule).rows["anomvae"]
    of_detector = evaluate_detector(trained(), scene, labels, baselines=(), threshold=rule)

    assert of_map == of_detector.rows["anomvae"]


def test_the_threshold_of_f1_reaches_the_best_f1(labels, result):
    metrics = evaluate(result, labels, baselines=(), threshold="f1").rows["anomvae"]

    assert metrics.f1 == pytest.approx(metrics.best_f1)


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.3])
def test_the_threshold_of_fpr_is_exceeded_by_that_rate_of_the_normal_pixels(labels, result, rate):
    rule = f"fpr:{rate}"

    metrics = evaluate(result, labels, baselines=(), threshold=rule).rows["anomvae"]

    normal = metrics.false_positive + metrics.true_negative
    assert metrics.false_positive == int(rate * normal)


def test_a_budget_holds_in_an_evaluation_in_pixels_and_in_area(labels, result):
    of_pixels, of_area = (
        evaluate(result, labels, baselines=(), threshold=rule).rows["anomvae"]
        for rule in ("budget:9", "budget:0.000905km2")  # of pixels of 10 m
    )

    assert of_pixels.true_positive + of_pixels.false_positive == 9
    assert of_area == of_pixels


@pytest.mark.parametrize(
    ("rule", "error", "answer"),
    [
        ("fprr:0.1", ConfigError, "Did you mean 'fpr'"),
        ("f1:3", ConfigError, "f1 takes no number"),
        ("f1+local:-2", ConfigError, "K above 0"),
        ("log-sigma:3", NotEnoughPixels, "no model gives them"),
        ("fdr:0.1", NotEnoughPixels, "no model gives them"),
        ("fpr:0.00001", NotEnoughPixels, "cannot show a false-positive rate"),
    ],
)
def test_a_rule_that_a_map_cannot_serve_is_answered(labels, result, rule, error, answer):
    with pytest.raises(error, match=answer):
        evaluate(result, labels, baselines=(), threshold=rule)


def test_labels_without_an_anomaly_have_no_best_f1(result, tmp_path):
    nothing = write(tmp_path / "labels.tif", np.zeros((1, 40, 48), "uint8"), nodata=255)

    with pytest.raises(NotEnoughPixels, match="f1 needs anomalous labels"):
        evaluate(result, nothing, baselines=(), threshold="f1")


def test_any_rule_serves_a_detector(scene, labels):
    metrics = evaluate_detector(trained(), scene, labels, baselines=(), threshold="mad:4")

    expected = trained().with_threshold(parse_rule("mad:4")).threshold.value
    assert metrics.rows["anomvae"].threshold == expected
