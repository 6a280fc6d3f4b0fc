"""The same files from other processes and from a Dask cluster, even if workers die."""

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.rasters import land, plant, run, trained, write
from support.scorers import SIX, Neighbours, same_files

from anomvae.errors import RasterError
from anomvae.mapping import (
    Deliverables,
    QuickLookSpec,
    ScoreOptions,
    read_summary,
    score_scene,
    score_scenes,
    score_tiles,
)
from anomvae.parallel.cluster import Cluster
from anomvae.pixels.covariates import Covariate
from anomvae.raster import Scene

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

TILES = ScoreOptions(tile=20)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(2, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield Cluster(client)


@pytest.fixture
def mapper(request):
    return request.getfixturevalue(request.param)


def by(first, other):
    """Parametrise a test by a kind of workers, and by another one where time does not matter."""
    other = pytest.param(other, marks=pytest.mark.slow)
    return pytest.mark.parametrize("mapper", [first, other], indirect=True)


@dataclass(frozen=True)
class Deadly(Neighbours):
    """Kills its process, once, where a file exists."""

    trap: str = ""

    def score(self, block):
        if os.path.exists(self.trap):
            os.unlink(self.trap)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(block)


def test_processes_make_the_same_files_to_the_bit(scene, tmp_path, two):
    detector = trained("small-objects")

    here = score_scene(detector, scene, tmp_path / "here", TILES)
    there = score_scene(detector, scene, tmp_path / "there", TILES, mapper=two)

    assert same_files(here, there)


@by("two", "cluster")
def test_workers_make_the_same_files_though_one_is_killed(scene, tmp_path, mapper):
    trap = tmp_path / "trap"
    here = score_scene(Deadly(), scene, tmp_path / "here", TILES)
    trap.touch()

    there = score_scene(Deadly(trap=str(trap)), scene, tmp_path / "there", TILES, mapper=mapper)

    assert not trap.exists()  # a worker was killed
    assert same_files(here, there)


def test_workers_open_the_same_bands_and_mask(scene, tmp_path, two):
    mask = write(tmp_path / "mask.tif", np.eye(40, 48, dtype="uint8")[None], nodata=None)
    named = Scene.of(scene, bands="2,5", mask=mask)
    write(scene, land(seed=1))

    with named.open() as opened:
        detector = Neighbours(bands=opened.bands)

    here = score_scene(detector, named, tmp_path / "here", TILES)
    there = score_scene(detector, named, tmp_path / "there", TILES, mapper=two)

    assert here.valid == 40
    assert same_files(here, there)


@by("cluster", "two")
def test_workers_share_whole_scenes_where_there_are_enough(tmp_path, mapper, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a.tif", "b.tif", "missing.tif", "c.tif"]
    for seed, name in enumerate(names):
        if name != "missing.tif":
            write(tmp_path / name, plant(land(seed=seed)))
    calls = []

    def report(*call):
        calls.append(call)

    there = list(score_scenes(Neighbours(), names, "there", progress=report, mapper=mapper))
    here = list(score_scenes(Neighbours(), names, "here"))

    assert [outcome.scene for outcome in there] == names
    assert calls == [("scenes", count, 4) for count in (1, 2, 3, 4)]
    assert isinstance(there.pop(2).error, RasterError)
    assert isinstance(here.pop(2).error, RasterError)
    for ours, theirs in zip(here, there, strict=True):
        assert theirs.result.scene == ours.result.scene
        assert theirs.result.path == Path("there") / ours.result.path.name
        assert same_files(ours.result, theirs.result)


@pytest.mark.parametrize("count", [1, 2])
def test_warnings_of_covariates_are_logged_once_for_each_scene(tmp_path, two, caplog, count):
    classes = np.ones((1, 40, 48), "uint8")
    classes[0, :, ::2] = 7
    cover = write(tmp_path / "cover.tif", classes, nodata=0)
    dem = write(tmp_path / "dem.tif", np.full((1, 40, 48), -1, "float32"))
    covariates = Covariate("categorical", "cover.tif", classes=(1.0,)), Covariate("continuous")
    paths = [write(tmp_path / f"{name}.tif", land()) for name in "ab"[:count]]
    scenes = [Scene.of(path, covariates=[f"categorical:{cover}", str(dem)]) for path in paths]
    detector = Neighbours(covariates=covariates)

    with caplog.at_level(logging.WARNING):
        outcomes = list(score_scenes(detector, scenes, tmp_path / "out", TILES, mapper=two))

    assert all(outcome.result is not None for outcome in outcomes)
    for path in paths:
        unknown, empty = (text for text in caplog.messages if text.startswith(f"{path}: "))
        assert "cover.tif has classes that training did not have (7)" in unknown
        assert "has no value at any pixel" in empty


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        (None, "Workers open rasters themselves"),
        (land((30, 30)), "is another raster on this machine"),
    ],
)
def test_workers_refuse_a_scene_that_they_do_not_have(scene, two, replacement, message):
    spec = QuickLookSpec.of((40, 48), SIX)

    with Scene.of(scene).open() as opened:
        scene.unlink()
        if replacement is not None:
            write(scene, replacement)
        with pytest.raises(RasterError, match=message) as error:
            list(score_tiles(Neighbours(), opened, spec, TILES, two))

    assert str(scene) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--workers", "0"), 2, "at least 1 process"),
        (("--workers", "1", "--dask", "local"), 2, "not both"),
        (("--threads", "0"), 2, "at least 1 thread"),
        (("--tile", "0"), 2, "at least 1 pixel"),
        (("--dask", "nonsense"), 2, "no address"),
        (("--dask", "tcp://127.0.0.1:9"), 3, "No Dask scheduler answers"),
    ],
)
def test_the_command_refuses_an_option_before_it_opens_a_scene(
    model, tmp_path, options, code, words
):
    scenes = tmp_path / "missing.tif", tmp_path / "other.tif"

    ran = run("score", *scenes, "-m", model, "-o", tmp_path / "out", *options)

    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert not (tmp_path / "out").exists()


def command(scenes, model, out, *options):
    """Build the command line of another process."""
    return [
        *(sys.executable, "-m", "anomvae", "score", *map(str, scenes)),
        *("-m", str(model), "-o", str(out), *options),
    ]


@pytest.mark.slow
def test_the_command_makes_the_same_files_with_workers_and_on_a_cluster(scene, model, tmp_path):
    results = []
    ways = {"here": (), "two": ("--workers", "2"), "dask": ("--dask", "local")}
    for name, options in ways.items():
        line = command([scene], model, tmp_path / name, "--tile", "20", *options)
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        results.append(read_summary(Deliverables(tmp_path / name, "scene")))

    here, *others = results
    assert all(same_files(here, other) for other in others)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_killed_run_over_an_archive_goes_on_where_it_was(model, tmp_path, options):
    scenes = [write(tmp_path / f"{k}.tif", plant(land((200, 200), seed=k))) for k in range(6)]
    out = tmp_path / "out"
    line = command(scenes, model, out, *options)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        process.kill()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.json")}
    time.sleep(0.5)  # the workers notice that their parent is gone

    ran = subprocess.run(line, capture_output=True, text=True, check=True)

    assert before
    assert ran.stdout.count("up to date") >= len(before)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    made = (read_summary(Deliverables(out, scene.stem)) for scene in scenes)
    expected = [path for result in made for path in result.written]
    assert sorted(out.iterdir()) == sorted(expected)
