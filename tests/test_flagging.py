"""What a map's threshold, condition and p-values decide, whatever the tiles and workers."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from support.decisions import stands_out
from support.rasters import QUICK, bands_of, land, plant, run, trained, write
from support.refusals import refused
from support.scorers import Neighbours, ruled, same_files

from anomvae.config import resolve_config
from anomvae.errors import ConfigError
from anomvae.mapping import ScoreOptions, detect_scene, score_scene
from anomvae.objects import read_objects
from anomvae.stats.thresholds import Threshold, parse_rule

P_VALUES = ScoreOptions(p_values=True)


@pytest.fixture
def wide(tmp_path):
    """A scene of more columns and rows than are decided at a time, with two objects in it."""
    values = np.tile(land((40, 48), seed=1), (1, 14, 50))[:, :530, :2100]
    return write(tmp_path / "wide.tif", plant(plant(values, 511, 2046), 300, 90))


RULES = ["sigma:3+local:2", "budget:40", "fdr:0.2", "budget:1 km2+local:1.5"]


@pytest.mark.parametrize("rule", RULES)
def test_tiles_move_no_flag(scene, tmp_path, rule):
    detector = ruled(rule)
    results = [
        score_scene(detector, scene, tmp_path / str(tile), ScoreOptions(tile=tile))
        for tile in (7, 20, None)
    ]

    assert all(same_files(result, results[-1]) for result in results)


def test_processes_move_no_flag(scene, tmp_path, two):
    detector = ruled("budget:40+local:2")

    here = score_scene(detector, scene, tmp_path / "here")
    there = score_scene(detector, scene, tmp_path / "there", ScoreOptions(tile=16), mapper=two)

    assert same_files(here, there)


def test_the_condition_on_surroundings_is_that_of_the_whole_map(wide, tmp_path):
    result = score_scene(ruled("quantile:0.05+local:2"), wide, tmp_path / "out")

    scores, flags = (bands_of(path)[0] for path in (result.path, result.files.flags))
    above = scores > np.float32(result.threshold.value)
    rows, cols = slice(490, 530), slice(2020, 2100)  # around the edges of windows
    near = np.zeros(scores.shape, bool)
    near[rows, cols] = True
    expected = above & near
    logs = np.log1p(scores.astype(np.float64))
    padded = np.pad(logs, 10, constant_values=np.nan)
    for row, col in np.argwhere(expected):
        window = padded[row : row + 21, col : col + 21].copy()
        window[7:14, 7:14] = np.nan
        around = window[np.isfinite(window)]
        least = np.nanstd(logs) / 4
        expected[row, col] = logs[row, col] > around.mean() + 2 * max(around.std(), least)

    assert 0 < expected.sum() < (above & near).sum()
    np.testing.assert_array_equal((flags == 1) & near, expected)


def test_a_small_map_meets_the_condition_pixel_by_pixel(scene, tmp_path):
    result = score_scene(ruled("quantile:0.3+local:1"), scene, tmp_path / "out")

    scores, flags = (bands_of(path)[0] for path in (result.path, result.files.flags))
    above = scores > np.float32(result.threshold.value)
    np.testing.assert_array_equal(flags == 1, above & stands_out(scores, 1))
    assert 0 < (flags == 1).sum() < above.sum()


def test_a_budget_is_kept_in_the_scored_scene_and_named_in_every_file(scene, tmp_path):
    result = score_scene(ruled("budget:40"), scene, tmp_path / "out")

    scores = bands_of(result.path)[0]
    highest = np.sort(scores[np.isfinite(scores)])[::-1]
    assert result.flagged == 40
    assert result.threshold.value == highest[40]
    assert result.threshold.pixels == result.valid
    assert read_objects(result.files.objects).provenance.threshold == result.threshold.value
    for path in (result.path, result.files.flags):
        with rasterio.open(path) as dataset:
            tags = dataset.tags()
        assert float(tags["ANOMVAE_THRESHOLD"]) == result.threshold.value
        assert tags["ANOMVAE_THRESHOLD_RULE"] == "budget:40"


def test_a_budget_of_an_area_holds_pixels_of_that_area(scene, tmp_path):
    result = score_scene(ruled("budget:0.005km2"), scene, tmp_path / "out")  # pixels of 100 m2

    assert 47 <= result.flagged <= 50


@pytest.mark.parametrize("rule", ["gaussian:2", "conformal:0.05", "fdr:0.2", "quantile:0.05"])
def test_p_values_are_those_of_the_normal_scores_and_agree_with_the_flags(scene, tmp_path, rule):
    detector = ruled(rule)

    result = score_scene(detector, scene, tmp_path / "out", P_VALUES)

    scores, flags, p = (
        bands_of(x)[0] for x in (result.path, result.files.flags, result.files.p_values)
    )
    np.testing.assert_array_equal(p, parse_rule(rule).p_values(detector.scores).of(scores))
    np.testing.assert_array_equal(np.isnan(p), np.isnan(scores))
    assert p[flags == 1].max() <= p[flags == 0].min()
    assert result.files.p_values in result.written
    assert not score_scene(detector, scene, tmp_path / "out", P_VALUES).newly_written
    with rasterio.open(result.files.p_values) as dataset:
        assert dataset.descriptions == ("p_value",)
        assert dataset.tags()["ANOMVAE_DIGEST"] == result.digest


def test_a_map_of_p_values_goes_when_a_result_without_one_replaces_it(scene, tmp_path):
    detector, out = ruled("quantile:0.05"), tmp_path / "out"
    asked = score_scene(detector, scene, out, P_VALUES)

    plain = score_scene(detector, scene, out, ScoreOptions(overwrite=True))

    assert asked.files.p_values not in plain.written
    assert sorted(out.iterdir()) == sorted(plain.written)


@pytest.mark.parametrize("rule", ["sigma:3", "log-sigma:3", "mad:5", "fixed:1", "budget:9"])
def test_p_values_of_a_rule_that_has_none_are_refused_before_any_work(scene, tmp_path, rule):
    config = resolve_config("default", [*QUICK, f'threshold="{rule}"']).config
    calls = (
        lambda: score_scene(ruled(rule), scene, tmp_path / "out", P_VALUES),
        lambda: detect_scene(scene, tmp_path / "out", config, options=P_VALUES),
    )

    for call in calls:
        with pytest.raises(ConfigError, match=rf"{rule} has no p-values\. Choose .*: gaussian"):
            call()

    assert not (tmp_path / "out").exists()


def test_the_command_refuses_p_values_that_there_are_not(scene, model, tmp_path):
    other = write(tmp_path / "other.tif", land())
    ran = run(
        "score",
        scene,
        other,
        "-m",
        model,
        "-o",
        tmp_path / "out",
        "--threshold",
        "mad:5",
        "--p-values",
    )

    refused(ran, 2, "has no p-values")


def test_the_detector_of_a_scene_is_kept_and_scores_it_again(scene, tmp_path):
    kept = tmp_path / "scene.safetensors"
    short = tuple(part for setting in QUICK for part in ("--set", setting))

    first = run("detect", scene, "-o", tmp_path / "a", *short)
    again = run("detect", scene, "-o", tmp_path / "a", *short, "--save-model", kept)
    refused(
        run("detect", scene, "-o", tmp_path / "a", *short, "--save-model", kept), 3, "overwrite"
    )
    scored = run("score", scene, "-m", kept, "-o", tmp_path / "b")

    assert (first.code, again.code, scored.code) == (0, 0, 0)
    assert "up to date" in again.out
    for end in ("anomaly.tif", "flags.tif"):
        maps = [bands_of(tmp_path / folder / f"scene.{end}") for folder in "ab"]
        np.testing.assert_array_equal(*maps)
    assert "held_out False" in run("info", kept).out


@pytest.mark.parametrize("end", ["anomaly.tif", "flags.tif", "json", "pvalues.tif"])
def test_the_detector_of_a_scene_replaces_none_of_its_results(scene, tmp_path, end):
    name = tmp_path / "out" / ".." / "out" / f"scene.{end}"

    ran = run("detect", scene, "-o", tmp_path / "out", "--save-model", name, "--overwrite")

    refused(ran, 2, "is the name of a result")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rule", ["conformal:0.01", "fdr:0.1+local:2"])
def test_detect_refuses_rules_of_held_out_pixels_before_it_reads_any(tmp_path, rule):
    scene = write(tmp_path / "scene.tif", np.zeros((3, 1, 1)))  # too small to fit

    ran = run("detect", scene, "-o", tmp_path / "out", "--threshold", rule)

    refused(ran, 2, f"threshold = {rule} needs", "log-sigma:3")


def test_a_budget_of_an_area_is_refused_before_a_scene_without_one_is_read(tmp_path):
    scene = write(tmp_path / "scene.tif", np.zeros((3, 1, 1)), crs=None)  # too small to fit

    ran = run("detect", scene, "-o", tmp_path / "out", "--threshold", "budget:5km2")

    refused(ran, 2, "threshold = budget:5km2", "no georeference", "such as budget:500")


def test_an_odd_threshold_object_of_a_scorer_is_applied_as_it_is(scene, tmp_path):
    detector = replace(Neighbours(), threshold=Threshold(0.2, 0.0, "fixed:0.2", 1, True))

    result = score_scene(detector, scene, tmp_path / "out")

    assert result.flagged == (bands_of(result.path)[0] > 0.2).sum()
    assert trained().scores is not None
