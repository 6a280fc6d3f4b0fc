"""Finished maps are decided anew by another threshold, without model and scene."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from support.decisions import stands_out
from support.imports import after
from support.rasters import QUICK, bands_of, land, plant, run, write, write_labels
from support.refusals import refused
from support.scorers import Neighbours, content, same_files

from anomvae import evaluate, rethreshold
from anomvae.config import resolve_config
from anomvae.errors import ConfigError, LockHeld, NotEnoughPixels, OutputExists, RasterError
from anomvae.files import staging
from anomvae.mapping import (
    ScoreOptions,
    detect_scene,
    read_summary,
    rethreshold_maps,
    score_scene,
)
from anomvae.objects import read_objects

QUICKLY = resolve_config("default", QUICK).config
CONDITION = "log-sigma:2+local:1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two scored scenes, and the scenes outside it."""
    base = tmp_path_factory.mktemp("maps")
    for name, seed in (("a", 1), ("b", 2)):
        path = write(base / f"{name}.tif", plant(land(seed=seed)))
        score_scene(Neighbours(), path, base / "out")
    return base / "out"


@pytest.fixture
def maps(folder, tmp_path):
    """A copy of the folder of two scored scenes."""
    return shutil.copytree(folder, tmp_path / "maps")


@pytest.fixture
def map_(maps):
    return maps / "a.anomaly.tif"


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_the_rule_of_detect_gives_the_flags_and_objects_of_detect(scene, tmp_path, config):
    settings = resolve_config(config, QUICK).config
    before = detect_scene(scene, tmp_path / "out", settings)

    after_ = rethreshold(before.path, before.threshold.rule, tmp_path / "again")

    assert after_.threshold == before.threshold
    assert (after_.flagged, after_.objects) == (before.flagged, before.objects)
    np.testing.assert_array_equal(bands_of(after_.files.flags), bands_of(before.files.flags))
    one, other = (read_objects(result.files.objects).items for result in (before, after_))
    assert [replace(item, explanation=None) for item in one] == list(other)


@pytest.mark.parametrize("rule", ["quantile:0.02", "budget:30", "mad:4", CONDITION])
def test_flags_objects_and_summary_follow_the_rule_and_the_map_stays(maps, map_, rule):
    before, scores = map_.read_bytes(), bands_of(map_)[0]

    result = rethreshold(map_, rule)

    flags, about = bands_of(result.files.flags)[0], read_objects(result.files.objects)
    expected = scores > np.float32(result.threshold.value)
    if rule == CONDITION:
        expected &= stands_out(scores, 1)
    assert map_.read_bytes() == before
    np.testing.assert_array_equal(flags == 1, expected)
    np.testing.assert_array_equal(flags == 255, np.isnan(scores))
    assert 0 < result.flagged == expected.sum() == sum(one.area_px for one in about.items)
    assert result.threshold.rule == about.provenance.threshold_rule == rule
    assert about.provenance.digest == result.digest
    assert sorted(maps.glob("a.*")) == sorted(result.written)
    summary = read_summary(result.files)
    assert (summary.threshold, summary.flagged) == (result.threshold, result.flagged)


def test_quantiles_of_the_map_choose_the_threshold(map_):
    scores = bands_of(map_)[0]

    result = rethreshold(map_, "quantile:0.05")

    finite = scores[np.isfinite(scores)]
    assert result.threshold.pixels == finite.size
    assert not result.threshold.held_out
    assert result.flagged == int(0.05 * finite.size)


def test_detector_scene_and_input_stay_in_the_summary(map_):
    earlier = json.loads(map_.with_name("a.json").read_text())

    rethreshold(map_, "budget:5")

    later = json.loads(map_.with_name("a.json").read_text())
    same = ("scene", "detector", "input", "pixels", "score_quantiles", "files")
    assert [later[name] for name in same if name != "pixels"] == [
        earlier[name] for name in same if name != "pixels"
    ]
    assert later["pixels"]["valid"] == earlier["pixels"]["valid"]
    assert later["digest"] != earlier["digest"]


SHIFT = {"kind": "shift", "severe": False, "reason": "all bands are higher by about 100"}
ALL = {"kind": "flagged", "severe": True, "reason": "100% of its pixels are above the threshold"}


@pytest.mark.parametrize(
    ("before", "rule", "after"),
    [
        ([SHIFT, ALL], "budget:5", [SHIFT]),
        ([SHIFT], "fixed:0", [SHIFT, ALL]),
        ([ALL], "quantile:0.01", []),
        ([], "quantile:0.5", []),  # as it promises
        (None, "fixed:0", [ALL]),
        (None, "budget:5", None),
    ],
)
def test_doubts_about_the_scene_stay_and_the_share_flagged_is_judged_anew(
    map_, caplog, before, rule, after
):
    summary = map_.with_name("a.json")
    verdict = None if before is None else {"in_domain": "no", "doubts": before}
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"domain": verdict}))

    result = rethreshold(map_, rule)

    written = json.loads(summary.read_text())["domain"]
    assert (None if written is None else written["doubts"]) == after
    assert read_summary(result.files).verdict == result.verdict
    warned = [doubt["reason"] in caplog.text for doubt in after or []]
    assert all(warned)
    assert bool(warned) is ("like the training scenes" in caplog.text)


@pytest.mark.parametrize("summary", [True, False])
def test_a_map_that_is_flagged_all_over_is_not_like_the_training_scenes(map_, summary):
    if not summary:
        map_.with_name("a.json").unlink()

    ran = run("rethreshold", map_, "--threshold", "fixed:0", "--overwrite")

    assert ran.code == 0
    assert ran.out.rstrip().endswith("in domain: no")
    assert "it is not like the training scenes: 100% of its pixels" in ran.err


def test_a_budget_of_most_of_a_map_is_no_doubt(map_):
    result = rethreshold(map_, f"budget:{bands_of(map_)[0].size - 1}")

    assert result.flagged > 0.5 * result.valid
    assert result.verdict is None


@pytest.mark.parametrize("overwrite", [False, True])
def test_maps_of_one_name_are_not_written_into_one_folder(maps, tmp_path, overwrite):
    other = shutil.copytree(maps, tmp_path / "other") / "a.anomaly.tif"
    options = ScoreOptions(overwrite=overwrite)

    with pytest.raises(ConfigError, match=r"2 maps are called 'a.anomaly.tif'"):
        next(rethreshold_maps([maps / other.name, other], "budget:5", tmp_path / "out", options))

    beside = rethreshold_maps([maps / other.name, other], "budget:5", None, options)
    again = rethreshold_maps([other, other], "budget:5", tmp_path / "out", options)
    assert [each.error for each in (*beside, *again)] == [None] * 4
    assert not list(tmp_path.glob("out/b.*"))


def test_the_same_rule_is_up_to_date_and_gives_the_same_bytes(maps, map_, tmp_path):
    first = rethreshold(map_, "budget:20")
    there = rethreshold(map_, "budget:20", tmp_path / "there")
    again = rethreshold(map_, "budget:20")
    rethreshold(map_, "budget:10")
    back = rethreshold(map_, "budget:20")

    assert (first.newly_written, again.newly_written, back.newly_written) == (True, False, True)
    assert same_files(back, there)
    assert not rethreshold(map_, "budget:20", tmp_path / "there").newly_written


@pytest.mark.parametrize("change", [{"min_area": 2}, {"top": 1}, {"p_values": True}])
def test_options_decide_the_result(map_, change):
    rethreshold(map_, "quantile:0.02")

    result = rethreshold(map_, "quantile:0.02", options=ScoreOptions(**change))

    assert result.newly_written
    assert result.files.p_values.exists() is ("p_values" in change)
    assert not rethreshold(map_, "quantile:0.02", options=ScoreOptions(**change)).newly_written
    assert rethreshold(map_, "quantile:0.02").newly_written
    assert not result.files.p_values.exists()


def test_a_score_with_the_old_settings_finds_other_settings(folder, maps, map_):
    rethreshold(map_, "budget:20")
    scene = folder.parent / "a.tif"

    with pytest.raises(OutputExists, match="other settings"):
        score_scene(Neighbours(), scene, maps)

    result = score_scene(Neighbours(), scene, maps, ScoreOptions(overwrite=True))
    assert result.threshold.rule == "fixed:1"
    assert rethreshold(map_, "budget:20").newly_written


def test_another_folder_gets_a_copy_of_the_map_and_nothing_else_changes(maps, map_, tmp_path):
    before = content(maps)

    result = rethreshold(map_, "budget:20", tmp_path / "other")

    assert content(maps) == before
    assert result.path.read_bytes() == map_.read_bytes()
    assert sorted(result.written) == sorted((tmp_path / "other").iterdir())
    assert not rethreshold(result.path, "budget:20").newly_written


def test_results_of_another_map_are_kept_unless_overwritten(folder, map_, tmp_path):
    scene = write(tmp_path / "a.tif", plant(land(seed=3)))
    score_scene(Neighbours(), scene, tmp_path / "other")

    with pytest.raises(OutputExists, match="--overwrite"):
        rethreshold(map_, "budget:20", tmp_path / "other")

    options = ScoreOptions(overwrite=True)
    assert rethreshold(map_, "budget:20", tmp_path / "other", options).newly_written


def test_a_file_of_another_program_is_kept(map_):
    flags = map_.with_name("a.flags.tif")
    write(flags, np.ones((1, 4, 4), "uint8"), nodata=None)
    before = flags.read_bytes()

    with pytest.raises(OutputExists, match="not written by anomvae"):
        rethreshold(map_, "budget:20")

    assert flags.read_bytes() == before


def test_the_evaluation_takes_the_threshold_of_the_summary(folder, map_, tmp_path):
    labels = write_labels(tmp_path / "labels.tif")
    result = rethreshold(map_, "budget:4")

    of_result, of_path = (evaluate(each, labels, baselines=()) for each in (result, map_))

    row = of_path.rows["anomvae"]
    assert row == of_result.rows["anomvae"]
    assert (row.threshold, row.recall, row.precision) == (result.threshold.value, 1, 1)


@pytest.mark.parametrize("missing", ["json", "flags.tif", "objects.geojson", "png"])
def test_what_is_missing_beside_a_map_is_made_again(map_, missing):
    rethreshold(map_, "budget:20")
    map_.with_name(f"a.{missing}").unlink()

    result = rethreshold(map_, "budget:20")

    assert result.newly_written
    assert all(path.exists() for path in result.written)
    assert result.flagged == 20
    assert not rethreshold(map_, "budget:20").newly_written


def written_anew(path, bands, **tags):
    """Write a map as a plain GeoTIFF of its first bands, with other tags."""
    with rasterio.open(path) as dataset:
        profile, before = dataset.profile, dataset.tags()
        values, names = dataset.read(range(1, bands + 1)), dataset.descriptions[:bands]
    path.unlink()
    plain = {"driver": "GTiff", "count": bands, "dtype": "float32", "nodata": np.nan}
    place = {name: profile[name] for name in ("width", "height", "crs", "transform")}
    with rasterio.open(path, "w", **plain, **place) as dataset:
        dataset.write(values)
        dataset.descriptions = names
        dataset.update_tags(**before | tags)


def test_a_map_of_three_bands_is_decided_as_well(map_):
    expected = rethreshold(map_, "budget:20")
    flags = bands_of(expected.files.flags)
    written_anew(map_, bands=3)

    np.testing.assert_array_equal(bands_of(rethreshold(map_, "budget:20").files.flags), flags)


def test_a_map_without_scores_has_too_few_for_a_rule(tmp_path):
    empty = write(tmp_path / "empty.tif", np.full((6, 20, 20), -1, "float32"))
    result = score_scene(Neighbours(), empty, tmp_path / "out")
    before = content(tmp_path / "out")

    with pytest.raises(NotEnoughPixels, match=r"empty\.anomaly\.tif: "):
        rethreshold(result.path, "sigma:3")

    assert content(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("conformal:0.01", "pixels that training did not read.*score --threshold"),
        ("fdr:0.1", "pixels that training did not read"),
        ("f1", "needs labels"),
        ("sigmaa:3", "Did you mean 'sigma'"),
    ],
)
def test_rules_that_a_map_cannot_serve_are_refused(maps, map_, rule, message):
    before = content(maps)

    with pytest.raises(ConfigError, match=message):
        rethreshold(map_, rule)
    refused(run("rethreshold", maps, "--threshold", rule), 2, "threshold")

    assert content(maps) == before


def test_p_values_come_from_the_scores_of_the_map(map_):
    result = rethreshold(map_, "quantile:0.05", options=ScoreOptions(p_values=True))

    scores, p = bands_of(map_)[0], bands_of(result.files.p_values)[0]
    finite = np.isfinite(scores)
    np.testing.assert_array_equal(np.isfinite(p), finite)
    order = np.argsort(scores[finite], kind="stable")
    assert (np.diff(p[finite][order]) <= 0).all()
    with pytest.raises(ConfigError, match="has no p-values"):
        rethreshold(map_, "sigma:3", options=ScoreOptions(p_values=True))


def test_while_another_run_makes_the_files_nothing_changes(maps, map_):
    before = content(maps)

    with staging(maps, "a"), pytest.raises(LockHeld):
        rethreshold(map_, "budget:20")

    assert content(maps) == before


def test_a_folder_is_decided_map_by_map_and_a_broken_one_stops_no_other(maps):
    (maps / "a.anomaly.tif").write_bytes(b"II*\0 broken")

    ran = run("rethreshold", maps, "--threshold", "budget:7", "--json")

    assert ran.code == 5
    assert "1 of 2 maps failed" in ran.err
    assert "a.anomaly.tif" in ran.err
    assert json.loads(ran.out)["pixels"]["flagged"] == 7


def test_the_command_prints_each_map_and_can_fail_on_anomalies(maps, tmp_path):
    options = ("--threshold", "budget:7", "-o", tmp_path / "other")

    ran = run("rethreshold", maps, *options, "--fail-on-anomaly", "--top", "1")

    assert ran.code == 10
    assert [line.count("7 of") for line in ran.out.splitlines()] == [1, 1]
    assert ran.out.count("1 object") == 2


@pytest.mark.parametrize("name", ["missing.anomaly.tif", "map.tif", "flags.anomaly.tif", "."])
def test_what_is_no_map_is_refused_in_one_line(tmp_path, name):
    write(tmp_path / "map.tif", land())
    write(tmp_path / "flags.anomaly.tif", land(bands=1))
    path = tmp_path / "empty" if name == "." else tmp_path / name
    (tmp_path / "empty").mkdir()

    refused(run("rethreshold", path, "--threshold", "budget:7"), 3, "")


def test_a_map_that_names_no_detector_is_refused(map_):
    written_anew(map_, bands=4, ANOMVAE_DIGEST="")

    with pytest.raises(RasterError, match="does not name its detector"):
        rethreshold(map_, "budget:7")


def test_no_torch_is_loaded(map_):
    assert "torch" not in after("rethreshold", map_, "--threshold", "budget:7")


KILLED = """
import os, sys
from pathlib import Path
from anomvae.mapping import rethreshold
renames = int(sys.argv[2])
replace = Path.replace
def dying(self, target):
    global renames
    if renames == 0:
        os._exit(9)
    renames -= 1
    return replace(self, target)
Path.replace = dying
rethreshold(sys.argv[1], "budget:7")
"""


@pytest.mark.skipif(os.name != "posix", reason="needs os._exit")
@pytest.mark.parametrize("renames", [0, 1, 3])
def test_a_run_that_dies_leaves_whole_files_that_the_next_run_completes(maps, map_, renames):
    before = content(maps)
    ran = subprocess.run([sys.executable, "-c", KILLED, map_, str(renames)], check=False)
    assert ran.returncode == 9
    left = content(maps)
    assert left[map_] == before[map_]
    assert map_.with_name("a.json") not in left  # nothing is taken for complete
    assert not [path for path in left if path.suffix == ".tif" and not bands_of(path).size]

    result = rethreshold(map_, "budget:7")

    assert result.flagged == 7
    assert sorted(path.name for path in maps.glob("a.*")) == sorted(
        path.name for path in result.written
    )
    assert not [path for path in maps.iterdir() if path.name.startswith(".")]
