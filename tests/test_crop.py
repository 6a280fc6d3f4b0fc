"""A part of a scored scene as a picture."""

import pytest
from matplotlib.image import imread

from anomvae.config import resolve_config, shipped
from anomvae.mapping import detect_scene
from anomvae.mapping.crop import around, crop
from anomvae.raster import Scene


def test_a_crop_shows_a_place_of_a_scene_and_what_is_around_it(tmp_path):
    path = shipped("data_samples") / "scene_a.tif"
    config = resolve_config("default", ["training.max_steps=20"]).config
    result = detect_scene(path, tmp_path, config)
    place = slice(40, 46), slice(50, 56)

    png = crop(Scene.of(path), result.files, place, "harbour-3")
    (tmp_path / "crop.png").write_bytes(png)

    (tmp_path / "maps.png").write_bytes(crop(None, result.files, place, "harbour-3"))

    assert imread(tmp_path / "crop.png").shape[1] == 1300
    assert imread(tmp_path / "maps.png").shape[1] == pytest.approx(1300 * 2 / 3, abs=1)
    assert around(place, (128, 128)) == (slice(24, 62), slice(34, 72))
