"""Outlines of objects of results are the sides of their pixels, wherever the map lies."""

import shutil

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label
from support.rasters import bands_of, land, plant, write
from support.scorers import Neighbours

from anomvae.errors import FileError
from anomvae.mapping import outlines_of, rethreshold, score_scene, strongest_outlines
from anomvae.objects import Objects, read_object, read_objects, rings_of_mask

MOON = (
    'GEOGCS["Moon",DATUM["Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Ref",0],'
    'UNIT["degree",0.0174532925199433]]'
)
PLACES = {
    "UTM": {},
    "rotated": {"transform": Affine(7, 7, 5e5, 7, -7, 4e6)},
    "degrees": {"crs": "EPSG:4326", "transform": Affine(1e-3, 0, 179.98, 0, -1e-3, 60)},
    "pole": {"crs": "EPSG:3413", "transform": Affine(100, 0, -2000, 0, -100, 2000)},
    "finer than the decimals of GeoJSON": {"transform": Affine(1e-3, 0, 5e5, 0, -1e-3, 4e6)},
    "nowhere": {"crs": None, "transform": None},
    "the Moon": {"crs": MOON, "transform": Affine(1e-3, 0, 10, 0, -1e-3, 5)},
}


def results_of(folder, **where):
    scene = plant(land(seed=1))
    scene[:, 30:35, 20:25] = np.linspace(0.9, 0.1, len(scene))[:, None, None]
    return score_scene(Neighbours(), write(folder / "scene.tif", scene, **where), folder / "out")


def filled(rings, shape):
    """Return the pixels whose centres lie in an odd number of rings."""
    inside = np.zeros(shape, bool)
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if x0 == x1:
                inside ^= (cols > x0) & (rows > min(y0, y1)) & (rows < max(y0, y1))
    return inside


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    share=st.sampled_from([0.1, 0.4, 0.7, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_the_rings_of_a_mask_enclose_its_pixels(shape, share, seed):
    mask = np.random.default_rng(seed).random(shape) < share

    rings = rings_of_mask(mask)

    parts = np.split(rings.points, rings.starts[1:]) if len(rings.starts) else []
    np.testing.assert_array_equal(filled(parts, shape), mask)


@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
def test_outlines_enclose_the_flagged_pixels_wherever_the_map_lies(tmp_path, where):
    result = results_of(tmp_path, **where)
    flags = bands_of(result.files.flags)[0] == 1
    numbers, count = label(flags, np.ones((3, 3)))

    outlines = strongest_outlines(result.files, 1000)

    assert [outline.item for outline in outlines] == list(read_objects(result.files.objects).items)
    assert len(outlines) == count > 1
    for outline in outlines:
        pixels = numbers == numbers[outline.item.peak]
        np.testing.assert_array_equal(filled(outline.rings, flags.shape), pixels)
        assert outline.whole
        assert not outline.holes[0]
        assert pixels[outline.window].sum() == outline.item.area_px


def test_the_strongest_objects_come_first_and_no_more_than_are_asked_for(tmp_path):
    result = results_of(tmp_path)

    outlines = strongest_outlines(result.files, 2)

    assert [outline.item.id for outline in outlines] == [1, 2]
    assert outlines[0].item.score_max >= outlines[1].item.score_max


def test_the_outline_of_one_object_is_found_by_its_id(tmp_path):
    files = results_of(tmp_path).files
    provenance, item = read_object(files.objects, 2)

    (outline,) = outlines_of(files, Objects(provenance, (item,)))

    assert outline.item.id == 2
    np.testing.assert_array_equal(outline.rings[0], strongest_outlines(files, 2)[1].rings[0])


def test_missing_flags_and_objects_of_another_run_are_refused_in_one_line(tmp_path):
    files = results_of(tmp_path).files
    other = rethreshold(files.scores, "budget:30", tmp_path / "other").files

    shutil.copyfile(other.objects, files.objects)
    with pytest.raises(FileError, match="are of different runs"):
        strongest_outlines(files, 3)

    files.flags.unlink()
    with pytest.raises(FileError, match=r"holds no scene\.flags\.tif"):
        strongest_outlines(files, 3)
