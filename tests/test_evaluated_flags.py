"""What an evaluation counts as flagged is what the files of the scored scene flag."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from support.decisions import stands_out
from support.rasters import bands_of, land, plant, write, write_labels
from support.scorers import Neighbours, ruled

from anomvae.errors import ConfigError
from anomvae.evaluation import evaluate, evaluate_detector
from anomvae.mapping import rethreshold, score_scene
from anomvae.mapping.stored import stored
from anomvae.pixels.tiling import tiles

CHOSEN = ["fixed:0.05+local:1", "budget:200+local:2"]
"""Rules that need no model."""
RULES = [
    "quantile:0.3",
    "quantile:0.3+local:1",
    "sigma:1+local:2",
    "fdr:0.9+local:1",
    "budget:300+local:1",
    "budget:40",
]


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


def counted(metrics):
    """Return true and false positives, false and true negatives."""
    return (
        *(metrics.true_positive, metrics.false_positive),
        *(metrics.false_negative, metrics.true_negative),
    )


def expected(flags, labels):
    """Return the same of a map of flags and a raster of labels."""
    flags, labels = bands_of(flags)[0], bands_of(labels)[0]
    known = (flags != 255) & (labels != 255)
    return tuple(
        int(((flags == flag) & (labels == label) & known).sum())
        for flag, label in ((1, 1), (1, 0), (0, 1), (0, 0))
    )


def tagged(path, **tags):
    """Write other tags into a map; an empty one is removed."""
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        kept = dataset.tags() | tags
        dataset.update_tags(**kept)
    return path


@pytest.mark.parametrize("rule", RULES)
def test_map_and_detector_are_measured_by_the_flags_in_the_files(scene, labels, tmp_path, rule):
    result = score_scene(ruled(rule), scene, tmp_path / "out")
    alone = tmp_path / "alone.tif"  # nothing lies beside it but its tags
    shutil.copyfile(result.path, alone)

    rows = [
        evaluate(result, labels, baselines=()).rows["anomvae"],
        evaluate(result.path, labels, baselines=()).rows["anomvae"],
        evaluate(alone, labels, baselines=()).rows["anomvae"],
        evaluate_detector(ruled(rule), scene, labels, baselines=()).rows["anomvae"],
    ]

    assert 0 < result.flagged < result.valid
    assert {counted(metrics) for metrics in rows} == {expected(result.files.flags, labels)}
    assert len(set(rows)) == 1
    assert rows[0].threshold == result.threshold.value


def test_windows_move_no_flag(tmp_path):
    values = np.tile(land((40, 48), seed=1), (1, 1, 50))[..., :2100]
    scene = write(tmp_path / "wide.tif", plant(plant(values, 20, 2046), 30, 90))
    labels = write_labels(tmp_path / "labels.tif", (40, 2100), row=20, col=2046)
    detector = ruled("quantile:0.05+local:2")
    result = score_scene(detector, scene, tmp_path / "out")

    metrics = evaluate_detector(detector, scene, labels, baselines=()).rows["anomvae"]

    assert counted(metrics) == expected(result.files.flags, labels)
    assert metrics == evaluate(result, labels, baselines=()).rows["anomvae"]


@pytest.mark.parametrize(
    "rule", ["fixed:0.05+local:1", "budget:200+local:2", "quantile:0.2+local:1"]
)
def test_a_map_that_was_decided_anew_is_measured_by_its_new_flags(scene, labels, tmp_path, rule):
    result = score_scene(ruled("quantile:0.05"), scene, tmp_path / "out")
    before = evaluate(result.path, labels, baselines=()).rows["anomvae"]

    anew = rethreshold(result.path, rule)
    after = evaluate(result.path, labels, baselines=()).rows["anomvae"]

    assert counted(after) == expected(anew.files.flags, labels) != counted(before)


@pytest.mark.parametrize("rule", CHOSEN)
def test_a_rule_with_a_condition_measures_what_it_would_flag(scene, labels, tmp_path, rule):
    detector = ruled("quantile:0.05")
    result = score_scene(detector, scene, tmp_path / "out")

    of_map = evaluate(result, labels, baselines=(), threshold=rule).rows["anomvae"]
    of_detector = evaluate_detector(detector, scene, labels, baselines=(), threshold=rule).rows

    anew = rethreshold(result.path, rule)
    assert counted(of_map) == expected(anew.files.flags, labels)
    assert of_detector["anomvae"] == of_map


def test_a_condition_changes_no_rank(scene, labels, tmp_path):
    result = score_scene(ruled("quantile:0.05"), scene, tmp_path / "out")

    plain, local = (
        evaluate(result, labels, baselines=(), threshold=f"fixed:0.02{condition}").rows["anomvae"]
        for condition in ("", "+local:1")
    )

    assert plain.false_positive > local.false_positive
    flags = ("precision", "recall", "f1", "true_positive", "false_positive")
    flags += ("false_negative", "true_negative")
    assert replace(plain, **dict.fromkeys(flags, 0)) == replace(local, **dict.fromkeys(flags, 0))


def test_the_best_f1_is_that_of_the_pixels_that_meet_the_condition(scene, tmp_path):
    rng = np.random.default_rng(3)
    result = score_scene(Neighbours(), scene, tmp_path / "out")
    scores = bands_of(result.path)[0]
    truth = rng.random(scores.shape) < 0.2 * scores / np.nanmean(scores)
    labels = write(tmp_path / "noisy.tif", truth[np.newaxis].astype("uint8"), nodata=None)

    metrics = evaluate(result, labels, baselines=(), threshold="f1+local:0.3").rows["anomvae"]

    known, meets = np.isfinite(scores), stands_out(scores, 0.3)
    best = max(
        2 * (flags & truth).sum() / (flags.sum() + (truth & known).sum())
        for flags in ((scores > value) & meets for value in np.unique(scores[known]))
    )
    assert metrics.f1 == pytest.approx(best)
    assert metrics.f1 < metrics.best_f1


def test_a_rate_of_normal_labels_is_that_of_the_pixels_flagged(scene, labels, tmp_path):
    result = score_scene(Neighbours(), scene, tmp_path / "out")

    metrics = evaluate(result, labels, baselines=(), threshold="fpr:0.01+local:1").rows["anomvae"]

    assert metrics.false_positive == int(0.01 * (metrics.false_positive + metrics.true_negative))


def test_a_rule_of_another_version_is_measured_by_its_threshold_and_condition(
    scene, labels, tmp_path
):
    result = score_scene(ruled("quantile:0.3+local:1"), scene, tmp_path / "out")
    alone = tmp_path / "alone.tif"
    shutil.copyfile(result.path, alone)

    tagged(alone, ANOMVAE_THRESHOLD_RULE="clipped:3+local:1")
    known = evaluate(alone, labels, baselines=()).rows["anomvae"]

    assert counted(known) == expected(result.files.flags, labels)
    tagged(alone, ANOMVAE_THRESHOLD_RULE="sigma:3+global:1")
    with pytest.raises(ConfigError, match="local:K"):
        evaluate(alone, labels, baselines=())


def test_a_map_that_names_no_threshold_has_no_metrics_of_one(scene, labels, tmp_path):
    result = score_scene(Neighbours(), scene, tmp_path / "out")
    alone = tmp_path / "alone.tif"
    shutil.copyfile(result.path, alone)

    metrics = evaluate(tagged(alone, ANOMVAE_THRESHOLD="nan"), labels, baselines=()).rows["anomvae"]

    assert metrics.roc_auc > 0.9
    assert np.isnan([metrics.threshold, metrics.precision, metrics.recall, metrics.f1]).all()


sides = st.integers(1, 9)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.tuples(sides, sides))
def test_stored_scores_are_read_in_any_windows(shape, written, read):
    scores = np.random.default_rng(0).normal(size=shape)

    with stored(shape, np.float64) as kept:
        for tile in tiles(shape, written):
            kept.write(tile.keep, scores[tile.keep])
        for tile in tiles(shape, read, halo=2):
            np.testing.assert_array_equal(kept.read(tile.read), scores[tile.read])
