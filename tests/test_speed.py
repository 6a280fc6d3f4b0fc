"""The benchmark of speed: its scenes repeat, its figures are kept, its sums are right."""

import json
import math

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from anomvae.errors import FileError
from benchmarks import inputs, speed, stopwatch
from benchmarks.speedtables import ALONE, START, Figure, Figures, markdown


def figure(what, seconds=2.0, cpu=1.0, pixels=1_000_000, bands=12, megapixels=1.0):
    return Figure(what, bands, megapixels, pixels, seconds, cpu, math.nan)


def test_a_scene_is_made_once_and_alike_everywhere(tmp_path):
    scene = inputs.Scene(5, 0.3)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    path = scene.made(tmp_path / "one")
    made = path.stat().st_mtime_ns

    assert scene.made(tmp_path / "one").stat().st_mtime_ns == made
    assert scene.made(tmp_path / "two").read_bytes() == path.read_bytes()
    with rasterio.open(path) as dataset:
        assert (dataset.count, dataset.width * dataset.height) == (5, scene.pixels)
        assert dataset.dtypes[0] == "uint16"
        assert dataset.compression.name == "deflate"
        assert dataset.read().min() > 0


def test_the_time_of_work_is_taken():
    cost = stopwatch.of(lambda: np.ones(100_000).sum(), 3)

    assert cost.seconds > 0
    assert math.isnan(cost.peak)


def test_figures_are_kept_and_newer_ones_take_the_place_of_older(tmp_path):
    figures = Figures(tmp_path / "speed.json")
    figures.rate = 100.0
    figures.add(figure("read", seconds=4))
    figures.add(figure("read", seconds=2))

    found = Figures(tmp_path / "speed.json")

    assert found.rate == 100
    assert [one.seconds for one in found] == [2]
    assert "commit" in next(iter(found)).when
    assert json.loads((tmp_path / "speed.json").read_text())["figures"][0]["peak"] is None


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "speed.json").write_text("[]")

    with pytest.raises(FileError, match="holds no figures"):
        Figures(tmp_path / "speed.json")


def test_ratios_are_those_of_the_figures():
    figures = Figures()
    figures.add(figure("anomvae vae, band noise", seconds=1))
    figures.add(figure("spectral rx", seconds=4))
    figures.add(figure("score", 3, bands=START[0], megapixels=START[1]))
    for name, cpu in (("read", 2.0), ("write", 4.0), (ALONE, 6.0)):
        figures.add(figure(name, cpu=cpu))
    figures.add(figure("score", seconds=18))
    figures.add(figure("score --workers 1", seconds=10))
    figures.add(figure("score --workers 2", seconds=5))

    told = markdown(figures, cores=2)

    assert "| anomvae vae, band noise / spectral rx | 12 | 4 x |" in told
    assert "| score of 1 Mpixel / bound of 9.0 s | 12 | 2.00 x |" in told
    assert "| two processes / one, 1 Mpixel | 12 | 2.00 x |" in told


@pytest.mark.slow
def test_the_benchmark_runs_in_parts(tmp_path):
    asked = ["--folder", str(tmp_path), "--scene", "6x0.02", "--repeats", "1"]
    asked += ["--out", str(tmp_path / "speed.json")]

    for part in ("machine", "files", "score"):
        done = CliRunner().invoke(speed.main, [*asked, "--part", part])
        assert done.exit_code == 0, done.output

    assert "GFLOP/s" in done.stdout
    for work in ("GDAL read", "read", "write", "score"):
        assert f"| {work} | 6 | 0.02 |" in done.stdout


@pytest.mark.parametrize("scene", ["12", "12x", "ax3"])
def test_a_scene_that_is_none_is_refused(tmp_path, scene):
    done = CliRunner().invoke(speed.main, ["--folder", str(tmp_path), "--scene", scene])

    assert done.exit_code == 2
    assert "12x30" in done.stderr
