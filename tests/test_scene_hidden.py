"""Flags of earlier dates: what was flagged there is no data for newer dates."""

from dataclasses import replace

import numpy as np
import pytest
from support.rasters import write

from anomvae.errors import GridMismatch
from anomvae.pixels.tiling import whole
from anomvae.raster import Scene

SHAPE = (6, 5)
DAYS = ("2024-06-01", "2024-06-11", "2024-06-21")


@pytest.fixture
def scene(tmp_path):
    """Three dates, of which the first two have flags: at both, the pixel (0, 0)."""
    for number, day in enumerate(DAYS):
        values = np.arange(60, dtype="float32").reshape(2, *SHAPE) + 100 * number
        write(tmp_path / f"site_{day}.tif", values)
    for number, pixels in enumerate([[(0, 0), (1, 2)], [(0, 0), (3, 4)]]):
        flags = np.zeros((1, *SHAPE), "uint8")
        for row, col in pixels:
            flags[0, row, col] = 1
        flags[0, 5] = 255  # no data
        write(tmp_path / f"flags{number}.tif", flags, nodata=255)
    paths = [tmp_path / f"site_{day}.tif" for day in DAYS]
    hidden = (str(tmp_path / "flags0.tif"), str(tmp_path / "flags1.tif"), None)
    return replace(Scene.of(paths), hidden=hidden)


def read(scene):
    with scene.open() as opened:
        return opened.read(whole(opened.grid.shape)), opened.files


def test_what_was_flagged_at_a_date_is_no_data_there_if_an_older_date_shows_what_was_before(scene):
    shown, _ = read(replace(scene, hidden=()))

    hidden, _ = read(scene)

    gone = np.zeros((3, *SHAPE), bool)
    gone[1, 3, 4] = True  # what is flagged at the oldest date has none before it
    assert np.isnan(hidden[gone]).all()
    assert np.array_equal(hidden[~gone], shown[~gone])


def test_an_older_date_without_data_shows_nothing_of_what_was_before(scene, tmp_path):
    values = np.ones((2, *SHAPE), "float32")
    values[:, 3, 4] = np.nan
    write(tmp_path / f"site_{DAYS[0]}.tif", values)

    block, _ = read(scene)

    assert np.isfinite(block[1, 3, 4]).all()


def test_flags_are_of_the_files_and_the_identity_of_a_scene_and_follow_its_dates(scene):
    flags = {path for path in scene.hidden if path is not None}

    _, files = read(scene)

    assert flags <= {str(file.path) for file in files}
    assert len(scene.identity) == len(replace(scene, hidden=()).identity) + 2
    assert scene.without_newest(1).hidden == scene.hidden[:-1]


def test_flags_on_another_grid_are_refused(scene, tmp_path):
    write(tmp_path / "flags0.tif", np.zeros((1, 4, 4), "uint8"), nodata=255)

    with pytest.raises(GridMismatch):
        read(scene)
