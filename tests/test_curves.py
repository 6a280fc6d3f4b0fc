"""Curves of scores against labels: exact points, thinned, and their figure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve
from support.rasters import land, plant, run, trained, write, write_labels
from support.refusals import refused

from anomvae.errors import NotEnoughPixels
from anomvae.evaluation import evaluate_detector
from anomvae.figures.curves import curves_figure
from anomvae.stats.curves import POINTS, curve_of
from anomvae.stats.metrics import measure_with_curve
from anomvae.stats.ranks import count_ranks

# Few levels, so that there are ties.
ranked = st.lists(st.tuples(st.booleans(), st.integers(0, 6).map(float)), min_size=2).filter(
    lambda pixels: len({label for label, _ in pixels}) == 2
)


def rows(*columns):
    return set(zip(*(column.tolist() for column in columns), strict=True))


def curve(labels, scores):
    return curve_of(count_ranks(lambda: [(labels, scores)]))


def points_of(truth, scores):
    """Return the points of scikit-learn: of the ROC, and of recall and precision."""
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(truth, scores)
    return rows(fpr, tpr), rows(recall, precision)


@settings(max_examples=30)
@given(ranked)
def test_kept_points_are_those_of_scikit_learn(pixels):
    labels, scores = (np.array(column, float) for column in zip(*pixels, strict=True))

    ours = curve(labels, scores)

    roc, precision_recall = points_of(labels > 0, scores)
    assert rows(ours.false_alarms, ours.detected) <= roc
    assert rows(ours.detected, ours.precision) <= precision_recall
    for rates in (ours.false_alarms, ours.detected):
        assert (rates[0], rates[-1]) == (0, 1)


def test_many_pixels_are_thinned_and_both_ends_stay():
    rng = np.random.default_rng(0)
    labels = (rng.random(200_000) < 0.1).astype(float)
    scores = rng.normal(size=200_000) + 2 * labels

    ours = curve(labels, scores)

    roc, precision_recall = points_of(labels > 0, scores)
    assert rows(ours.false_alarms, ours.detected) <= roc
    assert rows(ours.detected, ours.precision) <= precision_recall
    assert 500 < len(ours.detected) <= POINTS
    assert np.diff(ours.detected).max() < 0.01
    seen = ours.false_alarms[ours.false_alarms > 0]
    assert seen[0] < 1e-4
    assert np.diff(np.log10(seen))[seen[1:] > 1e-3].max() < 0.1


def test_the_area_under_a_thinned_curve_is_that_of_the_metrics():
    rng = np.random.default_rng(1)
    labels = (rng.random(50_000) < 0.2).astype(float)
    scores = rng.normal(size=50_000) + labels

    metrics, ours = measure_with_curve(lambda: [(labels, scores)])

    area = np.trapezoid(ours.detected, ours.false_alarms)
    assert area == pytest.approx(metrics.roc_auc, abs=1e-4)


@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_labels_of_one_class_have_no_curve(label):
    assert curve(np.full(4, label), np.arange(4.0)) is None


@pytest.fixture
def files(tmp_path):
    scene = write(tmp_path / "scene.tif", plant(land(seed=1)))
    return scene, write_labels(tmp_path / "labels.tif")


def test_the_figure_shows_every_row_with_its_areas_and_a_line_style_of_its_own(files):
    evaluation = evaluate_detector(trained(), *files, baselines=["rx", "local-rx", "pca"])

    roc, precision_recall, detected, alarms = curves_figure(evaluation).axes

    assert list(evaluation.curves) == ["anomvae", "rx", "local-rx", "pca"]
    assert roc.get_xscale() == "log"
    texts = [text.get_text() for text in roc.get_legend().get_texts()]
    assert texts == [f"{name}, AUC {row.roc_auc:.3f}" for name, row in evaluation.rows.items()]
    texts = [text.get_text() for text in precision_recall.get_legend().get_texts()]
    assert texts[1] == f"rx, AP {evaluation.rows['rx'].average_precision:.3f}"
    styles = {str(line.get_linestyle()) for line in roc.get_lines()[:4]}
    assert len(styles) == 4
    assert len(detected.get_lines()) == len(alarms.get_lines()) == 4
    assert "minmax" in detected.get_xlabel()


def test_labels_of_one_class_leave_nothing_to_draw(files, tmp_path):
    nothing = write(tmp_path / "none.tif", np.zeros((1, 40, 48), "uint8"), nodata=255)

    evaluation = evaluate_detector(trained(), files[0], nothing)

    with pytest.raises(NotEnoughPixels, match="are normal"):
        curves_figure(evaluation)


def test_the_command_draws_the_curves_of_a_map(files, tmp_path):
    scene, labels = files
    found = run("detect", scene, "--method", "local-rx", "--window", "9,3", "-o", tmp_path)
    words = ("evaluate", scene, tmp_path / "scene.anomaly.tif", "--labels", labels)
    png = tmp_path / "curves.png"

    ran = run(*words, "--curves", png)

    assert (found.code, ran.code) == (0, 0), found.err + ran.err
    assert "rx" in ran.out
    assert png.read_bytes().startswith(b"\x89PNG")
    refused(run(*words, "--curves", png), 3, "curves.png exists", "--overwrite")
    refused(run(*words, "--curves", tmp_path / "curves.jpg"), 2, ".png, .svg or .pdf")
    one = tmp_path / "one.svg"
    assert run(*words, "-o", one, "--curves", one).code == 2
    assert not one.exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--method rxx", "Did you mean 'rx'"),
        ("--method rx --config default", "--config"),
        ("--method rx --set model.latent=3 --seed 1", "--set, --seed"),
        ("--method crd --save-model m.safetensors", "--save-model"),
        ("--method rx --engine numpy", "--engine"),
        ("--method rx --device cpu", "--device"),
        ("--window 21,7", "no --method"),
        ("--regularisation 1", "no --method"),
        ("--method rx --window 21,7", "local-rx or crd"),
        ("--method crd --window 21", "OUTER,GUARD"),
        ("--method crd --window 7,21", "larger than the guard window"),
        ("--method rx --covariates day", "without covariates"),
        ("--method rx --p-values", "has no p-values"),
        ("--method rx --p-values --threshold conformal:0.01", "training did not read"),
    ],
)
def test_options_that_make_no_sense_together_are_refused_in_one_line(
    files, tmp_path, words, answer
):
    ran = run("detect", files[0], "-o", tmp_path / "out", *words.split())

    assert ran.code == 2, ran.err
    assert answer in ran.err
    assert ran.err.count("Error: ") == 1
    assert not (tmp_path / "out").exists()
