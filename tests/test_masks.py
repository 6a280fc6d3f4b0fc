"""Masks of a scene: what they hide, on which grid, by how much they grow, what is doubtful."""

import logging

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from rasterio.warp import transform
from scipy.ndimage import distance_transform_edt
from support.scene_files import UTM, in_folder, is_sentence, make, read

from anomvae.errors import GridMismatch, RasterError
from anomvae.pixels.tiling import tiles, whole
from anomvae.raster import Scene
from anomvae.raster.layer_masks import grown

SHAPE = (12, 16)
SCL = np.uint8([[4, 3, 8, 0], [9, 5, 11, 2], [10, 6, 1, 7]])
"""Classes of Sentinel-2 on pixels of 40 m."""
HIDDEN = np.isin(SCL, (1, 3, 8, 9, 10, 11))


def scene(folder, shape=SHAPE, **options):
    """Write two bands of 10 m; the first pixel has no data."""
    values = np.ones((2, *shape), "float32")
    values[:, 0, 0] = -1
    return make(folder / "scene.tif", values, **{**UTM, "nodata": -1} | options)


def mask(path, values, pixel=10, corner=(5e5, 4e6), **options):
    """Write a mask whose pixels have a side in metres."""
    where = {"crs": UTM["crs"], "transform": Affine(pixel, 0, corner[0], 0, -pixel, corner[1])}
    return make(path, np.asarray(values)[np.newaxis], **where | options)


def big(values, factor=4):
    return np.kron(values, np.ones((factor, factor), values.dtype))


def states(path, size=SHAPE, **options):
    """Return what is missing and what is masked, axes (row, col), read tile by tile."""
    with Scene.of(path, **options).open() as opened:
        missing, masked = (np.zeros(opened.grid.shape, bool) for _ in range(2))
        for tile in tiles(opened.grid.shape, size):
            block, part = opened.read_masked(tile.keep)
            masked[tile.keep] = False if part is None else part
            missing[tile.keep] = np.isnan(block).any(axis=(0, -1)) & ~masked[tile.keep]
    return missing, masked


@pytest.mark.parametrize("nodata", [None, 0, 99])
def test_classes_of_a_coarser_mask_hide_pixels_and_its_no_data_is_missing(tmp_path, nodata):
    path = mask(tmp_path / "SCL.tif", SCL, pixel=40, nodata=nodata)

    missing, masked = states(scene(tmp_path), mask=f"scl:{path}")

    expected = big(SCL == 0)
    expected[0, 0] = True
    np.testing.assert_array_equal(missing, expected)
    np.testing.assert_array_equal(masked, big(HIDDEN))


def test_a_pixel_without_data_that_is_hidden_is_missing(tmp_path):
    path = mask(tmp_path / "m.tif", np.zeros(SHAPE, "uint8"))

    missing, masked = states(scene(tmp_path), mask=path)

    assert np.argwhere(missing).tolist() == [[0, 0]]
    assert masked.sum() == missing.size - 1


def test_classes_are_numbers_of_the_file_even_if_it_declares_one_as_no_data(tmp_path):
    path = mask(tmp_path / "m.tif", SCL, pixel=40, nodata=3)

    _, masked = states(scene(tmp_path), mask=f"classes:{path}=3,8")
    _, of_others = states(scene(tmp_path), mask=f"classes:{path}=8")

    np.testing.assert_array_equal(masked, big(np.isin(SCL, (3, 8))))
    np.testing.assert_array_equal(of_others, big(SCL == 8))


def test_several_masks_hide_what_any_hides(tmp_path):
    keep = np.ones(SHAPE, "uint8")
    keep[5, 5:9] = 0
    scl = mask(tmp_path / "SCL.tif", SCL, pixel=40)
    binary = mask(tmp_path / "keep.tif", keep)
    raster = scene(tmp_path)

    _, masked = states(raster, mask=f"scl:{scl},binary:{binary}")

    np.testing.assert_array_equal(masked, (big(HIDDEN) | (keep == 0)) & ~big(SCL == 0))
    _, none = states(raster, mask="none")
    assert not none.any()


# Nearest neighbour, coverage ------------------------------------------------------------------


@in_folder
@given(
    factor=st.integers(1, 7),
    margin=st.integers(0, 2),
    offset=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 16)),
    seed=st.integers(0, 99),
)
def test_an_aligned_coarser_mask_is_exact_for_any_tile(
    tmp_path, factor, margin, offset, size, seed
):
    """The scene lies ``offset`` pixels of its own inside a mask that is larger than it."""
    rng = np.random.default_rng(seed)
    coarse = [
        -(-(side + start) // factor) + margin for side, start in zip(SHAPE, offset, strict=True)
    ]
    values = rng.integers(0, 12, coarse).astype("uint8")
    corner = 5e5 - 10 * offset[1], 4e6 + 10 * offset[0]
    path = mask(tmp_path / "SCL.tif", values, pixel=10 * factor, corner=corner)

    missing, masked = states(scene(tmp_path), size, mask=f"scl:{path}")

    rows, cols = (slice(start, start + side) for side, start in zip(SHAPE, offset, strict=True))
    expected = big(values, factor)[rows, cols]
    expected[0, 0] = 0
    np.testing.assert_array_equal(missing, expected == 0)
    np.testing.assert_array_equal(masked, np.isin(expected, (1, 3, 8, 9, 10, 11)))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_finer_mask_gives_the_pixel_in_the_middle(tmp_path, factor):
    fine = np.full((12 * factor, 16 * factor), 4, "uint8")
    fine[factor * 3 + factor // 2, factor * 7 + factor // 2] = 9
    path = mask(tmp_path / "SCL.tif", fine, pixel=10 / factor)

    _, masked = states(scene(tmp_path), mask=f"scl:{path}")

    assert np.argwhere(masked).tolist() == [[3, 7]]


def test_a_mask_of_another_projection_is_warped_by_nearest_neighbour(tmp_path):
    raster, side = scene(tmp_path, (40, 40)), 1e-5  # degrees, about a metre
    west, east, south, north = -75.0005, -74.995, 36.139, 36.145
    lon, lat = np.meshgrid(np.arange(west, east, side), np.arange(north, south, -side))
    x, _ = transform("EPSG:4326", UTM["crs"], lon.ravel(), lat.ravel())
    values = np.where(np.reshape(x, lon.shape) > 5e5 + 200, 9, 4).astype("uint8")
    where = Affine(side, 0, west - side / 2, 0, -side, north + side / 2)
    path = make(tmp_path / "SCL.tif", values[np.newaxis], crs="EPSG:4326", transform=where)

    missing, masked = states(raster, mask=f"scl:{path}")

    assert np.argwhere(missing).tolist() == [[0, 0]]
    np.testing.assert_array_equal(masked, np.broadcast_to(np.arange(40) >= 20, (40, 40)))


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (np.full((3, 4), 4), {"pixel": 40, "corner": (5e5 + 109_800, 4e6)}),
        (np.full((3, 4), 4), {"pixel": 40, "corner": (5e5, 4e6 - 40)}),
        (np.full((2, 4), 4), {"pixel": 40}),
        (np.full((12, 16), 4), {"crs": "EPSG:32633"}),
        (np.full((30, 30), 4), {"crs": "EPSG:4326"}),
    ],
    ids=["another tile", "a pixel lower", "a part", "another zone", "degrees"],
)
def test_a_mask_that_does_not_cover_the_scene_is_refused(tmp_path, values, where):
    path = mask(tmp_path / "SCL.tif", values.astype("uint8"), **where)

    with pytest.raises(GridMismatch, match=r"SCL\.tif .* does not cover .*scene\.tif") as error:
        read(scene(tmp_path), mask=f"scl:{path}")

    assert is_sentence(error)


def test_a_mask_of_another_size_without_location_is_refused(tmp_path):
    path = make(tmp_path / "m.tif", np.ones((1, 5, 5), "uint8"))

    with pytest.raises(GridMismatch, match="has 5 x 5 pixels"):
        read(scene(tmp_path), mask=path)


def test_a_missing_mask_is_one_line(tmp_path):
    with pytest.raises(RasterError, match=r"gone\.tif") as error:
        read(scene(tmp_path), mask=f"scl:{tmp_path / 'gone.tif'}")

    assert is_sentence(error)


# Growing --------------------------------------------------------------------------------------


def test_what_is_hidden_grows_by_a_circle(tmp_path):
    values = np.ones(SHAPE, "uint8")
    values[6, 8] = 0
    path = mask(tmp_path / "m.tif", values)
    row, col = np.indices(SHAPE)
    distance = np.hypot(row - 6, col - 8)

    for pixels in (0, 1, 3, 4):
        _, masked = states(scene(tmp_path), mask=path, mask_dilate=pixels)

        np.testing.assert_array_equal(masked, distance <= pixels)


@in_folder
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 16)),
    pixels=st.integers(0, 9),
    factor=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_no_tile_changes_what_grows(tmp_path, size, pixels, factor, seed):
    rng = np.random.default_rng(seed)
    values = (rng.random((12, 18)) < 0.95).astype("uint8") * 4
    path = mask(tmp_path / "m.tif", values, pixel=10 * factor)
    options = {"mask": f"classes:{path}=0", "mask_dilate": pixels}
    raster = scene(tmp_path)

    tiled, at_once = states(raster, size, **options), states(raster, **options)

    np.testing.assert_array_equal(tiled, at_once)


def test_no_data_of_a_mask_does_not_grow(tmp_path):
    path = mask(tmp_path / "SCL.tif", np.where(SCL == 0, 0, 4).astype("uint8"), pixel=40)

    missing, masked = states(scene(tmp_path), mask=f"scl:{path}", mask_dilate=3)

    assert not masked.any()
    assert missing.sum() == 16 + 1


# Doubts ---------------------------------------------------------------------------------------


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "anomvae")
    return lambda: [record.getMessage() for record in caplog.records]


def test_classes_given_as_a_binary_mask_are_warned_of_with_their_histogram(tmp_path, warnings):
    path = mask(tmp_path / "SCL.tif", big(np.array([[0, 4, 4], [3, 4, 9]], "uint8"), 6)[:, :16])

    read(scene(tmp_path), mask=path)

    (line,) = warnings()
    assert line.startswith(
        f"{path} is read as a mask of two values, 0 or no data = hidden, and has 4: 4 (5"
    )
    assert "0 (18.8 %)" in line
    assert "--mask scl:FILE" in line
    assert "\n" not in line


@pytest.mark.parametrize(("value", "words"), [(1, "hides none of"), (0, "hides all of")])
def test_a_binary_mask_that_hides_nothing_or_all_is_warned_of(tmp_path, warnings, value, words):
    path = mask(tmp_path / "m.tif", np.full(SHAPE, value, "uint8"))

    read(scene(tmp_path), mask=path)

    (line,) = warnings()
    assert f"{path} {words} 192 pixels read: {value} (100 %)." in line


@pytest.mark.parametrize(
    ("kind", "values", "unknown"),
    [
        ("scl", [4, 4, 12, 200], "12 (25 %), 200 (25 %)"),
        ("qa_radsat", [0, 0, 0, 1024], "1024 (25 %)"),
        ("fmask", [0, 4, 64, 300], "300 (25 %)"),
    ],
)
def test_unknown_classes_and_bits_are_warned_of_in_one_line(
    tmp_path, warnings, kind, values, unknown
):
    path = mask(tmp_path / "m.tif", np.tile(np.uint16(values), (12, 4)))

    read(scene(tmp_path), mask=f"{kind}:{path}")

    (line,) = warnings()
    assert f"{path} holds values that are no class or bit of its kind: {unknown} of 192" in line


@pytest.mark.parametrize("text", ["{}", "classes:{}=2", "scl:{}=2"])
def test_a_mask_that_fits_its_kind_is_not_warned_of(tmp_path, warnings, text):
    values = np.full(SHAPE, 2, "uint8")
    values[3:5] = 0
    path = mask(tmp_path / "m.tif", values)

    read(scene(tmp_path), mask=text.format(path))

    assert warnings() == []


def test_only_a_part_of_a_large_mask_is_read_for_doubts(tmp_path, warnings):
    large = (2100, 2100)
    path = mask(tmp_path / "m.tif", np.ones(large, "uint8"), compress="deflate")
    values = np.ones((1, *large), "uint8")
    raster = make(tmp_path / "large.tif", values, compress="deflate", **UTM)

    with Scene.of(raster, mask=path).open() as opened:
        opened.shown((slice(0, 1), slice(0, 1)))

    (line,) = warnings()
    assert "hides none of 1048576 pixels read" in line


def test_a_scene_shows_what_its_masks_do_not_hide(tmp_path):
    path = mask(tmp_path / "SCL.tif", SCL, pixel=40)

    with Scene.of(scene(tmp_path), mask=f"scl:{path}").open() as opened:
        shown = opened.shown(whole(SHAPE))

    np.testing.assert_array_equal(shown, big(~HIDDEN & (SCL != 0)))


@given(
    hidden=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)),
    pixels=st.integers(0, 20),
)
def test_a_mask_grows_as_distances_of_scipy_say(hidden, pixels):
    distance = distance_transform_edt(~hidden) if hidden.any() else np.full(hidden.shape, np.inf)

    assert np.array_equal(grown(hidden, pixels), distance <= pixels)
