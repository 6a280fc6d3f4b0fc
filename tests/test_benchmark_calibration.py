"""benchmarks/calibration.py on simulated scenes: every rule, each way, in one table."""

import numpy as np
import pytest
from click.testing import CliRunner
from support.rasters import land, plant, trained, write, write_labels

from anomvae.mapping import score_scene
from anomvae.stats.rules import RULES
from anomvae.stats.thresholds import parse_rule
from benchmarks import calibration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a labelled scene, and a configuration that is quick to train."""
    folder = tmp_path_factory.mktemp("calibration")
    scene = folder / "scenes" / "a"
    scene.mkdir(parents=True)
    write(scene / "scene.tif", plant(land((64, 64), seed=1)))
    write_labels(scene / "labels.tif", (64, 64))
    (folder / "quick.toml").write_text("[training]\nmax_steps = 40\n")
    return folder


def run(*words):
    return CliRunner().invoke(calibration.main, [str(word) for word in words])


@pytest.mark.slow
def test_every_rule_has_a_row_in_the_table_of_each_way(folder, tmp_path):
    results, words = tmp_path / "results.md", ("--scenes", folder / "scenes")
    config = ("--config", folder / "quick.toml")

    done = run(*words, *config, "--record", results)

    assert done.exit_code == 0, done.output
    tables = done.stdout.split("###")[1:]
    assert [table.split(":")[1].split()[0] for table in tables] == [
        "`train`,",
        "`detect`",
        "`train`",
    ]
    defaults = RULES.keys() - {"fixed", "budget", "f1", "fpr"}
    for table in tables:
        for row in [*defaults, "as shipped", "gaussian:2.33", "budget", "log-sigma:3+local:2"]:
            assert f"| {row}" in table
    command = "calibration.py --scenes DIR --config quick.toml --seeds 1 --record`"
    assert command in results.read_text()
    assert str(folder) not in results.read_text()


def test_a_rule_is_measured_on_the_pixels_that_count():
    scores, truth = np.arange(1000, dtype=np.float32).reshape(20, 50), np.zeros((20, 50))
    truth[:10], truth[19, -5:] = np.nan, 1  # half is not measured, the highest five are anomalous

    effect = calibration.effect_of(calibration.Measured(trained(), scores, truth), "fixed:989.5")

    assert effect.flagged == pytest.approx(5 / 495)
    assert (effect.recall, effect.area) == (1, 10 / 500)
    assert (effect.f1, effect.best_f1) == (pytest.approx(2 / 3), 1)
    assert np.isnan(effect.promised)


def test_a_rule_flags_what_the_files_of_a_scene_flag(tmp_path):
    path = write(tmp_path / "scene.tif", plant(land((64, 64), seed=1)))
    labels = write_labels(tmp_path / "labels.tif", (64, 64))
    scores = calibration.score(trained(), path)
    truth = calibration.labels_of(path, labels)
    shipped = parse_rule("quantile:0.3+local:1")
    detector = trained().with_threshold(shipped)

    measured = calibration.Measured(detector, scores, truth)
    (effect,) = (
        one.effect
        for one in calibration.outcomes(measured, calibration.Subject("detect", "c", "s", 0))
        if one.rule == "as shipped"
    )

    result = score_scene(detector, path, tmp_path / "out")
    assert 0 < result.flagged < (scores > np.float32(result.threshold.value)).sum()
    assert effect.area == result.flagged / result.valid


def test_a_model_is_trained_on_half_of_the_blocks_and_measured_on_the_others(folder):
    config = calibration.resolve_config(str(folder / "quick.toml")).config

    ((_, measured),) = calibration.on_normal(folder / "scenes" / "a", config, seed=0)

    known = np.isfinite(measured.truth)
    assert known.mean() == 0.5
    learnt = measured.detector.scores.all.count
    labels = calibration.labels_of(
        folder / "scenes" / "a" / "scene.tif", folder / "scenes" / "a" / "labels.tif"
    )
    assert learnt == (~known & (labels == 0) & np.isfinite(measured.scores)).sum()
    assert measured.detector.scores.held_out.count == learnt
    assert measured.detector.threshold.rule == "gaussian:3"
    above = measured.scores[~known & (labels == 0)] > measured.detector.threshold.value
    assert above.mean() == pytest.approx(measured.detector.threshold.fpr, abs=1e-3)


def test_a_folder_without_labelled_scenes_is_refused(tmp_path):
    assert "holds no <name>/scene.tif" in run("--scenes", tmp_path).stderr
