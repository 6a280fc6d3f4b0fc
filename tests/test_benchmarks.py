"""benchmarks/accuracy.py on made-up scenes: what it writes, when it measures anew, what it refuses.

``measured`` runs once for all tests; a test that goes on from its file does so in a copy.
"""

import json
import shutil
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.windows import Window
from support.rasters import NODATA, bands_of, land, plant, trained, write, write_labels

from anomvae.evaluation import evaluate_detector
from benchmarks import contestants, families, record
from benchmarks.accuracy import main
from benchmarks.ledger import Key, Ledger, Row
from benchmarks.peers import fit_pyod
from benchmarks.published import PUBLISHED
from benchmarks.scenes import cut
from benchmarks.tables import beside_published, markdown

QUICK = "[training]\nmax_steps = 40\n"
CHEAP = ("--baselines", "rx,rrx")
NAMES = {"rx", "rrx", "quick"}


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def batch_rows(path):
    return json.loads(path.read_text())["rows"]


def labelled(folder, col, seed):
    """Draw a scene whose anomaly begins at a column; the scenes are 48 columns wide."""
    folder.mkdir(parents=True)
    write(folder / "scene.tif", plant(land(seed=seed), col=col))
    write_labels(folder / "labels.tif", col=col)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    labelled(folder / "scenes" / "abu-airport-1", col=36, seed=1)
    labelled(folder / "scenes" / "left", col=12, seed=2)
    (folder / "quick.toml").write_text(QUICK)
    return folder


@pytest.fixture(scope="module")
def measured(place):
    """Run it once, and give its file and what it printed."""
    out = place / "out.json"
    done = run(*asked(place), "--out", out, *CHEAP, "--leave-out", "left")
    assert done.exit_code == 0, done.output
    return out, done.stdout


@pytest.fixture
def copied(measured, tmp_path):
    return shutil.copy(measured[0], tmp_path / "out.json")


def asked(place, config="quick.toml"):
    return "--scenes", place / "scenes", "--config", place / config, "--seeds", 2


def row(scene="a", detector="rx", seed=0, **figures):
    key = Key(scene, detector, seed, "whole", "commit 1", "0")
    given = {"roc_auc": 0.9, "average_precision": 0.5, "tpr_at_fpr_1e3": 0.1} | figures
    rest = {"tpr_at_fpr_1e2": 0.3, "flagged": 0.01, "seconds": 1.0, "machine": "this"}
    return Row(**vars(key), pixels=100, anomalous=4, **(rest | given))


def test_the_file_holds_every_fit(measured):
    rows = batch_rows(measured[0])

    found = {(row["scene"], row["detector"], row["seed"]) for row in rows}
    seeds = {"quick": (0, 1), "rx": (0,), "rrx": (0,)}  # plain detectors know no chance
    scenes = ("abu-airport-1", "left")
    assert found == {(s, name, seed) for s in scenes for name in seeds for seed in seeds[name]}
    assert len(rows) == len(found)
    assert {(row["pixels"], row["anomalous"]) for row in rows} == {(39 * 48, 4)}
    assert all(row["roc_auc"] > 0.9 and row["seconds"] > 0 for row in rows)


def test_the_table_has_scenes_means_spread_and_published_figures(measured):
    told = measured[1]

    assert told.count("| scene | quick | rx | rrx |") == 4
    assert told.count("| **mean of 2** |") == 4
    assert told.count("| **mean of 1**, without left |") == 4
    assert " ± " in told.split("mean of 2")[1].split("|")[1]
    assert "| abu-airport-1 | " in told.split("Beside published")[1]
    assert "SM-HAD 0.9793" in told
    assert record.commit() in told


def test_a_second_run_measures_nothing_again(measured, copied, place):
    before = copied.read_bytes()

    done = run(*asked(place), "--out", copied, *CHEAP, "--leave-out", "left")

    assert done.exit_code == 0
    assert done.stderr == ""
    assert done.stdout == measured[1]
    assert copied.read_bytes() == before


def test_a_run_that_was_cut_off_goes_on_where_it_was(copied, place):
    rows = batch_rows(copied)
    copied.write_text(json.dumps({"rows": [row for row in rows if row["detector"] != "rx"]}))

    done = run(*asked(place), "--out", copied, *CHEAP)

    assert done.stderr.count("AUC") == done.stderr.count(" rx seed 0: AUC") == 2
    assert len(batch_rows(copied)) == len(rows)


def test_a_changed_configuration_is_measured_anew_and_nothing_else(copied, place, tmp_path):
    (tmp_path / "quick.toml").write_text(QUICK.replace("40", "41"))

    done = run(*asked(place, tmp_path / "quick.toml"), "--out", copied, *CHEAP)

    assert done.stderr.count("AUC") == done.stderr.count(" quick seed") == 4


def test_another_commit_is_measured_anew(copied, place, monkeypatch):
    monkeypatch.setattr(contestants, "commit", lambda: "another")

    done = run("--scenes", place / "scenes", "--config", place / "quick.toml", "--out", copied)

    assert done.stderr.count("AUC") == 2 * 5


def test_two_files_of_one_name_are_refused(place):
    done = run(*asked(place), "--config", place / "quick.toml")

    assert "two of these have one name" in done.stderr


def test_changed_labels_are_measured_anew(copied, place, tmp_path):
    scenes = shutil.copytree(place / "scenes", tmp_path / "scenes")
    write_labels(scenes / "left" / "labels.tif", row=11)

    done = run("--scenes", scenes, "--config", place / "quick.toml", "--out", copied, *CHEAP)

    assert done.stderr.count("AUC") == done.stderr.count("left ") == 3


def test_a_baseline_has_the_figures_that_evaluate_gives_it(measured, place):
    folder = place / "scenes" / "left"

    rows = evaluate_detector(
        trained(), folder / "scene.tif", folder / "labels.tif", baselines=["rx", "rrx"]
    ).rows

    found = {r["detector"]: r for r in batch_rows(measured[0]) if r["scene"] == "left"}
    for name in ("rx", "rrx"):
        metrics = rows[name]
        assert found[name]["roc_auc"] == pytest.approx(metrics.roc_auc, abs=1e-4)
        flagged = (metrics.true_positive + metrics.false_positive) / metrics.pixels
        assert found[name]["flagged"] == pytest.approx(flagged, abs=2 / metrics.pixels)


def test_split_learns_the_left_half_and_measures_the_right_one(copied, place):
    done = run(*asked(place), "--split", "--out", copied, *CHEAP)

    assert done.exit_code == 0, done.output
    rows = [row for row in batch_rows(copied) if row["mode"] == "split"]
    assert {(row["scene"], row["pixels"], row["anomalous"]) for row in rows} == {
        ("abu-airport-1", 39 * 24, 4)
    }
    assert {row["detector"] for row in rows} == NAMES
    assert all(row["roc_auc"] > 0.9 for row in rows)
    assert "Left out: left (no anomaly in the right half)." in done.stdout
    assert "published" not in done.stdout


def test_a_cut_keeps_what_a_file_says(tmp_path):
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


def test_a_recorded_table_says_how_it_was_made_and_replaces_the_last_one(
    copied, place, tmp_path, monkeypatch
):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results.md")

    for _ in range(2):
        run(*asked(place), "--out", copied, *CHEAP, "--leave-out", "left", "--record")

    told = (tmp_path / "results.md").read_text()
    assert told.count("<!-- accuracy -->") == told.count("### AUC") == 1
    assert "--scenes DIR --config quick.toml --seeds 2 --baselines rx,rrx --leave-out left" in told
    assert str(place) not in told


def test_a_figure_that_is_not_defined_is_null_in_the_file_and_said_in_the_table(tmp_path):
    ledger = Ledger(tmp_path / "out.json")

    ledger.add(row(roc_auc=float("nan")))

    assert batch_rows(tmp_path / "out.json")[0]["roc_auc"] is None
    found = Ledger(tmp_path / "out.json")[row().key]
    assert np.isnan(found.roc_auc)
    assert "| a | not defined |" in markdown([found])


def test_runs_that_share_a_file_keep_each_other_s_rows(tmp_path):
    first, second = (Ledger(tmp_path / "out.json") for _ in range(2))

    first.add(row("a"))
    second.add(row("b"))

    assert {found["scene"] for found in batch_rows(tmp_path / "out.json")} == {"a", "b"}


def test_the_spread_is_that_of_the_mean_over_scenes():
    aucs = {("a", 0): 0.8, ("a", 1): 0.9, ("b", 0): 0.9, ("b", 1): 0.8}

    told = markdown([row(scene, "ours", seed, roc_auc=auc) for (scene, seed), auc in aucs.items()])

    assert "| **mean of 2** | 0.8500 ± 0.0000 |" in told


def test_behind_is_the_best_published_figure_less_our_best():
    rows = [row("sandiego-1", name, roc_auc=auc) for name, auc in [("x", 0.97), ("y", 0.98)]]

    told = beside_published([*rows, row("sandiego-1", roc_auc=0.8885)], ["x", "y"])

    assert "| 0.8885 | 0.8884 | PCA-TLRSR 0.9957 " in told
    assert told.split("### ")[1].splitlines()[4].endswith("| 0.9700 | 0.9800 | +0.0157 |")


def test_every_published_figure_has_a_source_and_the_best_comes_first():
    for known in PUBLISHED.values():
        for figures in (known.classical, known.deep):
            assert all(figure.source and 0 < figure.value < 1 for figure in figures)
            assert list(figures) == sorted(figures, key=lambda figure: -figure.value)


def test_pyod_is_asked_for_in_one_line_where_it_is_missing(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyod", None)

    done = run("--scenes", place / "scenes", "--baselines", "rx,pyod-vae")

    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "pip install pyod" in done.stderr


def test_a_peer_gets_a_seed_and_nothing_else_and_prints_nothing(monkeypatch, capsys):
    class Loud:
        threshold_ = 7.0

        def __init__(self, random_state):
            self.seed = random_state

        def fit(self, x):
            sys.stderr.write("epoch")

        def decision_function(self, x):
            sys.stdout.write("scoring")
            return np.full(len(x), self.seed)

    for name in ("pyod", "pyod.models", "pyod.models.vae"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["pyod.models.vae"].VAE = Loud

    fitted = fit_pyod("pyod-vae", np.zeros((5, 2), "float32"), 3)

    assert fitted.score(np.zeros((4, 2), "float32")).tolist() == [3, 3, 3, 3]
    assert fitted.threshold() == 7
    assert capsys.readouterr() == ("", "")


def test_a_machine_that_took_part_of_the_seconds_is_named(copied, place):
    ledger = Ledger(copied)
    found = Row(**batch_rows(copied)[0])
    ledger.add(replace(found, machine="another machine"))

    done = run(*asked(place), "--out", copied, *CHEAP)

    assert "Seconds were partly taken elsewhere: another machine." in done.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--baselines", "rxx"), "Did you mean 'rx'"),
        (("--config", "defalt"), "Did you mean 'default'"),
        (("--seeds", "0"), "0 is not in the range"),
        (("--leave-out", "lift"), "no labelled scene lift"),
    ],
)
def test_a_wrong_name_is_answered_before_any_work(place, options, expected):
    done = run("--scenes", place / "scenes", *options)

    assert done.exit_code in {1, 2}
    assert expected in done.stderr
    assert "AUC" not in done.stderr


def test_a_folder_without_labelled_scenes_is_refused(tmp_path):
    assert "holds no <name>/scene.tif" in run("--scenes", tmp_path).stderr


def test_a_file_of_something_else_is_left_alone(place, tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')

    done = run("--scenes", place / "scenes", "--out", tmp_path / "other.json")

    assert "Name another file with --out" in done.stderr
    assert (tmp_path / "other.json").read_text() == '{"a": 1}'


def test_families_are_measured_beside_rx_with_mean_and_worst(place):
    where = ["--scenes", str(place / "scenes"), "--config", str(place / "quick.toml")]

    done = CliRunner().invoke(families.main, [*where, "--family", "ae", "--family", "vae"])

    assert done.exit_code == 0, done.output
    assert "| scene | ae | vae | rx |" in done.output
    assert "**worst**" in done.output


def test_some_families_do_not_replace_the_table_of_all(place, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results.md")
    record.keep("families", "all of them")
    where = ["--scenes", str(place / "scenes"), "--config", str(place / "quick.toml")]

    done = CliRunner().invoke(families.main, [*where, "--family", "ae", "--record"])

    told = (tmp_path / "results.md").read_text()
    assert done.exit_code == 0, done.output
    assert "all of them" in told
    assert "<!-- families: ae -->" in told
    assert "--config quick.toml --family ae --seeds 1 --record" in told


def test_an_unknown_family_is_refused_before_the_work(place):
    done = CliRunner().invoke(families.main, ["--scenes", str(place / "scenes"), "--family", "vea"])

    assert done.exit_code == 1
    assert "vae" in done.output
