"""Scenes of odd sizes, and disks that fill: tiles never show, and nothing is left half made."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.rasters import bands_of, land, plant, run, trained, write

from anomvae.mapping import plan_tiles, score_scene
from anomvae.raster import RasterReader

STRIPS = {"blockysize": 1}
TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}


@pytest.fixture
def model(tmp_path):
    trained().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("config", ["default", "small-objects"])
@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((60, 50), STRIPS),
        ((200, 1), STRIPS),
        ((1, 200), STRIPS),
        ((200, 1), TILED),
        ((1, 1), TILED),
    ],
)
def test_a_scene_of_any_shape_is_scored_the_same_in_tiles_of_any_size(
    tmp_path, config, shape, layout
):
    scene = write(tmp_path / "scene.tif", land(shape, seed=3), **layout)
    whole = score_scene(trained(config), scene, tmp_path / "whole", tile=1000)

    small = score_scene(trained(config), scene, tmp_path / "small", tile=7, threads=2)
    chosen = score_scene(trained(config), scene, tmp_path / "chosen")

    assert whole.valid == shape[0] * shape[1]
    for other in (small, chosen):
        assert other.path.read_bytes() == whole.path.read_bytes()


def test_tiles_and_threads_are_chosen_by_the_scene_and_can_be_set(tmp_path):
    scene = write(tmp_path / "scene.tif", land((300, 400)))
    with RasterReader(scene) as reader:
        assert plan_tiles(trained(), reader).tile == (300, 400)
        assert plan_tiles(trained(), reader, 64, 3).tile == (64, 64)
        assert plan_tiles(trained(), reader, 1000, 3).tile == (300, 400)
        assert plan_tiles(trained(), reader, 64, 3).threads == 3


def test_many_bands_are_scored_on_few_threads(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)

    class Wide:
        grid = type("", (), {"shape": (5000, 5000)})
        block_shape = (512, 512)
        values_per_pixel = 200

    class Narrow(Wide):
        values_per_pixel = 12

    assert plan_tiles(trained(), Wide()).threads == 1
    assert plan_tiles(trained(), Narrow()).threads == 4


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode
    except OSError:
        done = 1
    if done:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("options", [(), ("--workers", "1")])
def test_a_disk_that_fills_leaves_earlier_results_and_nothing_else(
    small_disk, tmp_path, model, options
):
    out = small_disk / "out"
    earlier = write(tmp_path / "earlier.tif", plant(land((200, 200))))
    assert run("score", earlier, "-m", model, "-o", out).code == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    later = write(tmp_path / "later.tif", plant(land((600, 600))))

    ran = run("score", later, "-m", model, "-o", out, "--tile", "100", *options)

    assert ran.code == 3, ran.err
    assert "cannot be written" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_failed_read_in_the_middle_ends_cleanly(tmp_path, model):
    scene = write(tmp_path / "cut.tif", plant(land((600, 600))), compress="deflate")
    data = scene.read_bytes()
    scene.write_bytes(data[: len(data) * 2 // 3])

    ran = run("score", scene, "-m", model, "-o", tmp_path / "out", "--tile", "50")

    assert ran.code == 3
    assert "damaged or cut short" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_map_is_the_same_from_blocks_of_any_layout(tmp_path):
    values = plant(land((130, 90), seed=2))
    maps = []
    for name, layout in {"strips": STRIPS, "tiles": TILED, "plain": {}}.items():
        Path(tmp_path, name).mkdir()
        scene = write(tmp_path / name / "scene.tif", values, **layout)
        maps.append(bands_of(score_scene(trained(), scene, tmp_path / name).path))

    assert all(np.array_equal(maps[0], other, equal_nan=True) for other in maps[1:])
