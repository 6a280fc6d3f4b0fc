"""The same maps from other processes and from a Dask cluster, whatever happens to the workers."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.rasters import bands_of, land, plant, run, trained, write
from test_mapping import Neighbours

from anomvae.errors import RasterError, WorkersLost
from anomvae.mapping import score_scene, score_scenes
from anomvae.mapping.outputs import Outputs
from anomvae.mapping.tiles import RemoteTask, TileTask
from anomvae.parallel import processes
from anomvae.parallel.cluster import Cluster
from anomvae.pixels.tiling import tiles
from anomvae.raster import RasterReader, absolute_uri

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")


@pytest.fixture(scope="module")
def two():
    with processes(2) as mapper:
        yield mapper


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land((90, 110), seed=1)))


@dataclass(frozen=True)
class Deadly(Neighbours):
    """A detector that kills the process it is in, once, where a file stands."""

    trap: str = ""

    def score(self, block):
        if os.path.exists(self.trap):
            os.unlink(self.trap)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(block)


@dataclass(frozen=True)
class Blind:
    """A mapper whose workers see none of our files."""

    workers: int = 2

    def __call__(self, function, work):
        raise RasterError("/elsewhere/scene.tif does not exist. Check the path.")


def same_maps(one, other):
    return all(
        ours.read_bytes() == theirs.read_bytes()
        for ours, theirs in zip(one.outputs.all[:-1], other.outputs.all[:-1], strict=True)
    )


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_never_shows(scene, tmp_path, threads):
    one = score_scene(trained(), scene, tmp_path / "one", tile=20, threads=1)

    other = score_scene(trained(), scene, tmp_path / "other", tile=20, threads=threads)

    assert same_maps(one, other)


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_processes_make_the_same_files_to_the_bit(scene, tmp_path, two, config):
    here = score_scene(trained(config), scene, tmp_path / "here", tile=40)

    there = score_scene(trained(config), scene, tmp_path / "there", tile=40, mapper=two)

    assert same_maps(here, there)


def test_a_cluster_makes_the_same_files_to_the_bit_though_a_worker_is_killed(
    scene, tmp_path, client
):
    trap = tmp_path / "trap"
    here = score_scene(Deadly(), scene, tmp_path / "here", tile=20)
    trap.touch()

    there = score_scene(
        Deadly(trap=str(trap)), scene, tmp_path / "there", tile=20, mapper=Cluster(client)
    )

    assert not trap.exists()  # a worker died of it
    assert same_maps(here, there)


def test_processes_make_the_same_files_though_one_is_killed(scene, tmp_path, two):
    trap = tmp_path / "trap"
    here = score_scene(Deadly(), scene, tmp_path / "here", tile=20)
    trap.touch()

    there = score_scene(Deadly(trap=str(trap)), scene, tmp_path / "there", tile=20, mapper=two)

    assert not trap.exists()
    assert same_maps(here, there)


@pytest.mark.parametrize("kind", ["processes", "cluster"])
def test_scenes_are_shared_out_where_there_are_enough(tmp_path, two, client, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a.tif", "b.tif", "missing.tif", "c.tif"]
    for seed, name in enumerate(names):
        if name != "missing.tif":
            write(tmp_path / name, plant(land(seed=seed)))
    mapper = two if kind == "processes" else Cluster(client)

    there = list(score_scenes(trained(), names, "there", mapper=mapper))
    here = list(score_scenes(trained(), names, "here"))

    assert [one.scene for one in there] == names
    assert isinstance(there[2].error, RasterError)
    for ours, theirs in zip(here, there, strict=True):
        if ours.result is not None:
            assert theirs.result.scene == ours.result.scene
            assert theirs.result.path == Path("there") / ours.result.path.name
            assert same_maps(ours.result, theirs.result)


def test_results_that_a_cluster_leaves_elsewhere_are_missed(tmp_path, two):
    write(tmp_path / "a.tif", plant(land()))
    write(tmp_path / "b.tif", plant(land()))

    @dataclass(frozen=True)
    class Elsewhere:
        workers: int = 2

        def __call__(self, function, work):
            for outcome in map(function, work):
                outcome.result.outputs.summary.unlink()
                yield outcome

    scenes = [tmp_path / "a.tif", tmp_path / "b.tif"]
    found = list(score_scenes(trained(), scenes, tmp_path / "out", mapper=Elsewhere()))

    assert all(isinstance(one.error, WorkersLost) for one in found)
    assert "all workers share" in str(found[0].error)


def test_workers_that_lack_the_file_say_so_in_a_line(scene, tmp_path, two):
    with RasterReader(scene) as reader:
        work = TileTask(trained(), reader)
        sent = RemoteTask(pickle.dumps(work))
        tile = next(tiles(reader.shape, (20, 20)))
        scene.unlink()

    with pytest.raises(RasterError, match="Workers open rasters themselves") as error:
        list(two(sent, [tile]))

    assert str(scene) in str(error.value)
    assert "\n" not in str(error.value)


def test_workers_that_find_another_raster_under_the_name_say_so(scene, two):
    with RasterReader(scene) as reader:
        work = TileTask(trained(), reader)
        sent = RemoteTask(pickle.dumps(work))
        write(scene, plant(land((70, 70))))

    with pytest.raises(RasterError, match="is another raster on this machine"):
        list(two(sent, list(tiles((20, 20), (20, 20)))))


def test_a_reader_is_sent_with_its_bands_and_its_mask(scene, tmp_path):
    mask = write(tmp_path / "mask.tif", np.eye(90, 110, dtype="uint8")[None], nodata=None)
    window = (slice(0, 90), slice(0, 110))
    with (
        RasterReader(scene, bands="2,5", mask=mask) as reader,
        pickle.loads(pickle.dumps(reader)) as sent,
    ):
        assert sent.name == absolute_uri(scene)
        assert np.array_equal(reader.read(window), sent.read(window), equal_nan=True)


def test_a_scene_that_fails_on_workers_leaves_nothing(scene, tmp_path):
    with pytest.raises(RasterError, match="elsewhere"):
        score_scene(trained(), scene, tmp_path / "out", mapper=Blind())

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--workers", "0"), 2, "at least 1 process"),
        (("--workers", "1", "--dask", "local"), 2, "not both"),
        (("--threads", "0"), 2, "at least 1 thread"),
        (("--dask", "nonsense"), 2, "no address"),
        (("--dask", "tcp://127.0.0.1:9"), 3, "No Dask scheduler answers"),
    ],
)
def test_the_shell_refuses_what_cannot_work_in_one_line(scene, tmp_path, options, code, words):
    trained().save(tmp_path / "model.safetensors")

    ran = run(
        "score", scene, "-m", tmp_path / "model.safetensors", "-o", tmp_path / "out", *options
    )

    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_shell_makes_the_same_files_with_workers_and_on_a_cluster(scene, tmp_path):
    trained().save(tmp_path / "model.safetensors")
    results = {}
    for name, options in {"here": (), "two": ("--workers", 2), "dask": ("--dask", "local")}.items():
        command = ["score", scene, "-m", tmp_path / "model.safetensors", "-o", tmp_path / name]
        done = subprocess.run(
            [sys.executable, "-m", "anomvae", *command, "--tile", "50", *map(str, options)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        results[name] = bands_of(tmp_path / name / "scene.anomaly.tif")

    assert np.array_equal(results["here"], results["two"], equal_nan=True)
    assert np.array_equal(results["here"], results["dask"], equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_an_archive_run_that_is_killed_goes_on_where_it_was(tmp_path, options):
    trained().save(tmp_path / "model.safetensors")
    scenes = [write(tmp_path / f"{k}.tif", plant(land((200, 200), seed=k))) for k in range(6)]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "anomvae", "score", *map(str, scenes)]
    command += ["-m", str(tmp_path / "model.safetensors"), "-o", str(out), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.kill()
    process.communicate()
    done = {path: path.stat().st_mtime_ns for path in out.glob("*.json")}
    time.sleep(0.5)  # the workers notice that they are alone

    ran = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done
    assert ran.stdout.count("up to date") >= len(done)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    wanted = [path for scene in scenes for path in Outputs(out, scene.stem).all]
    assert sorted(out.iterdir()) == sorted(wanted)
