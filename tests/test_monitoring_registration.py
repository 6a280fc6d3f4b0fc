"""A scene that lies beside the others of its site is not comparable, with the reason."""

import os
from functools import cache

import numpy as np
import pytest
from affine import Affine
from scipy import ndimage
from support.rasters import write
from support.watching import Clock, Stub, drop, rows, run_watch, watch

from anomvae.monitoring.decisions.registration import displaced, shift_between
from anomvae.raster import Scene
from anomvae.testing.simulate import Sensor, draw_place, observe

SENSOR = Sensor(wavelengths=(490, 560, 665, 842), noise=0.003, wedge=0, shadow=0.02)


@cache
def day(number, shift=(0, 0)):
    """Image a place, (band, row, col), displaced by some rows and columns."""
    place = draw_place((64, 64), np.random.default_rng(3))
    image = np.moveaxis(observe(place, np.random.default_rng(number), (), SENSOR).block[0], -1, 0)
    moved = ndimage.shift(image, (0, *shift), order=3, mode="nearest")
    return moved[:, 8:-8, 8:-8].astype("float32")


def scene(folder, name, values, **place):
    return Scene.of(write(folder / f"{name}.tif", values, **place))


def test_a_displacement_that_a_later_scene_shares_is_the_new_geometry(tmp_path):
    first = scene(tmp_path, "first", day(1))
    moved = scene(tmp_path, "moved", day(2, (2, -1)))
    after = scene(tmp_path, "after", day(3, (2, -1)))

    reason = displaced(moved, [first], 0.75)

    assert "2.0 pixels further down and 1.0 further left than the scene before" in reason
    assert displaced(after, [first], 0.75) is not None
    assert displaced(after, [first, moved], 0.75) is None
    assert displaced(moved, [first], 2.5) is None
    assert displaced(moved, [], 0.75) is None


def test_what_cannot_be_compared_is_not_displaced(tmp_path):
    first, moved = scene(tmp_path, "first", day(1)), scene(tmp_path, "moved", day(2, (2, 0)))
    elsewhere = scene(tmp_path, "b", day(1), transform=Affine(10, 0, 5e5 + 20, 0, -10, 4e6))
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0" + bytes(50))

    assert shift_between(first, moved).distance == pytest.approx(2, abs=0.2)
    assert shift_between(elsewhere, moved) is None
    assert shift_between(Scene.of(broken), moved) is None
    assert shift_between(scene(tmp_path, "few", day(1)[:2]), moved) is None
    assert shift_between(scene(tmp_path, "small", day(1)[:, :20, :20]), moved) is None


def test_a_watch_takes_a_displaced_scene_for_no_pass(tmp_path):
    config, clock = watch(tmp_path), Clock()
    days = {1: (0, 0), 2: (2, -1), 3: (0, 0), 4: (0.3, 0.2), 5: (-2, 2), 6: (-2, 2)}

    for number, shift in days.items():
        path = drop(tmp_path, f"s_2025-05-0{number}.tif", "")
        status = path.stat()
        write(path, day(number, shift))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        run_watch(config, clock, Stub(flagged=0))

    outcomes = rows(tmp_path, "SELECT outcome, reasons FROM scenes ORDER BY source")
    normal, beside = "normal", "not comparable"
    assert [one for one, _ in outcomes] == [normal, beside, normal, normal, beside, normal]
    assert "looks like another registration" in outcomes[1][1]
