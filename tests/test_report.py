"""Results become one page: what it holds, what it states of gone files, what is refused."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.imports import after
from support.rasters import bands_of, land, plant, run, write
from support.reports import copied, scored, widgets_of, words_of

import anomvae
from anomvae.errors import ConfigError, FileError, GridMismatch, OutputExists
from anomvae.reporting.score_counts import ScoreCounts

AIRPORT = Path(os.environ.get("ANOMVAE_SCENES", "none"), "sandiego-utm")


@pytest.fixture(scope="session")
def one(tmp_path_factory):
    """A folder with a scene, its labels, its model, and its results in ``out``."""
    folder = tmp_path_factory.mktemp("one")
    scored(folder, "bay")
    return folder


@pytest.fixture
def own(one, tmp_path):
    """A copy of it."""
    return copied(one, tmp_path / "own")


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """A folder with two scenes, and their results in ``out``."""
    folder = tmp_path_factory.mktemp("two")
    scored(folder, "bay", "delta")
    return folder


def page_of(results, folder, **options):
    """Write the report of results into a folder."""
    return anomvae.report(results, folder / "report.html", **options).path


def test_a_page_states_first_how_much_is_unusual(one, tmp_path):
    summary = json.loads((one / "out" / "bay.json").read_text(encoding="utf-8"))

    made = anomvae.report(one / "out", tmp_path / "report.html")

    flagged, valid = summary["pixels"]["flagged"], summary["pixels"]["valid"]
    assert made.headline.startswith(f"{flagged} of {valid:,} pixels")
    assert made.headline in words_of(made.path)
    assert f"in {summary['objects']} object" in made.headline
    assert "The strongest, object 1, has" in words_of(made.path)
    assert re.search(
        r"Of all bands \S.* adds most to its score: there it is (brighter|darker) than the model "
        r"expects, by [\d.]+ times the noise\.",
        words_of(made.path),
    )


def test_the_same_results_give_the_same_bytes_and_nothing_is_fetched(one, tmp_path):
    first, second = tmp_path / "a.html", tmp_path / "b.html"

    for path in (first, second):
        anomvae.report(one / "out", path, model=one / "model.safetensors")

    assert first.read_bytes() == second.read_bytes()
    assert not re.search(rb"""(?:src|href)=["']?(?:https?:)?//""", first.read_bytes())


def test_the_layers_hold_the_largest_scores_and_every_flag_of_cells(one, tmp_path):
    scores = bands_of(one / "out" / "bay.anomaly.tif")[0]
    path = page_of(one / "out", tmp_path)

    made = widgets_of(path)

    layers = {layer["name"]: layer for layer in made["s1-map"]["layers"]}
    assert list(layers) == ["Scene", "Score", "Flags", "Masks"]
    assert layers["Score"]["high"] == pytest.approx(np.nanmax(scores), rel=1e-3)
    assert (made["s1-map"]["rows"], made["s1-map"]["columns"]) == scores.shape
    assert made["s1-map"]["crs"] == "EPSG:32633"


@pytest.mark.parametrize("side", [40, 7])
def test_a_cell_shows_its_largest_score_and_any_anomalous_pixel(one, side):
    from anomvae.reporting.maps import read_maps
    from anomvae.reporting.results import find_results

    (scene,) = find_results([one / "out"]).scenes
    scores = bands_of(one / "out" / "bay.anomaly.tif")[0]
    flags = bands_of(one / "out" / "bay.flags.tif")[0]

    maps = read_maps(scene, side=side)

    step = maps.grid.side
    for row, col in np.ndindex(maps.grid.cells):
        part = np.s_[row * step : (row + 1) * step, col * step : (col + 1) * step]
        largest = np.nanmax(scores[part]) if np.isfinite(scores[part]).any() else np.nan
        np.testing.assert_equal(maps.scores[row, col], largest)
        assert (maps.classes[row, col] == 1) == (flags[part] == 1).any()


def test_the_strongest_objects_are_shown_at_full_resolution_where_the_map_has_cells(one):
    from anomvae.parallel import quiet
    from anomvae.reporting.map_view import map_view
    from anomvae.reporting.results import find_results
    from anomvae.reporting.scene_report import Detail, gather

    (scene,) = find_results([one / "out"]).scenes
    scores = bands_of(one / "out" / "bay.anomaly.tif")[0]
    report = gather(scene, detail=Detail(side=7, close_ups=1), progress=quiet)

    (near,) = report.close_ups
    names = [(layer.name, layer.box) for layer in map_view(report).layers]

    peak = report.objects.listed[0].item.peak
    assert all(part.start <= at < part.stop for part, at in zip(near.window, peak, strict=True))
    np.testing.assert_equal(near.scores, scores[near.window])
    assert report.picture.parts[0].shape == (*near.scores.shape, 4)
    (rows, cols), side = near.window, report.maps.grid.side
    assert (rows.start % side, cols.start % side) == (0, 0)
    assert names.count(("Score", (rows.start, cols.start, rows.stop, cols.stop))) == 1
    assert [name for name, _ in names] == ["Scene"] * 2 + ["Score"] * 2 + ["Flags"] * 2


def test_the_histogram_is_exact_at_the_threshold(one, tmp_path):
    scores = bands_of(one / "out" / "bay.anomaly.tif")[0]
    made = widgets_of(page_of(one / "out", tmp_path))["s1-scores"]

    edges, counts = np.array(made["edges"]), np.array(made["counts"])

    known, threshold = scores[np.isfinite(scores)], np.float32(made["threshold"])
    assert counts.sum() == known.size
    above = counts[np.searchsorted(edges, float(threshold)) :].sum()
    assert above == (known > threshold).sum() == made["flagged"]


@pytest.mark.parametrize("shift", [0.0, -3.0, 1e4])
@pytest.mark.parametrize("seed", range(3))
def test_counts_in_bins_are_those_of_the_scores(seed, shift):
    rng = np.random.default_rng(seed)
    scores = (rng.lognormal(1, 2, 5000) + shift).astype(np.float32)
    threshold = float(np.quantile(scores, 0.99))
    counts = ScoreCounts(threshold)
    for part in np.array_split(np.append(scores, np.nan).astype(np.float32), 7):
        counts.add(part)

    bars = counts.bars(64)

    assert (np.diff(bars.edges) > 0).all()
    below = np.array([(scores <= edge).sum() for edge in bars.edges[1:]])
    assert bars.counts.cumsum().tolist() == below.tolist()
    assert np.float32(threshold) in bars.edges.astype(np.float32)
    assert counts.above == (scores > np.float32(threshold)).sum()


@pytest.mark.parametrize("values", [[], [2.0], [0.0, 0.0], [np.nan]])
def test_counts_of_few_scores(values):
    counts = ScoreCounts(1.0)
    counts.add(np.array(values, np.float32))

    bars = counts.bars()

    known = np.isfinite(values).sum() if values else 0
    assert (0 if bars is None else bars.counts.sum()) == known


def test_the_objects_are_listed_by_rank_with_outlines_and_spectra(one, tmp_path):
    objects = anomvae.read_objects(one / "out" / "bay.objects.geojson").items
    made = widgets_of(page_of(one / "out", tmp_path))

    table, outlined = made["s1-objects"], made["s1-map"]["objects"]

    keys = [column["key"] for column in table["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in table["rows"]]
    assert [row["score"] for row in rows] == [item.score_max for item in objects]
    assert [(row["row"], row["col"]) for row in rows] == [item.peak for item in objects]
    assert [each["id"] for each in outlined] == [str(item.id) for item in objects]
    spectrum = made["s1-spectrum-1"]
    assert [line["name"] for line in spectrum["lines"]][:2] == ["object", "expected by the model"]
    assert spectrum["lines"][0]["y"] == pytest.approx(objects[0].explanation.spectrum, rel=1e-5)


def test_labels_are_measured_beside_a_baseline(one, tmp_path):
    path = page_of(one / "out", tmp_path, labels=one / "labels.tif", baselines=("rx",))

    words, made = words_of(path), widgets_of(path)

    assert "Against labels" in words
    assert [line["name"] for line in made["s1-roc"]["lines"]] == ["anomvae", "rx"]
    evaluation = anomvae.evaluate(one / "out" / "bay.anomaly.tif", one / "labels.tif")
    assert f"{evaluation.rows['anomvae'].roc_auc:.3f}" in words


def test_a_perfect_ranking_has_a_curve_up_to_all_false_alarms(one, tmp_path):
    flagged = one / "out" / "bay.flags.tif"

    roc = widgets_of(page_of(one / "out", tmp_path, labels=flagged))["s1-roc"]

    (line,) = roc["lines"]
    assert (roc["x"]["low"], roc["x"]["high"]) == (0.1, 1)
    assert line["x"] == pytest.approx([0.1, 1])
    assert line["y"] == [1, 1]


def test_labels_without_the_scene_have_no_baseline_and_that_is_stated(own, tmp_path):
    (own / "bay.tif").rename(own / "gone.tif")
    _named(own / "out", own / "bay.tif")

    path = page_of(own / "out", tmp_path, labels=own / "labels.tif", baselines=("rx",))

    assert "There are no baselines" in words_of(path)
    assert [line["name"] for line in widgets_of(path)["s1-roc"]["lines"]] == ["anomvae"]


def _named(results, scene):
    """Make a summary name another scene."""
    path = results / "bay.json"
    summary = json.loads(path.read_text(encoding="utf-8")) | {"scene": str(scene)}
    path.write_text(json.dumps(summary), encoding="utf-8")


def test_a_model_has_its_card_and_its_training(one, tmp_path):
    path = page_of(one / "out", tmp_path, model=one / "model.safetensors")

    assert {"training-elbo", "training-error", "training-kl"} <= widgets_of(path).keys()
    assert "measured on held-out pixels" in words_of(path)


def test_a_model_that_did_not_score_the_scenes_is_refused(one, tmp_path):
    from anomvae.config import resolve_config

    other = tmp_path / "other.safetensors"
    config = resolve_config("default", ["training.max_steps=5"]).config
    anomvae.train([one / "bay.tif"], config, seed=5).save(other)

    with pytest.raises(ConfigError, match="was scored by"):
        page_of(one / "out", tmp_path, model=other)


def test_a_scene_that_is_gone_leaves_the_quick_look(own, tmp_path):
    _named(own / "out", own / "elsewhere.tif")

    path = page_of(own / "out", tmp_path)

    assert "is no longer where it was scored" in words_of(path)
    assert "The quick look, as it was drawn" in words_of(path)
    layers = widgets_of(path)["s1-map"]["layers"]
    assert [layer["name"] for layer in layers] == ["Score", "Flags", "Masks"]
    assert layers[0]["shown"]


def test_a_scene_that_has_changed_is_not_shown(own, tmp_path):
    write(own / "bay.tif", plant(land(seed=9)))
    _named(own / "out", own / "bay.tif")

    path = page_of(own / "out", tmp_path)

    assert "is another one than that which was scored" in words_of(path)


@pytest.mark.parametrize(
    "name", ["anomaly.tif", "flags.tif", "objects.geojson", "png", "all but json"]
)
def test_files_that_were_deleted_are_stated_on_the_page(own, tmp_path, name):
    for path in (own / "out").iterdir():
        if path.name == f"bay.{name}" or (name == "all but json" and path.suffix != ".json"):
            path.unlink()

    words = words_of(page_of(own / "out", tmp_path))

    assert "listed in the summary but no longer in" in words
    assert "pixels" in words


@pytest.mark.parametrize("name", ["anomaly.tif", "flags.tif", "objects.geojson"])
def test_a_damaged_file_is_stated_on_the_page(own, tmp_path, name):
    path = own / "out" / f"bay.{name}"
    path.write_bytes(path.read_bytes()[:300])

    words = words_of(page_of(own / "out", tmp_path))

    assert "cannot be" in words


def test_results_of_two_runs_are_told_apart(own, tmp_path):
    flags = own / "out" / "bay.flags.tif"
    kept = tmp_path / "kept.tif"
    shutil.copy(flags, kept)
    anomvae.rethreshold(own / "out" / "bay.anomaly.tif", "sigma:2")
    shutil.copy(kept, flags)

    words = words_of(page_of(own / "out", tmp_path))

    assert "bay.flags.tif is of another run than the summary" in words
    assert "bay.anomaly.tif is of another run" not in words


def test_a_map_of_another_detector_is_told_apart(own, tmp_path):
    other = anomvae.map_baseline(own / "bay.tif", tmp_path / "other", "rx")
    shutil.copy(other.path, own / "out" / "bay.anomaly.tif")

    words = words_of(page_of(own / "out", tmp_path))

    assert "bay.anomaly.tif is of another run than the summary" in words


def test_only_the_strongest_of_many_objects_are_listed_and_that_is_stated(one, tmp_path):
    from anomvae.parallel import quiet
    from anomvae.reporting.results import find_results
    from anomvae.reporting.scene_report import Detail, gather
    from anomvae.reporting.sections import objects_table

    (scene,) = find_results([one / "out"]).scenes
    report = gather(scene, detail=Detail(objects=1), progress=quiet)

    table = objects_table(report)

    total = scene.result.objects
    assert total > 1
    assert (len(table.rows), table.total) == (1, total)
    assert table.note == f"1 of {total} objects, by rank; the file has all."


def test_several_scenes_have_an_overview_and_a_part_each(two, tmp_path):
    made = anomvae.report(two / "out", tmp_path / "report.html")

    found, words = widgets_of(made.path), words_of(made.path)

    assert made.scenes == ("bay", "delta")
    assert [row[1] for row in found["scenes"]["rows"]] == [["bay", "#s1-top"], ["delta", "#s2-top"]]
    assert {"s1-map", "s2-map"} <= found.keys()
    assert "2 of 2 scenes hold unusual pixels" in words


def test_folders_below_are_found_and_several_can_be_named(two, one, tmp_path):
    base = tmp_path / "site"
    for name in ("first", "second"):
        shutil.copytree(one / "out", base / name)

    assert len(anomvae.report(base, tmp_path / "a.html").scenes) == 2
    map_ = two / "out" / "delta.anomaly.tif"
    assert anomvae.report([one / "out", map_], tmp_path / "b.html").scenes == ("bay", "delta")


def test_half_written_results_are_left_out_and_named(two, tmp_path):
    folder = copied(two, tmp_path / "two")
    (folder / "out" / "delta.json").unlink()

    path = page_of(folder / "out", tmp_path)

    assert "Left out" in words_of(path)
    assert "delta.anomaly.tif" in words_of(path)


def test_a_folder_with_half_written_results_alone_is_refused(own, tmp_path):
    (own / "out" / "bay.json").unlink()

    for named in (own / "out", own / "out" / "bay.anomaly.tif"):
        with pytest.raises(FileError, match=r"bay\.anomaly\.tif has no summary that can be read"):
            page_of(named, tmp_path)


def test_a_folder_without_results_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    done = run("report", tmp_path / "empty", "-o", tmp_path / "report.html")

    assert done.code == 3
    assert done.err.startswith("Error:")
    assert done.err.count("\n") == 1
    assert "holds no results" in done.err


def test_results_of_two_models_are_refused_unless_one_is_chosen(own, tmp_path):
    path = own / "out" / "bay.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    summary |= {"detector": "0123456789ab", "digest": "f" * 16}
    (own / "out" / "other.json").write_text(json.dumps(summary), encoding="utf-8")

    done = run("report", own / "out", "-o", tmp_path / "report.html")
    chosen = anomvae.report(own / "out", tmp_path / "report.html", model_id="01234")

    assert done.code == 2
    assert "results of 2 models" in done.err
    assert "--model-id" in done.err
    assert chosen.scenes == ("other",)
    both = anomvae.report(own / "out", tmp_path / "both.html", model_id="any")
    assert both.scenes == ("bay", "other")
    assert "scored by 2 models, whose scores do not compare" in words_of(both.path)
    with pytest.raises(ConfigError, match="No results are of the model f00"):
        anomvae.report(own / "out", tmp_path / "report.html", model_id="f00")


def test_scenes_that_each_have_their_own_model_share_a_page(tmp_path):
    for seed, name in enumerate(("bay", "delta")):
        path = write(tmp_path / f"{name}.tif", plant(land(seed=seed)))
        anomvae.map_baseline(path, tmp_path / "out", "rx")

    made = anomvae.report(tmp_path / "out", tmp_path / "report.html")

    assert made.scenes == ("bay", "delta")
    assert "fitted to this scene itself" in words_of(made.path)


def test_scenes_of_their_own_models_stay_so_under_another_threshold(tmp_path):
    for seed, name in enumerate(("bay", "delta")):
        path = write(tmp_path / f"{name}.tif", plant(land(seed=seed)))
        result = anomvae.map_baseline(path, tmp_path / "out", "rx")
        anomvae.rethreshold(result.path, "sigma:2")
        anomvae.rethreshold(result.path, "sigma:3")

    made = anomvae.report(tmp_path / "out", tmp_path / "report.html")

    words = words_of(made.path)
    assert made.scenes == ("bay", "delta")
    assert "by the rule sigma:3" in words
    assert words.count("The detector was fitted to this scene itself") == 2
    assert "make the report with --model" not in words
    assert "delta.objects.geojson has no spectra of it." in words


def test_labels_on_another_grid_are_refused(one, tmp_path):
    labels = write(tmp_path / "labels.tif", np.zeros((1, 9, 9), "uint8"), nodata=255)

    with pytest.raises(GridMismatch):
        page_of(one / "out", tmp_path, labels=labels)
    done = run("report", one / "out", "-o", tmp_path / "r.html", "--labels", labels)
    assert (done.code, done.err.count("\n")) == (4, 1)
    assert not (tmp_path / "r.html").exists()


def test_a_baseline_that_is_unknown_is_refused(one, tmp_path):
    with pytest.raises(ConfigError, match="rxx"):
        page_of(one / "out", tmp_path, labels=one / "labels.tif", baselines=("rxx",))


def test_labels_of_several_scenes_are_refused(two, tmp_path):
    with pytest.raises(ConfigError, match="Labels are of one scene"):
        page_of(two / "out", tmp_path, labels=two / "labels.tif")


def test_the_page_replaces_only_a_page(one, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<html>mine</html>", encoding="utf-8")

    with pytest.raises(OutputExists, match="is no page of anomvae"):
        anomvae.report(one / "out", path)
    anomvae.report(one / "out", path, overwrite=True)
    before = path.read_bytes()
    anomvae.report(one / "out", path)

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("out", FileError),
        ("out/bay.json", ConfigError),
        ("out/bay.objects.geojson", ConfigError),
        ("labels.tif", ConfigError),
        ("bay.tif", ConfigError),
    ],
)
def test_the_page_replaces_no_folder_result_or_input(own, name, error):
    _named(own / "out", own / "bay.tif")
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}

    with pytest.raises(error):
        anomvae.report(own / "out", own / name, labels=own / "labels.tif", overwrite=True)

    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before


def test_hostile_names_stay_text(tmp_path):
    name = "<img src=x onerror=alert(1)>\"'&"
    names = (name, "</script><script>alert(2)</script>", "a\u202eb", "=1+1", "e", "f")
    path = write(tmp_path / "bay.tif", plant(land(seed=1)), names=names)
    anomvae.map_baseline(path, tmp_path / "out", "rx")
    with rasterio.open(
        tmp_path / "out" / "bay.anomaly.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES"
    ) as d:
        d.update_tags(**{"<b>tag</b>": "<script>alert(3)</script>"})

    made = page_of(tmp_path / "out", tmp_path).read_text(encoding="utf-8")

    for bad in ("<img src=x", "<script>alert", "<b>tag"):
        assert bad not in made
    assert "&lt;script&gt;alert(3)" in made


def test_a_scene_without_any_score_has_a_page(tmp_path):
    path = write(tmp_path / "bay.tif", np.full((6, 20, 30), -1.0, "float32"))
    from support.rasters import trained

    anomvae.score_scene(trained(), path, tmp_path / "out")

    made = anomvae.report(tmp_path / "out", tmp_path / "report.html")

    assert made.headline.startswith("No pixel has a score")
    assert "Without a score, the scene cannot be compared" in words_of(made.path)


def test_the_command_prints_the_page_and_loads_no_torch(one, tmp_path):
    path = tmp_path / "report.html"

    done = run("report", one / "out", "-o", path)
    labels = ("--labels", one / "labels.tif", "-m", one / "model.safetensors")
    found = after("report", one / "out", "-o", path, *labels)

    assert done.code == 0
    assert done.out.startswith(f"{path}  ")
    assert path.stat().st_size < 1_000_000
    assert not found & {"torch", "matplotlib"}
    assert "pandas" not in after("report", one / "out", "-o", path)


@pytest.mark.slow
@pytest.mark.skipif(not AIRPORT.is_dir(), reason="ANOMVAE_SCENES has no sandiego-utm")
def test_the_aircraft_of_an_airport_are_among_the_first_objects_of_its_report(tmp_path):
    from scipy.ndimage import label

    anomvae.detect_scene(AIRPORT / "scene.tif", tmp_path / "out")
    groups, count = label(bands_of(AIRPORT / "labels.tif")[0] > 0, np.ones((3, 3)))

    made = widgets_of(page_of(tmp_path / "out", tmp_path, labels=AIRPORT / "labels.tif"))

    table = made["s1-objects"]
    keys = [column["key"] for column in table["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in table["rows"][:8]]
    found = {groups[row["row"], row["col"]] for row in rows} - {0}
    assert count == 3
    assert len(found) == 3
    assert table["rows"][0][keys.index("lat")] == pytest.approx(32.706, abs=1e-2)
