"""Outputs tell masked from missing: flags, summaries, evaluations, decisions, the watch."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, land, plant, run, trained, write, write_labels
from support.scorers import Changes, Neighbours

from anomvae.errors import NotEnoughPixels, OutputExists
from anomvae.evaluation import evaluate, evaluate_detector
from anomvae.fitting import Selection, train
from anomvae.mapping import ScoreOptions, detect_scene, read_summary, rethreshold, score_scene
from anomvae.raster import Scene

SHAPE = (40, 48)
CLOUD = np.zeros(SHAPE, bool)
CLOUD[:6, 20:30] = CLOUD[25:31, 4:9] = True
MISSING = np.zeros(SHAPE, bool)
MISSING[0] = True


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land()))


@pytest.fixture
def scl(tmp_path):
    return write(tmp_path / "SCL.tif", np.where(CLOUD, 9, 4).astype("uint8")[None], nodata=0)


def masked_scene(scene, scl, **options):
    return Scene.of(scene, mask=f"scl:{scl}", **options)


def as_written(result):
    """Return a result without what a summary rounds or does not hold."""
    return replace(result, newly_written=False, seconds=0.0)


def states(path):
    """Return the masked and the missing pixels of flags."""
    (flags,) = bands_of(path)
    return flags == 254, flags == 255


def test_flags_tell_masked_from_missing_and_the_summary_counts_both(scene, scl, tmp_path):
    result = score_scene(Neighbours(), masked_scene(scene, scl), tmp_path / "out")

    masked, missing = states(result.files.flags)
    np.testing.assert_array_equal(masked, CLOUD & ~MISSING)
    np.testing.assert_array_equal(missing, MISSING)
    assert (result.masked, result.missing) == (masked.sum(), missing.sum())
    assert result.valid == masked.size - masked.sum() - missing.sum()
    pixels = json.loads(result.files.summary.read_text())["pixels"]
    assert (pixels["masked"], pixels["missing"]) == (result.masked, result.missing)
    assert as_written(read_summary(result.files)) == as_written(result)
    with rasterio.open(result.files.flags) as flags:
        assert flags.tags(1)["CATEGORY_254"] == "masked"
        assert 254 in flags.colormap(1)
        assert flags.nodata == 255


def test_a_summary_of_before_is_read(scene, tmp_path):
    result = score_scene(Neighbours(), scene, tmp_path / "out")
    data = json.loads(result.files.summary.read_text())
    del data["pixels"]["masked"], data["pixels"]["missing"]
    result.files.summary.write_text(json.dumps(data))

    assert as_written(read_summary(result.files)) == as_written(result)


@pytest.mark.parametrize("how", ["tiles", "threads", "processes"])
def test_no_tile_thread_or_worker_moves_a_masked_pixel(scene, scl, tmp_path, how, request):
    closed = masked_scene(scene, scl, mask_dilate=2)
    whole = score_scene(Neighbours(), closed, tmp_path / "whole")
    options = ScoreOptions(tile=7, threads=3 if how == "threads" else 1)

    where = {"mapper": request.getfixturevalue("two")} if how == "processes" else {}
    other = score_scene(Neighbours(), closed, tmp_path / how, options, **where)

    assert other.masked == whole.masked > CLOUD.sum() - 10
    np.testing.assert_array_equal(bands_of(other.files.flags), bands_of(whole.files.flags))


def test_only_masks_of_the_newest_date_mask_a_map(tmp_path):
    dates = [write(tmp_path / f"{day}.tif", plant(land(seed=day))) for day in range(3)]
    earlier = np.ones((1, *SHAPE), "uint8")
    earlier[0, CLOUD] = 0
    mask = write(tmp_path / "mask.tif", earlier, nodata=None)

    result = score_scene(Changes(), Scene.of(dates, mask=mask), tmp_path / "out")

    masked, missing = states(result.files.flags)
    np.testing.assert_array_equal(masked, CLOUD & ~MISSING)
    np.testing.assert_array_equal(missing, MISSING)


def test_detect_masks_and_says_so_in_its_line(scene, scl, tmp_path):
    args = ("--mask", f"scl:{scl}", "--set", "training.max_steps=50", "-o", tmp_path / "out")

    result = run("detect", scene, *args)

    assert result.code == 0, result.err
    masked, missing = states(tmp_path / "out" / "scene.flags.tif")
    np.testing.assert_array_equal(masked, CLOUD & ~MISSING)
    np.testing.assert_array_equal(missing, MISSING)
    assert f", {masked.sum()} masked" in result.out


def test_a_decision_made_anew_keeps_what_is_masked(scene, scl, tmp_path):
    first = score_scene(Neighbours(), masked_scene(scene, scl), tmp_path / "out")
    before = bands_of(first.files.flags)

    there = rethreshold(first.path, "quantile:0.02", tmp_path / "elsewhere")
    here = rethreshold(first.path, "quantile:0.02")

    for again in (there, here):
        after = bands_of(again.files.flags)
        np.testing.assert_array_equal(after >= 254, before >= 254)
        np.testing.assert_array_equal(after[after >= 254], before[before >= 254])
        assert (again.masked, again.missing) == (first.masked, first.missing)
    assert here.flagged != first.flagged


@pytest.mark.parametrize("lost", ["gone", "damaged"])
def test_without_its_flags_what_is_masked_is_missing_and_that_is_warned_of(
    scene, scl, tmp_path, caplog, lost
):
    first = score_scene(Neighbours(), masked_scene(scene, scl), tmp_path / "out")
    if lost == "gone":
        first.files.flags.unlink()
    else:
        first.files.flags.write_bytes(b"II*\0")

    again = rethreshold(first.path, "quantile:0.02", tmp_path / "elsewhere")

    assert (again.masked, again.missing) == (0, first.masked + first.missing)
    assert "masked pixels count as without data" in caplog.text


def test_what_masks_choose_is_another_result(scene, scl, tmp_path):
    texts = [None, f"scl:{scl}", f"scl:{scl}=9,10", f"classes:{scl}=9", f"binary:{scl}"]
    scenes = [Scene.of(scene, mask=text) for text in texts]
    scenes.append(masked_scene(scene, scl, mask_dilate=1))

    digests = {score_scene(Neighbours(), one, tmp_path / str(i)).digest
               for i, one in enumerate(scenes)}  # fmt: skip

    assert len(digests) == len(scenes)
    with pytest.raises(OutputExists):
        score_scene(Neighbours(), scenes[1], tmp_path / "0")
    assert not score_scene(Neighbours(), scenes[1], tmp_path / "1").newly_written


@pytest.mark.parametrize("all_of_it", [True, False])
def test_a_map_without_a_score_is_written_and_the_reason_is_warned_of(
    scene, tmp_path, caplog, all_of_it
):
    keep = np.zeros((1, *SHAPE), "uint8")
    keep[0, 3] = 1 - all_of_it
    mask = write(tmp_path / "mask.tif", keep, nodata=None)

    result = score_scene(Neighbours(), Scene.of(scene, mask=mask), tmp_path / "out")

    reason = "no pixel has a score, so its maps are empty: 1872 of 1920 pixels are masked, and 48 "
    assert (reason in caplog.text) == all_of_it
    masked, _ = states(result.files.flags)
    assert masked.sum() == result.masked == 1872 - 48 * (not all_of_it)


def test_nothing_can_be_fitted_where_all_is_masked(scene, tmp_path):
    mask = write(tmp_path / "mask.tif", np.zeros((1, *SHAPE), "uint8"), nodata=None)

    with pytest.raises(NotEnoughPixels, match=r"check nodata values and masks .--mask none"):
        train([scene], select=Selection(mask=mask))
    with pytest.raises(NotEnoughPixels):
        detect_scene(scene, tmp_path / "out", select=Selection(mask=mask))
    failed = run("detect", scene, "--mask", mask, "-o", tmp_path / "out")
    assert failed.code == 3
    assert failed.err.splitlines()[-1].startswith(f"Error: {scene}: 0 valid pixels to train on")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_masked_pixels_are_not_measured(scene, scl, tmp_path):
    labels = write_labels(tmp_path / "labels.tif")
    closed = masked_scene(scene, scl, mask_dilate=1)
    result = score_scene(trained(), closed, tmp_path / "masked")
    shown = score_scene(trained(), scene, tmp_path / "shown")

    rows = [
        evaluate(result, labels, closed).rows,
        evaluate(result.path, labels).rows,
        evaluate(shown, labels, mask=f"scl:{scl}", mask_dilate=1).rows,
        evaluate(shown.path, labels, mask=f"scl:{scl}", mask_dilate=1).rows,
        evaluate_detector(trained(), closed, labels).rows,
    ]

    for measured in rows:
        assert {row.pixels for row in measured.values()} == {result.valid}


def test_the_command_measures_the_same(scene, scl, tmp_path):
    labels, model = write_labels(tmp_path / "labels.tif"), tmp_path / "model"
    trained().save(model)
    result = score_scene(trained(), masked_scene(scene, scl, mask_dilate=1), tmp_path / "out")
    options = ("--labels", labels, "--mask", f"scl:{scl}", "--mask-dilate", 1, "--baselines", "")

    of_map = run("evaluate", scene, result.path, *options)
    of_model = run("evaluate", scene, "-m", model, *options)

    for ran in (of_map, of_model):
        assert ran.code == 0, ran.err
        assert f"of {result.valid} labelled pixels" in ran.out


def test_a_watch_masks_by_its_settings_and_counts(scene, scl, tmp_path):
    trained().save(tmp_path / "model")
    (tmp_path / "scenes").mkdir()
    scene.rename(tmp_path / "scenes" / "scene.tif")
    config = tmp_path / "watch.toml"
    site = (
        '[[site]]\nname = "coast"\nmodel = "model"\nout = "out"\n'
        'folder = {path = "scenes", stable_seconds = 0}\nmask = "scl:SCL.tif"\n'
    )

    for dilate in (0, 0, 2):
        config.write_text(f"{site}mask_dilate = {dilate}\n")
        ran = run("monitor", "run", config, "--backfill")
        assert ran.code in {0, 5, 10}, ran.err
    write(scl, np.full((1, *SHAPE), 5, "uint8"), nodata=0)
    run("monitor", "run", config, "--backfill")

    rows = json.loads(run("monitor", "history", config, "--json").out)
    counts = [(row["valid"], row["masked"], row["missing"]) for row in rows]
    assert len(counts) == 3  # again where the masks differ, not otherwise
    assert counts[0][1:] == (0, 48)
    assert counts[2][1:] == ((CLOUD & ~MISSING).sum(), 48)
    assert counts[1][1] > counts[2][1]
    assert all(sum(each) == CLOUD.size for each in counts)
