"""A part of a scored scene as a picture."""

from io import BytesIO

from PIL import Image

from anomvae.config import resolve_config, shipped
from anomvae.mapping import detect_scene
from anomvae.mapping.crop import around, crop
from anomvae.mapping.sheet import PANEL
from anomvae.raster import Scene


def test_a_crop_shows_a_place_of_a_scene_and_what_is_around_it(tmp_path):
    path = shipped("data_samples") / "scene_a.tif"
    config = resolve_config("default", ["training.max_steps=20"]).config
    result = detect_scene(path, tmp_path, config)
    place = slice(40, 46), slice(50, 56)

    pictures = (crop(one, result.files, place, "harbour-3") for one in (Scene.of(path), None))
    widths = [Image.open(BytesIO(png)).width for png in pictures]

    assert 2 * PANEL < widths[1] < 3 * PANEL < widths[0] < 4 * PANEL
    assert around(place, (128, 128)) == (slice(24, 62), slice(34, 72))
