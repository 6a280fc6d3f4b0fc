"""The pixels of an object are found again from the flags, and an object by its id."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label
from support.rasters import bands_of, land, plant, write
from support.scorers import Neighbours

from anomvae.errors import ConfigError, FileError, GridMismatch
from anomvae.mapping import find_object, rethreshold, score_scene
from anomvae.objects import pixels_of, pixels_of_small, read_objects
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import shape_of
from anomvae.raster import open_raster

EIGHT = np.ones((3, 3))


def component(flags, peak):
    numbers, _ = label(flags, EIGHT)
    return numbers == numbers[peak]


def found_in(flags, peak, **limit):
    return pixels_of(lambda window: flags[window], peak, flags.shape, **limit)


def drawn(shape, membership):
    """Return the pixels of an object in the whole scene."""
    mask = np.zeros(shape, bool)
    mask[membership.window] = membership.mask
    return mask


@given(
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    share=st.sampled_from([0.05, 0.3, 0.45, 0.7, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_the_pixels_of_an_object_are_those_connected_to_its_peak(shape, share, seed):
    rng = np.random.default_rng(seed)
    flags = rng.random(shape) < share
    peak = tuple(int(rng.integers(side)) for side in shape)
    flags[peak] = True

    found = found_in(flags, peak)

    assert found.whole
    np.testing.assert_array_equal(drawn(shape, found), component(flags, peak))
    rows, cols = np.nonzero(component(flags, peak))
    assert found.window == (
        slice(rows.min(), rows.max() + 1),
        slice(cols.min(), cols.max() + 1),
    )
    assert found.area_px == len(rows)


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    share=st.sampled_from([0.02, 0.1, 0.3, 0.5]),
    seed=st.integers(0, 2**32),
)
def test_small_objects_found_together_are_those_found_alone(shape, share, seed):
    flags = np.random.default_rng(seed).random(shape) < share
    numbers, count = label(flags, EIGHT)
    peaks = np.array([np.argwhere(numbers == each)[-1] for each in range(1, count + 1)])
    peaks = peaks.reshape(-1, 2)[::2]  # not every object is listed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anomvae.objects.membership.TOGETHER", (20, 33))
        patch.setattr("anomvae.objects.membership.SMALL", 12)
        places, owners = pixels_of_small(lambda window: flags[window], peaks, shape)

    assert len(set(places.tolist())) == len(places)
    for owner, (row, col) in enumerate(peaks.tolist()):
        alone = np.flatnonzero(component(flags, (row, col)))
        within = row // 20 == (alone // shape[1]) // 20, col // 33 == (alone % shape[1]) // 33
        if owner in owners:
            np.testing.assert_array_equal(np.sort(places[owners == owner]), alone)
        else:
            assert len(alone) > 12 or not np.all(within)


def test_an_object_beyond_the_limit_is_found_around_its_peak_only():
    flags = np.ones((400, 500), bool)

    found = found_in(flags, (200, 300), most=20_000)

    assert not found.whole
    assert np.prod(shape_of(found.window)) <= 20_000
    assert drawn(flags.shape, found)[200, 300]
    assert found.area_px > 5_000


def test_no_more_of_the_flags_is_read_than_the_surroundings_of_the_object():
    flags = np.zeros((5000, 5000), bool)
    flags[2500:2503, 2500:2600] = True
    read = []

    found = pixels_of(
        lambda window: read.append(window) or flags[window], (2501, 2550), (5000,) * 2
    )

    assert found.area_px == 300
    assert sum(np.prod(shape_of(window)) for window in read) < 20_000


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    scene = write(folder / "scene.tif", plant(land(seed=1)))
    return score_scene(Neighbours(), scene, folder / "out")


def copied(result, folder):
    shutil.copytree(result.files.folder, folder)
    return type(result.files)(folder, result.files.stem)


def grid_of(files):
    with open_raster(files.flags) as flags:
        return flags.grid


def test_an_object_is_found_by_its_id_with_its_pixels(result):
    flags = bands_of(result.files.flags)[0] == 1
    items = read_objects(result.files.objects).items
    assert items

    for item in items:
        found = find_object(result.files, item.id, grid_of(result.files), "scene.tif")

        assert found.item == item
        assert found.pixels.area_px == item.area_px
        assert found.provenance.detector == "neighbours"
        np.testing.assert_array_equal(drawn(flags.shape, found.pixels), component(flags, item.peak))


def test_an_object_that_is_not_there_is_a_wrong_setting(result):
    with pytest.raises(ConfigError, match=r"scene\.objects\.geojson has \d+ objects, none .* 999"):
        find_object(result.files, 999, grid_of(result.files), "scene.tif")


def test_a_folder_without_results_is_refused(result, tmp_path):
    empty = type(result.files)(tmp_path, "scene")

    with pytest.raises(FileError, match=r"holds no scene\.objects\.geojson.*scene\.tif"):
        find_object(empty, 1, grid_of(result.files), "scene.tif")


def test_objects_of_another_run_than_the_flags_are_refused(result, tmp_path):
    files = copied(result, tmp_path / "mixed")
    other = rethreshold(result.files.scores, "budget:30", tmp_path / "other")
    shutil.copyfile(other.files.objects, files.objects)

    with pytest.raises(FileError, match="are of different runs"):
        find_object(files, 1, grid_of(files), "scene.tif")


def test_results_of_a_scene_of_another_size_are_refused(result):
    with pytest.raises(GridMismatch, match=r"scene\.flags\.tif has 40 x 48 pixels.*smaller"):
        find_object(result.files, 1, Grid((20, 24)), "smaller")
