"""benchmarks/speed.py: its scenes, its file of timings, its ratios."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from support.programs import Drawing
from support.rasters import run

from anomvae.errors import FileError
from anomvae.program import Arithmetic
from benchmarks import inputs, speed, stopwatch
from benchmarks.speedaims import aims
from benchmarks.speedarrays import multiplied
from benchmarks.speedstart import NEW, commands
from benchmarks.speedtables import (
    BEFORE,
    PRODUCTS,
    RX,
    SCORE_TILE,
    SMALL,
    TINY,
    Timing,
    Timings,
    markdown,
    scoring,
)


def timing(what, seconds=2.0, cpu=1.0, pixels=1_000_000, bands=12, megapixels=1.0, macs=0):
    return Timing(what, bands, megapixels, pixels, seconds, cpu, math.nan, multiplied=macs)


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


class Counting(Arithmetic):
    """Counts the multiply-adds of the layers that it computes."""

    def __init__(self):
        self.count = 0

    def dense(self, layer, x):
        self.count += layer.weight.size
        return super().dense(layer, x)


@pytest.mark.parametrize("code", ["normal", "ladder"])
def test_the_bound_counts_what_the_program_multiplies_and_of_a_sum_of_squares_a_triangle(code):
    drawing, counting = Drawing(0), Counting()
    program = drawing.program(
        6, code=code, whitening=drawing.layer(6, 6), linear=drawing.layer(6, 6)
    )

    batch = program.prepare(np.zeros((1, 6), np.float32), None, counting)
    program.terms(batch, counting)

    assert multiplied(program) == counting.count - 6 * 5 // 2


def test_timings_are_kept_and_replace_older_ones_and_another_file_is_refused(tmp_path):
    path = tmp_path / "speed.json"
    timings = Timings(path)
    timings.add(timing("read", seconds=4))
    timings.add(timing("read", seconds=2))

    (stored,) = Timings(path)

    assert stored.seconds == 2
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
    seconds = {"score": 18, "score --workers 1": 10, "score --workers 2": 5}
    for name, duration in seconds.items():
        timings.add(timing(name, seconds=duration))
    timings.add(timing(f"score{BEFORE}", cpu=4))
    for cpu, bound in zip((2, 4), PRODUCTS, strict=True):
        timings.add(timing(bound, cpu=cpu, macs=2000))
    timings.add(timing(scoring("band", "native"), cpu=1, macs=500))
    timings.add(timing(RX, cpu=4))

    text = markdown(timings, cores=2)

    assert "| anomvae vae, band noise, native / spectral rx | 12 | 4 x |" in text
    assert "| anomvae vae, band noise, native / product, multiply-adds | 12 | 0.50 x |" in text
    assert f"| score / score{BEFORE}, 1 Mpixel, CPU s | 12 | 0.25 x |" in text
    assert "| score of 1 Mpixel / bound of 9.0 s | 12 | 2.00 x |" in text
    assert "| two processes / one, 1 Mpixel | 12 | 2.00 x |" in text


def test_the_aims_list_what_was_measured_and_nothing_else():
    timings = Timings()
    assert aims(timings) == []
    timings.add(replace(timing("score", cpu=0.5, bands=SMALL[0], megapixels=SMALL[1]), peak=110))
    timings.add(timing("score", cpu=10, megapixels=30.0))
    timings.add(timing(f"score{BEFORE}", cpu=20, megapixels=30.0))

    (text,) = aims(timings)

    assert (
        "| score of 96 x 96, 12 bands: CPU s; MB | 3.4-4; 397 | .7; 120 | .25;  | 0.5; 110 |"
        in text
    )
    assert "| score of 30 Mpixel, 12 bands: CPU s / before | 1 | .50 | .27 | 0.5 |" in text
    assert len(text.splitlines()) == 2 + 2


def test_every_command_of_the_start_runs_and_the_watch_finds_its_scenes(tmp_path, model, scene):
    for command in commands(model, scene, tmp_path / "out").values():
        assert run(*command(0)).code == 0

    assert len(list((tmp_path / "out").rglob("watch-0/maps/**/*.objects.geojson"))) == NEW


def test_a_program_is_measured_from_its_start_and_its_failure_is_an_error(tmp_path):
    (tmp_path / "own.py").write_text(
        "import os, time; data = os.urandom(100_000_000); time.sleep(0.7)"
    )

    usage = stopwatch.once([sys.executable, "-c", "import own"], tmp_path)

    assert (tmp_path / "__pycache__").is_dir()  # a later start need not compile
    assert usage.cpu > 0
    assert 100 < usage.peak < 200  # not what this process has, from which it was forked
    with pytest.raises(subprocess.CalledProcessError):
        stopwatch.once([sys.executable, "-c", "import own"], tmp_path / "elsewhere")


@pytest.mark.slow
def test_the_benchmark_runs_in_parts_and_prints_the_figures_of_all(tmp_path):
    words = ["--folder", str(tmp_path), "--scene", "6x0.02", "--repeats", "1"]
    words += ["--out", str(tmp_path / "speed.json")]
    record = tmp_path / "results.md"
    parts = ("array", "files", "writing", "score", "layers")

    for more in (*(("--part", part) for part in parts), ("--tables", "--record", str(record))):
        done = CliRunner().invoke(speed.main, [*words, *more])
        assert done.exit_code == 0, done.output

    assert "`python benchmarks/speed.py --folder DIR --record`" in record.read_text("utf-8")
    assert "| write, plain first / write, blocks alone, 0.02 Mpixel, CPU s | 6 |" in done.stdout
    works = ["GDAL read", "read", "write", "score", "score --engine torch", "embed", *PRODUCTS]
    works += [scoring("covariance", engine) for engine in ("numpy", "torch")]
    for work in works:
        assert f"| {work} | 6 | 0.02 |" in done.stdout


@pytest.mark.parametrize("scene", ["12", "12x", "ax3"])
def test_a_malformed_scene_is_refused(tmp_path, scene):
    done = CliRunner().invoke(speed.main, ["--folder", str(tmp_path), "--scene", scene])

    assert done.exit_code == 2
    assert "12x30" in done.stderr
