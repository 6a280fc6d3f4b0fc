"""Inputs that are overwritten while they are read: an error that names the file, and no result."""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from support.rasters import land, plant, trained, write, write_labels
from support.scorers import Neighbours, content
from support.watching import START, Clock, run_watch, scenes, watch

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import FileError
from anomvae.evaluation import evaluate_detector
from anomvae.fitting import Selection, refit_threshold
from anomvae.mapping import ScoreOptions, detect_scene, score_scene, score_scenes
from anomvae.pixels.covariates import Covariate
from anomvae.raster import Scene

QUICK = resolve_config("default", ["training.max_steps=5"]).config
SMALL = ScoreOptions(tile=16, overwrite=True)


def overwrite(path, *, times=None):
    """Replace the second half of a file in place; its size stays, and its times if given."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2)
        file.write(bytes(before.st_size - before.st_size // 2))
    os.utime(path, ns=times or (before.st_atime_ns, before.st_mtime_ns + 10**9))


@dataclass(frozen=True)
class Overwriting(Neighbours):
    """Overwrites a file once, while it scores."""

    waiting: list = field(default_factory=list)

    def score(self, block):
        while self.waiting:
            overwrite(self.waiting.pop())
        return super().score(block)


def refused(path, call, *arguments, **options):
    with pytest.raises(FileError) as error:
        call(*arguments, **options)
    assert error.value.exit_code == 3
    assert f"{path} changed while it was read" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_scene_overwritten_while_it_is_scored_gives_no_result(scene, tmp_path):
    out = tmp_path / "out"

    refused(scene, score_scene, Overwriting(waiting=[scene]), scene, out, SMALL)

    assert not out.exists()


def test_an_earlier_result_stays_where_the_scene_is_overwritten(scene, tmp_path):
    out = tmp_path / "out"
    score_scene(Neighbours(id="earlier"), scene, out)
    before = content(out)

    refused(scene, score_scene, Overwriting(waiting=[scene]), scene, out, SMALL)

    assert content(out) == before


def test_a_change_that_keeps_size_and_time_is_noticed(scene, tmp_path):
    @dataclass(frozen=True)
    class Secretly(Overwriting):
        """Restores the times."""

        def score(self, block):
            status = scene.stat()
            overwrite(scene, times=(status.st_atime_ns, status.st_mtime_ns))
            return Neighbours.score(self, block)

    refused(scene, score_scene, Secretly(), scene, tmp_path / "out", SMALL)


def test_a_mask_and_a_covariate_are_inputs_too(scene, tmp_path):
    mask = write(tmp_path / "mask.tif", np.ones((1, 40, 48), "uint8"), nodata=None)
    height = write(tmp_path / "height.tif", np.ones((1, 40, 48), "float32"))
    closed = Scene.of(scene, mask=mask, covariates=[height])

    for path in (mask, height):
        scorer = Overwriting(waiting=[path], covariates=(Covariate("continuous", "height.tif"),))
        refused(path, score_scene, scorer, closed, tmp_path / "out", SMALL)


def test_a_file_that_vanishes_gives_no_result(scene, tmp_path):
    @dataclass(frozen=True)
    class Removing(Neighbours):
        """Removes the scene, which stays open."""

        def score(self, block):
            scene.unlink(missing_ok=True)
            return super().score(block)

    with pytest.raises(FileError, match="vanished while it was read"):
        score_scene(Removing(), scene, tmp_path / "out", SMALL)

    assert not (tmp_path / "out").exists()


def test_in_a_batch_only_the_overwritten_scene_fails(scene, tmp_path):
    other = write(tmp_path / "other.tif", plant(land(seed=2)))

    first, second = score_scenes(
        Overwriting(waiting=[scene]), [scene, other], tmp_path / "out", SMALL
    )

    assert first.result is None
    assert "changed while it was read" in str(first.error)
    assert second.result.newly_written


def overwriting(path):
    """Return a progress that overwrites a file at the last step of a fit."""
    waiting = [path]

    def progress(step, done, total):
        if step == "train" and waiting:
            overwrite(waiting.pop())

    return progress


def test_nothing_is_learnt_from_a_scene_that_changes(scene, tmp_path):
    normal = write(tmp_path / "normal.tif", np.ones((1, 40, 48), "uint8"), nodata=None)
    select = Selection(normal=[normal], mask=normal)

    for path in (scene, normal):
        progress = overwriting(path)
        refused(path, anomvae.train, [scene], QUICK, select=select, progress=progress)
    refused(scene, anomvae.detect, scene, QUICK, progress=overwriting(scene))


def test_detect_gives_no_result_of_a_scene_that_changes(scene, tmp_path):
    out = tmp_path / "out"

    refused(scene, detect_scene, scene, out, QUICK, progress=overwriting(scene))

    assert not out.exists()


def test_no_threshold_is_chosen_from_a_scene_that_changes(scene):
    detector, steps = anomvae.train([scene], QUICK), []

    def progress(step, done, total):
        if not steps:
            overwrite(scene)
        steps.append(step)

    refused(scene, refit_threshold, detector, [scene], "sigma:3", progress=progress)
    assert steps


def test_the_watch_fails_an_overwritten_scene_and_scores_it_again(tmp_path):
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "in" / "a.tif", plant(land()))
    old = int((START - timedelta(hours=1)).timestamp() * 1e9)
    os.utime(path, ns=(old, old))
    scorer, clock, config = Overwriting(waiting=[path]), Clock(), watch(tmp_path)

    def scoring(site):
        return lambda found, folder: score_scene(scorer, Path(found.read[0]), folder, SMALL)

    first = run_watch(config, clock, scoring)
    failed = scenes(tmp_path)
    for _ in range(2):  # the first pass finds the new state, which then is stable
        clock.forward(days=1)
        second = run_watch(config, clock, scoring)

    assert first.code == 5
    assert "changed while it was read" in first.messages[0]
    assert failed == [("a.tif", "failed")]
    assert (second.code, second.done) == (0, 1)
    assert sorted(scenes(tmp_path)) == [("a.tif", "done"), ("a.tif", "replaced")]


def test_labels_overwritten_while_a_map_or_a_model_is_evaluated_give_no_metrics(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    for evaluated in (
        lambda labels, progress: anomvae.evaluate(result, labels, progress=progress),
        lambda labels, progress: evaluate_detector(trained(), scene, labels, progress=progress),
    ):
        labels = write_labels(tmp_path / "labels.tif")
        waiting = [labels]

        def progress(*_, waiting=waiting):
            while waiting:
                overwrite(waiting.pop())

        refused(labels, evaluated, labels, progress)
