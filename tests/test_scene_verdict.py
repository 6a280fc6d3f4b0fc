"""Verdict and sensitivity of a scored scene: in its summary, in the line, as a warning."""

import json
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from support.rasters import land, run, trained, write

from anomvae import score_scene
from anomvae.mapping import ScoreOptions, read_summary
from anomvae.stats.sensitivity import FILLS, Sensitivity
from anomvae.stats.thresholds import parse_rule

SEEDED = land((60, 60), seed=3)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.safetensors"
    trained().save(path)
    return path


def test_a_scene_like_the_training_scenes_is_in_the_domain(tmp_path, model):
    scene = write(tmp_path / "a.tif", SEEDED)

    ended = run("score", scene, "-m", model, "-o", tmp_path / "out", "--strict-domain")

    assert ended.code == 0
    assert "in domain" not in ended.out
    summary = json.loads((tmp_path / "out" / "a.json").read_text())
    assert summary["domain"] == {"in_domain": "yes", "doubts": []}


@pytest.mark.parametrize(("side", "kinds"), [(10, []), (14, []), (20, ["resolution"])])
def test_pixels_of_another_size_are_a_doubt(tmp_path, model, side, kinds):
    place = {"transform": Affine(side, 0, 5e5, 0, -side, 4e6)}
    scene = write(tmp_path / "a.tif", SEEDED, **place)

    ended = run("score", scene, "-m", model, "-o", tmp_path / "out")

    summary = json.loads((tmp_path / "out" / "a.json").read_text())
    assert [doubt["kind"] for doubt in summary["domain"]["doubts"]] == kinds
    assert ("its pixels are 20 m wide, those of the training scenes 10 m" in ended.err) == bool(
        kinds
    )


@pytest.mark.parametrize(
    ("change", "reason"), [(10.0, "times those in training"), (None, "0 to 1")]
)
def test_another_scaling_is_reported_and_refused_on_request(tmp_path, model, change, reason):
    scene = write(tmp_path / "a.tif", SEEDED * (change or 1e4))
    arguments = ("score", scene, "-m", model, "-o", tmp_path / "out", "--radiometry", "as-stored")

    ended = run(*arguments)

    assert ended.code == 0
    assert ended.out.rstrip().endswith("in domain: no")
    assert "a.tif: it is not like the training scenes" in ended.err
    assert reason in ended.err
    assert run(*arguments, "--strict-domain").code == 4  # results that are up to date, too
    assert (tmp_path / "out" / "a.anomaly.tif").exists()


def test_a_summary_is_read_as_it_was_written(tmp_path):
    scene, options = write(tmp_path / "a.tif", SEEDED + 5), ScoreOptions(sensitivity=True)

    result = score_scene(trained(), scene, tmp_path / "out", options)

    again = read_summary(result.files)
    assert result.verdict.reasons
    assert again.verdict == result.verdict
    assert again.sensitivity == result.sensitivity
    assert score_scene(trained(), scene, tmp_path / "out", options) == replace(
        again, newly_written=False
    )


def test_sensitivity_grows_with_the_fill_and_does_not_depend_on_tiles(tmp_path):
    scene = write(tmp_path / "a.tif", SEEDED)

    one, other = (
        score_scene(trained(), scene, tmp_path / name, ScoreOptions(sensitivity=True, tile=tile))
        for name, tile in (("one", None), ("other", 16))
    )

    found = one.sensitivity.found
    assert one.sensitivity == other.sensitivity
    assert one.sensitivity.fills == FILLS
    assert found[0] < 0.3 < 0.8 < found[-1]
    assert np.all(np.diff(found) > -0.1)


def test_a_higher_threshold_finds_less(tmp_path):
    scene, options = write(tmp_path / "a.tif", SEEDED), ScoreOptions(sensitivity=True)

    everything, some, nothing = (
        score_scene(
            trained().with_threshold(parse_rule(f"fixed:{value}")), scene, tmp_path / value, options
        ).sensitivity
        for value in ("0", "20", "1e9")
    )

    assert everything is None  # what is flagged already says nothing about an implant
    assert some.places == 100
    assert 0.3 < some.found[-1] < 1
    assert set(nothing.found) == {0.0}


def test_the_scene_is_not_changed_by_implants(tmp_path):
    scene = write(tmp_path / "a.tif", SEEDED)

    plain, measured = (
        score_scene(trained(), scene, tmp_path / str(flag), ScoreOptions(sensitivity=flag))
        for flag in (False, True)
    )

    assert plain.quantiles == measured.quantiles
    assert plain.flagged == measured.flagged


@pytest.mark.parametrize(
    ("found", "half"), [((0.0, 1.0), 0.5), ((0.5, 0.6), 0.25), ((0.0, 0.4), None), ((1, 1), 0.125)]
)
def test_the_fill_is_interpolated(found, half):
    assert Sensitivity((0.25, 0.75), found, 10).fill_for(0.5) == half


def test_a_dip_counts_as_not_found():
    assert Sensitivity((0.2, 0.4, 0.6), (0.9, 0.3, 0.9), 10).fill_for(0.5) == pytest.approx(
        0.4 + 0.2 / 3
    )


def test_an_empty_scene_has_no_sensitivity(tmp_path):
    scene = write(tmp_path / "a.tif", np.full_like(SEEDED, -1.0))

    result = score_scene(trained(), scene, tmp_path / "out", ScoreOptions(sensitivity=True))

    assert result.sensitivity is None
    assert result.verdict is None
