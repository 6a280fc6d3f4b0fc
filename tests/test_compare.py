"""Several maps, or folders of maps, against the same labels."""

import csv
import json
from functools import partial

import numpy as np
import pytest
from support.rasters import bands_of, land, plant, run, write, write_labels
from support.refusals import refused

import anomvae
from anomvae.errors import GridMismatch
from anomvae.evaluation import EvaluateOptions, compare, evaluate
from anomvae.evaluation.writing import to_csv, to_markdown, to_text
from anomvae.raster import Selection

SHAPE = (40, 48)


def score_map(path, seed=0, gain=3.0, missing=()):
    """Write a raster of scores in which the labelled object stands out."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=SHAPE).astype("float32")
    values[10:12, 12:14] += gain
    for row in missing:
        values[row] = np.nan
    return write(path, values[np.newaxis], nodata=None)


def spread_labels(path, step=8):
    """Write labels with an object in most blocks."""
    truth = np.zeros((1, *SHAPE), "uint8")
    truth[0, 3::step, 3::step] = 1
    return write(path, truth, nodata=255)


def spread_map(path, labels, seed, gain):
    values = np.random.default_rng(seed).normal(size=SHAPE) + gain * bands_of(labels)[0]
    return write(path, values[np.newaxis].astype("float32"), nodata=None)


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def maps(scene, tmp_path):
    return [anomvae.map_baseline(scene, tmp_path / name, name) for name in ("rx", "pca")]


def test_maps_have_the_metrics_that_each_has_alone(maps, labels, tmp_path):
    other = score_map(tmp_path / "noise.tif", missing=[0])

    (measured,) = compare([*maps, other], labels).scenes

    assert [name.split("/")[-1] for name in measured.rows] == ["scene", "scene", "noise"]
    for result, name in zip(maps, measured.rows, strict=False):
        alone = evaluate(result, labels, baselines=())
        assert measured.rows[name] == alone.rows["anomvae"]
        assert measured.objects[name] == alone.objects["anomvae"]
        assert measured.roc3d[name] == alone.roc3d["anomvae"]
    noise = list(measured.rows)[2]
    assert np.isnan(measured.rows[noise].threshold)
    assert noise not in measured.objects


def test_only_pixels_that_every_map_scores_are_measured(labels, tmp_path):
    maps = [score_map(tmp_path / "a.tif", missing=[0, 1]), score_map(tmp_path / "b.tif", 1, 2, [5])]

    (measured,) = compare(maps, labels).scenes

    assert {row.pixels for row in measured.rows.values()} == {37 * 48}
    same = [score_map(tmp_path / f"{name}.tif", missing=[0, 1, 5]) for name in "cd"]
    assert compare(same, labels).scenes[0].rows["c"] == measured.rows["a"]


def test_a_mask_takes_pixels_out_of_every_map(labels, tmp_path):
    keep = np.ones((1, *SHAPE), "uint8")
    keep[0, 20:] = 0
    select = Selection(mask=write(tmp_path / "mask.tif", keep, nodata=None))
    maps = [score_map(tmp_path / f"{name}.tif", seed) for seed, name in enumerate("ab")]

    (measured,) = compare(maps, labels, select=select).scenes

    assert {row.pixels for row in measured.rows.values()} == {20 * 48}


def test_differences_are_paired_and_those_of_a_map_to_itself_are_none(tmp_path):
    labels = spread_labels(tmp_path / "labels.tif", step=5)
    make = partial(spread_map, labels=labels)
    maps = [make(tmp_path / f"m{gain}.tif", seed=gain, gain=gain) for gain in (3, 1)]
    options = EvaluateOptions(block=8, seed=4)

    one = compare([*maps, maps[0]], labels, options=options)
    again = compare([*maps, maps[0]], labels, options=options)

    best, worse, itself = one.summaries.values()
    assert repr(one.summaries) == repr(again.summaries)
    assert list(one.summaries) == ["m3", "m1", "m3 (2)"]
    assert worse.interval.low < worse.difference < worse.interval.high < 0
    assert (itself.difference, itself.interval, best.rank) == (0, None, 1.5)
    assert itself.reason == "every draw gives the same difference"


def folders(tmp_path, scenes=6, maps=("best", "worse")):
    """Write folders of maps of several scenes, and one of their labels."""
    for folder in ("labels", *maps):
        (tmp_path / folder).mkdir()
    for number in range(scenes):
        labels = spread_labels(tmp_path / "labels" / f"s{number}_labels.tif")
        for place, folder in enumerate(maps):
            gain, path = 2.5 - 1.5 * place, tmp_path / folder / f"s{number}.tif"
            spread_map(path, labels, 10 * number + place, gain)
    return [tmp_path / folder for folder in maps], tmp_path / "labels"


def test_folders_are_compared_over_their_scenes(tmp_path):
    paths, labels = folders(tmp_path)

    comparison = compare(paths, labels)

    assert [scene.scene for scene in comparison.scenes] == [f"s{number}" for number in range(6)]
    best, worse = comparison.summaries.values()
    areas = np.array([[row.roc_auc for row in scene.rows.values()] for scene in comparison.scenes])
    assert (best.roc_auc, worse.roc_auc) == pytest.approx(tuple(areas.mean(axis=0)))
    assert (best.rank, worse.rank, worse.scenes) == (1, 2, 6)
    assert worse.difference == pytest.approx((areas[:, 1] - areas[:, 0]).mean())
    assert worse.interval.low <= worse.difference <= worse.interval.high < 0
    assert np.isnan(best.f1)


def test_scenes_without_labels_or_a_map_are_left_out_and_named(tmp_path, caplog):
    paths, labels = folders(tmp_path, scenes=3)
    (labels / "s0_labels.tif").unlink()
    (paths[1] / "s1.tif").unlink()

    comparison = compare(paths, labels)

    assert [scene.scene for scene in comparison.scenes] == ["s2"]
    assert "1 scenes have no map in some folder and are left out: s1" in caplog.text
    assert "have no labels in" in caplog.text


def test_few_scenes_give_no_interval_and_the_reason(tmp_path):
    paths, labels = folders(tmp_path, scenes=2)

    _, worse = compare(paths, labels).summaries.values()

    assert worse.interval is None
    assert worse.reason == "an interval over scenes needs 5, and there are 2"


def test_a_comparison_is_written_as_json_csv_and_markdown(tmp_path):
    paths, labels = folders(tmp_path, scenes=2)
    comparison = compare(paths, labels)
    words = ("evaluate", "--compare", *paths, "--labels", labels)

    ran = {
        end: run(*words, "-o", tmp_path / f"table.{end}") for end in ("json", "csv", "md", "txt")
    }

    assert [each.code for each in ran.values()] == [0, 0, 0, 2]
    refused(ran["txt"], 2, "table.txt does not end in .json, .csv or .md")
    assert (tmp_path / "table.json").read_text() == comparison.to_json()
    assert (tmp_path / "table.csv").read_text() == to_csv(comparison)
    assert (tmp_path / "table.md").read_text() == to_markdown(comparison)
    document = json.loads(comparison.to_json())
    assert list(document["maps"]) == ["best", "worse"]
    lines = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [(line["scene"], line["detector"]) for line in lines][:2] == [
        ("s0", "best"),
        ("s0", "worse"),
    ]
    area = document["scenes"][0]["detectors"]["best"]["roc_auc"]
    assert float(lines[0]["roc_auc"]) == area
    assert "| best |" in to_markdown(comparison)


def test_tables_of_text_fit_80_columns(maps, labels):
    text = to_text(evaluate(maps[0], labels, baselines=("rx", "local-rx")))

    assert max(map(len, text.splitlines())) <= 80, text
    assert "Objects that overlap by one pixel or more" in text
    assert "no interval: the labels mark 1 object, and an interval needs 5" in text
    assert "3D ROC (Chang 2021), scores normalised by minmax" in text


def test_names_that_a_spreadsheet_or_markdown_would_run_are_text(tmp_path, labels):
    maps = [score_map(tmp_path / f"{name}.tif") for name in ("=1+1", "a|b`*")]

    comparison = compare(maps, labels)

    assert "'=1+1" in to_csv(comparison)
    assert "a\\|b\\`\\*" in to_markdown(comparison)


def test_the_command_compares_maps_and_draws_them(maps, labels, tmp_path):
    words = ("evaluate", "--compare", *(result.path for result in maps), "--labels", labels)
    pictures = ("--curves", tmp_path / "c.svg", "--objects", tmp_path / "o.png")

    ran = run(*words, *pictures, "--overlap", "0.5", "--block", "12", "--seed", "3")

    assert ran.code == 0, ran.err
    assert "scene: difference of the ROC AUC to rx" in ran.out
    assert "0.5 of their pixels" in ran.out
    assert "12 x 12 pixels" in ran.out
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    as_json = json.loads(run(*words, "--json").out)
    assert list(as_json["maps"]) == ["rx", "pca"]


def test_an_evaluation_has_intervals_objects_and_roc3d_in_its_json(maps, labels, scene):
    ran = run("evaluate", scene, maps[0].path, "--labels", labels, "--json", "--tau", "log")

    rows = json.loads(ran.out)["detectors"]
    assert rows["anomvae"]["objects"]["labelled"] == 1
    assert rows["anomvae"]["objects"]["recall"] == 1
    assert rows["anomvae"]["roc3d"]["normalisation"] == "log"
    assert rows["anomvae"]["intervals"]["roc_auc"] is None
    assert "needs 5" in rows["anomvae"]["intervals"]["reason"]
    assert "difference" in rows["rx"]


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        ("--compare a.tif", 2, "needs two or more"),
        ("--compare a.tif b.tif -m model.safetensors", 2, "-m is not for --compare"),
        ("--compare a.tif b.tif --threshold f1", 2, "--threshold is not for --compare"),
        ("--compare a.tif b.tif --baselines none", 2, "--baselines is not for --compare"),
        ("--compare a.tif small.tif", 4, "small.tif has 20 x 20 pixels"),
        ("--compare a.tif scene.tif", 3, "scene.tif has 6 bands, but a map of scores has one"),
        ("--compare a.tif gone.tif", 3, "gone.tif does not exist"),
        ("--compare a.tif maps", 2, "is no folder, but"),
        ("--compare maps maps", 2, "is no folder, but folders of maps are compared"),
        ("--compare a.tif b.tif --overlap 2", 2, "overlap = 2.0 is impossible"),
        ("--compare maps maps --curves c.png", 2, "draw one scene"),
        ("a.tif b.tif small.tif", 2, "several maps with --compare"),
        ("a.tif", 2, "Give either a MAP or a model"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    tmp_path, monkeypatch, scene, labels, words, code, answer
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    for path in ("a.tif", "b.tif", "maps/a.tif"):
        score_map(tmp_path / path)
    write(tmp_path / "small.tif", np.ones((1, 20, 20), "float32"))

    ran = run("evaluate", *words.split(), "--labels", "labels.tif")

    refused(ran, code, answer)


@pytest.mark.parametrize(
    ("inside", "answer"),
    [
        ({}, "holds no map"),
        ({"other.tif": 0}, "No scene has a map in each of"),
        ({"a.tif": 0}, "holds no labels of a"),
    ],
)
def test_folders_without_maps_or_labels_are_refused(tmp_path, inside, answer):
    for folder in ("one", "two", "truth"):
        (tmp_path / folder).mkdir()
    score_map(tmp_path / "one" / "a.tif")
    for name in inside:
        score_map(tmp_path / "two" / name)

    ran = run(
        *("evaluate", "--compare", tmp_path / "one", tmp_path / "two"),
        *("--labels", tmp_path / "truth"),
    )

    refused(ran, 3, answer)


@pytest.mark.parametrize(
    ("fill", "value", "answer"),
    [
        ("labels", 0, "are normal"),
        ("labels", 1, "are anomalous"),
        ("labels", 255, "no pixel has both a score and a label"),
        ("scores", np.nan, "no pixel has both a score and a label"),
    ],
)
def test_what_cannot_be_measured_is_nan_with_its_reason(tmp_path, labels, fill, value, answer):
    maps = [score_map(tmp_path / f"{name}.tif") for name in "ab"]
    if fill == "labels":
        labels = write(tmp_path / "filled.tif", np.full((1, *SHAPE), value, "uint8"), nodata=255)
    else:
        write(maps[1], np.full((1, *SHAPE), value, "float32"), nodata=None)

    ran = run("evaluate", "--compare", *maps, "--labels", labels)

    assert ran.code == 0, ran.err
    assert "NaN" in ran.out
    assert answer in ran.out


def test_labels_on_another_grid_are_refused(tmp_path):
    maps = [score_map(tmp_path / f"{name}.tif") for name in "ab"]

    with pytest.raises(GridMismatch, match="20 x 20"):
        compare(maps, write_labels(tmp_path / "labels.tif", (20, 20)))
