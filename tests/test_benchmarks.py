"""benchmarks/accuracy.py and families.py on simulated scenes: rows, tables, continuation, refusals.

``measured`` runs once for all tests; a test that continues its file does so in a copy.
"""

import json
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import click
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.windows import Window
from support.rasters import NODATA, bands_of, land, plant, trained, write, write_labels

from anomvae.config import resolve_config
from anomvae.evaluation import evaluate_detector
from anomvae.mapping import detect_scene
from benchmarks import accuracy, families, record
from benchmarks.contestants import configuration, contestants
from benchmarks.ledger import Key, Ledger, Row
from benchmarks.peers import fit_pyod
from benchmarks.published import PUBLISHED
from benchmarks.scenes import averaged, contents, cut, labelled
from benchmarks.tables import beside_published, markdown

QUICK = "[training]\nmax_steps = 40\n"
CHEAP = ("--baselines", "rx,rrx")


def run(*arguments, main=accuracy.main):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def options(folder):
    return "--scenes", folder / "scenes", "--config", folder / "quick.toml", "--seeds", 2, *CHEAP


def rows_of(path):
    return json.loads(path.read_text())["rows"]


def write_scene(folder, col, seed):
    """Write a labelled scene of 48 columns whose anomaly begins at a column."""
    folder.mkdir(parents=True)
    write(folder / "scene.tif", plant(land(seed=seed), col=col))
    write_labels(folder / "labels.tif", col=col)


def row(scene="a", detector="rx", seed=0, **metrics):
    key = Key(scene, detector, seed, "whole", "commit 1", "0")
    values = {"roc_auc": 0.9, "average_precision": 0.5, "tpr_at_fpr_1e3": 0.1} | metrics
    rest = {"tpr_at_fpr_1e2": 0.3, "flagged": 0.01, "seconds": 1.0, "machine": "this"}
    return Row(**vars(key), pixels=100, anomalous=4, **rest, **values)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Write two labelled scenes and a configuration."""
    folder = tmp_path_factory.mktemp("benchmark")
    write_scene(folder / "scenes" / "abu-airport-1", col=36, seed=1)
    write_scene(folder / "scenes" / "left", col=12, seed=2)
    (folder / "quick.toml").write_text(QUICK)
    return folder


@pytest.fixture(scope="module")
def measured(source):
    """Return the file and the printed text of one run."""
    out = source / "out.json"
    done = run(*options(source), "--out", out, "--leave-out", "left")
    assert done.exit_code == 0, done.output
    return out, done.stdout


@pytest.fixture
def copied(measured, tmp_path):
    return shutil.copy(measured[0], tmp_path / "out.json")


def test_the_file_has_a_row_for_every_fit(measured):
    rows = rows_of(measured[0])

    keys = sorted((row["scene"], row["detector"], row["seed"]) for row in rows)
    fits = [("quick", 0), ("quick", 1), ("rrx", 0), ("rx", 0)]  # baselines are deterministic
    assert keys == [(scene, *fit) for scene in ("abu-airport-1", "left") for fit in fits]
    assert {(row["pixels"], row["anomalous"]) for row in rows} == {(39 * 48, 4)}
    assert all(row["roc_auc"] > 0.9 and row["seconds"] > 0 for row in rows)


def test_the_tables_have_means_standard_deviations_and_published_figures(measured):
    text = measured[1]

    assert text.count("| scene | quick | rx | rrx |") == 4
    assert text.count("| **mean of 2** |") == 4
    assert text.count("| **mean of 1**, without left |") == 4
    assert " ± " in text.split("mean of 2")[1].split("|")[1]
    assert "| abu-airport-1 | " in text.split("Beside published")[1]
    assert "SM-HAD 0.9793" in text
    assert record.commit() in text


def test_scenes_are_averaged_to_a_number_of_bands(source, tmp_path):
    folders = labelled(source / "scenes")
    results = tmp_path / "results.md"

    with averaged(folders, 2) as copies:
        values = bands_of(copies[0] / "scene.tif")
        digests = {contents(folder) for folder in (*folders, *copies)}
    with averaged(folders, 6) as same:
        assert same == folders
    words = "--scenes", source / "scenes", "--config", source / "quick.toml", "--bands", 2
    done = run(*words, "--baselines", "none", "--record", results)

    original = bands_of(folders[0] / "scene.tif")
    original[original == NODATA] = np.nan
    expected = [original[:3].mean(axis=0), original[3:].mean(axis=0)]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert len(digests) == 4
    assert not copies[0].exists()
    assert "averaged to 2 bands" in done.stdout
    assert "Beside published" not in done.stdout
    assert "--bands 2 --record" in results.read_text()
    assert "<!-- accuracy-2-bands -->" in results.read_text()


def remove_rx(folder):
    rows = [row for row in rows_of(folder / "out.json") if row["detector"] != "rx"]
    (folder / "out.json").write_text(json.dumps({"rows": rows}))


def change_config(folder):
    (folder / "quick.toml").write_text(QUICK.replace("40", "41"))


def change_labels(folder):
    write_labels(folder / "scenes" / "left" / "labels.tif", row=11)


@pytest.mark.parametrize(
    ("change", "repeated", "count"),
    [(remove_rx, " rx seed", 2), (change_config, "quick seed", 4), (change_labels, "left ", 4)],
)
def test_only_missing_and_changed_rows_are_measured(source, copied, change, repeated, count):
    folder = copied.parent
    shutil.copytree(source / "scenes", folder / "scenes")
    shutil.copy(source / "quick.toml", folder)
    change(folder)

    done = run(*options(folder), "--out", copied)

    assert done.stderr.count("AUC") == done.stderr.count(repeated) == count


def test_another_commit_is_measured_again(copied, source):
    before = rows_of(copied)
    detectors = contestants([str(source / "quick.toml")], ["rx"], code="another")
    scenes = labelled(source / "scenes")

    rows, _ = accuracy.measure_all(scenes, "whole", detectors, 1, Ledger(copied))

    assert len(rows) == 4
    assert all("commit another" in row.version for row in rows)
    assert len(rows_of(copied)) == len(before) + 4


def test_a_baseline_has_the_metrics_of_evaluate(measured, source):
    folder = source / "scenes" / "left"
    files = folder / "scene.tif", folder / "labels.tif"

    rows = evaluate_detector(trained(), *files, baselines=["rx", "rrx"]).rows

    stored = {row["detector"]: row for row in rows_of(measured[0]) if row["scene"] == "left"}
    for name in ("rx", "rrx"):
        metrics = rows[name]
        flagged = (metrics.true_positive + metrics.false_positive) / metrics.pixels
        assert stored[name]["roc_auc"] == pytest.approx(metrics.roc_auc, abs=1e-4)
        assert stored[name]["flagged"] == pytest.approx(flagged, abs=2 / metrics.pixels)


def test_the_share_flagged_is_that_of_the_files_of_a_scene(source, tmp_path):
    scene = source / "scenes" / "left"
    settings = ["training.max_steps=40", 'threshold="mad:3+local:1"']
    one = configuration("default", settings, code="another")

    (row,) = accuracy.measure_scene(scene, "whole", [one], 1, Ledger(None))

    config = resolve_config("default", settings).config
    result = detect_scene(scene / "scene.tif", tmp_path, config)
    above = bands_of(result.path)[0] > np.float32(result.threshold.value)
    assert 0 < result.flagged < above.sum()
    assert row.flagged == result.flagged / result.valid


def test_split_fits_the_left_half_and_measures_the_right_half(copied, source):
    done = run(*options(source), "--split", "--out", copied)

    assert done.exit_code == 0, done.output
    rows = [row for row in rows_of(copied) if row["mode"] == "split"]
    sizes = {(row["scene"], row["pixels"], row["anomalous"]) for row in rows}
    assert sizes == {("abu-airport-1", 39 * 24, 4)}
    assert {row["detector"] for row in rows} == {"rx", "rrx", "quick"}
    assert all(row["roc_auc"] > 0.9 for row in rows)
    assert "Left out: left (no anomaly in the right half)." in done.stdout
    assert "published" not in done.stdout


def test_a_cut_keeps_the_georeference_and_the_metadata(tmp_path):
    names = tuple("abcdef")
    path = write(tmp_path / "whole.tif", land(), names, scales=(0.5,) * 6)
    with rasterio.open(path, "r+") as whole:
        whole.update_tags(2, wavelength="560")

    cut(path, tmp_path / "right.tif", Window(30, 0, 18, 40))

    np.testing.assert_array_equal(bands_of(tmp_path / "right.tif"), bands_of(path)[:, :, 30:])
    with rasterio.open(path) as whole, rasterio.open(tmp_path / "right.tif") as right:
        assert right.crs == whole.crs
        assert right.xy(0, 0) == whole.xy(0, 30)
        assert (right.nodata, right.scales) == (NODATA, (0.5,) * 6)
        assert right.descriptions == names
        assert right.tags(2)["wavelength"] == "560"


def test_a_second_run_measures_nothing_and_its_section_replaces_the_first(
    measured, copied, source, tmp_path
):
    results = tmp_path / "results.md"
    words = *options(source), "--out", copied, "--leave-out", "left"

    plain, *_ = [run(*words, *record) for record in ((), ("--record", results)) * 2]

    assert (plain.exit_code, plain.stdout, plain.stderr) == (0, measured[1], "")
    assert copied.read_bytes() == measured[0].read_bytes()
    text = results.read_text()
    assert text.count("<!-- accuracy -->") == text.count("### AUC") == 1
    command = "--config quick.toml --seeds 2 --baselines rx,rrx --leave-out left --record`"
    assert f"--scenes DIR {command}" in text
    assert str(source) not in text


@pytest.mark.parametrize(
    ("words", "path"), [([], None), (["--record"], record.RESULTS), (["--record", "a.md"], "a.md")]
)
def test_tables_are_recorded_in_results_or_in_another_file(words, path):
    command = click.command()(record.record_option(lambda record: click.echo(record)))

    assert CliRunner().invoke(command, words).stdout == f"{path or ''}\n"


def test_an_undefined_metric_is_null_in_the_file_and_named_in_the_table(tmp_path):
    out = tmp_path / "out.json"
    Ledger(out).add(row(roc_auc=float("nan")))

    assert rows_of(out)[0]["roc_auc"] is None
    stored = Ledger(out)[row().key]
    assert np.isnan(stored.roc_auc)
    assert "| a | not defined |" in markdown([stored])


def test_concurrent_runs_keep_the_rows_of_each_other(tmp_path):
    first, second = (Ledger(tmp_path / "out.json") for _ in range(2))

    first.add(row("a"))
    second.add(row("b"))

    assert {row["scene"] for row in rows_of(tmp_path / "out.json")} == {"a", "b"}


def test_the_standard_deviation_is_that_of_the_mean_over_scenes():
    aucs = {("a", 0): 0.8, ("a", 1): 0.9, ("b", 0): 0.9, ("b", 1): 0.8}

    text = markdown([row(scene, "ours", seed, roc_auc=auc) for (scene, seed), auc in aucs.items()])

    assert "| **mean of 2** | 0.8500 ± 0.0000 |" in text


def test_behind_is_the_best_published_figure_less_our_best():
    rows = [row("sandiego-1", name, roc_auc=auc) for name, auc in [("x", 0.97), ("y", 0.98)]]

    text = beside_published([*rows, row("sandiego-1", roc_auc=0.8885)], ["x", "y"])

    assert "| 0.8885 | 0.8884 | PCA-TLRSR 0.9957 " in text
    assert text.split("### ")[1].splitlines()[4].endswith("| 0.9700 | 0.9800 | +0.0157 |")


def test_every_published_figure_has_a_source_and_the_best_is_first():
    for published in PUBLISHED.values():
        for figures in (published.classical, published.deep):
            assert all(figure.source and 0 < figure.value < 1 for figure in figures)
            assert list(figures) == sorted(figures, key=lambda figure: -figure.value)


def test_missing_pyod_is_reported_in_one_line(source, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyod", None)

    done = run("--scenes", source / "scenes", "--baselines", "rx,pyod-vae")

    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "pip install pyod" in done.stderr


def test_a_peer_gets_only_a_seed_and_prints_nothing(monkeypatch, capsys):
    class Loud:
        threshold_ = 7.0

        def __init__(self, random_state):
            self.seed = random_state

        def fit(self, x):
            sys.stderr.write("epoch")

        def decision_function(self, x):
            sys.stdout.write("scoring")
            return np.full(len(x), self.seed)

    monkeypatch.setitem(sys.modules, "pyod.models.vae", SimpleNamespace(VAE=Loud))

    fitted = fit_pyod("pyod-vae", np.zeros((5, 2), "float32"), 3)

    assert fitted.score(np.zeros((4, 2), "float32")).tolist() == [3, 3, 3, 3]
    assert fitted.threshold() == 7
    assert capsys.readouterr() == ("", "")


def test_seconds_of_another_machine_are_reported(copied, source):
    Ledger(copied).add(replace(Row(**rows_of(copied)[0]), machine="another machine"))

    done = run(*options(source), "--out", copied)

    assert "Seconds were partly taken elsewhere: another machine." in done.stdout


@pytest.mark.parametrize(
    ("main", "words", "expected"),
    [
        (accuracy.main, ("--baselines", "rxx"), "Did you mean 'rx'"),
        (accuracy.main, ("--config", "defalt"), "Did you mean 'default'"),
        (accuracy.main, ("--config", "default") * 2, "two of these have one name"),
        (accuracy.main, ("--seeds", "0"), "0 is not in the range"),
        (accuracy.main, ("--leave-out", "lift"), "no labelled scene lift"),
        (families.main, ("--family", "vea"), "vae"),
    ],
)
def test_a_wrong_option_is_refused_before_any_fit(source, main, words, expected):
    done = run("--scenes", source / "scenes", *words, main=main)

    assert done.exit_code in {1, 2}
    assert expected in done.stderr
    assert "AUC" not in done.stderr


def test_a_folder_without_labelled_scenes_and_another_json_file_are_refused(source, tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')

    assert "holds no <name>/scene.tif" in run("--scenes", tmp_path).stderr
    done = run("--scenes", source / "scenes", "--out", other)

    assert "Name another file with --out" in done.stderr
    assert other.read_text() == '{"a": 1}'


def test_some_families_are_measured_with_rx_and_do_not_replace_the_table_of_all(source, tmp_path):
    results = tmp_path / "results.md"
    record.publish(record.Section("families", "Families", "python", "all of them"), results)
    words = ["--scenes", source / "scenes", "--config", source / "quick.toml"]
    words += ["--family", "ae", "--family", "vae"]

    done = run(*words, "--record", results, main=families.main)

    assert done.exit_code == 0, done.output
    assert "| scene | ae | vae | rx |" in done.output
    assert "**worst**" in done.output
    text = results.read_text()
    assert "all of them" in text
    assert "<!-- families: ae, vae -->" in text
    assert "--config quick.toml --family ae --family vae --seeds 1 --record" in text
