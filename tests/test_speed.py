"""benchmarks/speed.py: its scenes, its file of timings, its ratios."""

import json
import math

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from support.rasters import run

from anomvae.errors import FileError
from benchmarks import inputs, speed, stopwatch
from benchmarks.speedstart import NEW, commands
from benchmarks.speedtables import SCORE_TILE, TINY, Timing, Timings, markdown


def timing(what, seconds=2.0, cpu=1.0, pixels=1_000_000, bands=12, megapixels=1.0):
    return Timing(what, bands, megapixels, pixels, seconds, cpu, math.nan)


def test_a_scene_is_written_once_and_always_the_same(tmp_path):
    scene = inputs.Scene(5, 0.3)
    (tmp_path / "other").mkdir()

    path = scene.made(tmp_path)
    written = path.stat().st_mtime_ns

    assert scene.made(tmp_path).stat().st_mtime_ns == written
    assert scene.made(tmp_path / "other").read_bytes() == path.read_bytes()
    with rasterio.open(path) as dataset:
        assert (dataset.count, dataset.width * dataset.height) == (5, scene.pixels)
        assert dataset.dtypes[0] == "uint16"
        assert dataset.compression.name == "deflate"
        assert dataset.read().min() > 0


def test_a_function_has_a_duration_and_no_peak_memory():
    usage = stopwatch.of(lambda: np.ones(100_000).sum(), 3)

    assert usage.seconds > 0
    assert math.isnan(usage.peak)


def test_timings_are_kept_and_replace_older_ones_and_another_file_is_refused(tmp_path):
    path = tmp_path / "speed.json"
    timings = Timings(path)
    timings.rate = 100.0
    timings.add(timing("read", seconds=4))
    timings.add(timing("read", seconds=2))

    (stored,) = Timings(path)

    assert (Timings(path).rate, stored.seconds) == (100, 2)
    assert "commit" in stored.when
    assert json.loads(path.read_text())["figures"][0]["peak"] is None
    path.write_text("[]")
    with pytest.raises(FileError, match="holds no timings"):
        Timings(path)


def test_the_ratios_are_those_of_the_timings():
    timings = Timings()
    timings.add(timing("score", 3, bands=TINY[0], megapixels=TINY[1]))
    for name, cpu in (("read", 2.0), ("write", 4.0), (SCORE_TILE, 6.0)):
        timings.add(timing(name, cpu=cpu))
    seconds = {"anomvae vae, band noise": 1, "spectral rx": 4, "score": 18}
    seconds |= {"score --workers 1": 10, "score --workers 2": 5}
    for name, duration in seconds.items():
        timings.add(timing(name, seconds=duration))

    text = markdown(timings, cores=2)

    assert "| anomvae vae, band noise / spectral rx | 12 | 4 x |" in text
    assert "| score of 1 Mpixel / bound of 9.0 s | 12 | 2.00 x |" in text
    assert "| two processes / one, 1 Mpixel | 12 | 2.00 x |" in text


def test_every_command_of_the_start_runs_and_the_watch_finds_its_scenes(tmp_path, model, scene):
    for command in commands(model, scene, tmp_path / "out").values():
        assert run(*command(0)).code == 0

    assert len(list((tmp_path / "out").rglob("watch-0/maps/**/*.objects.geojson"))) == NEW


@pytest.mark.slow
def test_the_benchmark_runs_in_parts(tmp_path):
    words = ["--folder", str(tmp_path), "--scene", "6x0.02", "--repeats", "1"]
    words += ["--out", str(tmp_path / "speed.json")]

    for part in ("machine", "files", "writing", "score", "layers"):
        record = tmp_path / "results.md"
        done = CliRunner().invoke(speed.main, [*words, "--part", part, "--record", str(record)])
        assert done.exit_code == 0, done.output
        assert f"--part {part} --record`" in record.read_text(encoding="utf-8")

    assert "GFLOP/s" in done.stdout
    assert "| write, plain first / its blocks alone, 0.02 Mpixel, CPU s | 6 |" in done.stdout
    for work in ("GDAL read", "read", "write", "score", "embed", "embed --how sample"):
        assert f"| {work} | 6 | 0.02 |" in done.stdout


@pytest.mark.parametrize("scene", ["12", "12x", "ax3"])
def test_a_malformed_scene_is_refused(tmp_path, scene):
    done = CliRunner().invoke(speed.main, ["--folder", str(tmp_path), "--scene", scene])

    assert done.exit_code == 2
    assert "12x30" in done.stderr
