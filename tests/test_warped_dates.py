"""Earlier dates of a scene on another grid: as a direct warp gives them, or refused in one line."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.warp import Resampling, reproject, transform
from support.scene_files import UTM, in_folder, is_sentence, make

from anomvae.errors import GridMismatch
from anomvae.pixels.covariates import parse_covariates
from anomvae.pixels.tiling import whole
from anomvae.raster import Scene

SHAPE = 40, 48
PLACES = {
    "half a pixel": ("EPSG:32618", 10, -5, 5, (40, 48)),
    "three pixels": ("EPSG:32618", 10, 30, -30, (40, 48)),
    "finer": ("EPSG:32618", 4, -12, 8, (110, 130)),
    "coarser": ("EPSG:32618", 30, -12, 8, (12, 14)),
    "another system": ("EPSG:32617", 10, 0, 0, (60, 60)),
}
"""Reference system, side of a pixel, shift to the east and north, m, rows and columns."""


def land(rows, cols, gap=True):
    """Return smooth values with noise, two bands; 0 is no data, in one of them or in both."""
    row, col = np.mgrid[:rows, :cols] / 7
    noise = np.random.default_rng(1).normal(0, 0.1, (2, rows, cols))
    values = (5 + np.sin([row + col, row - col]) + noise).astype("float32")
    if gap:
        values[:, rows // 3 : rows // 2, 3 : cols // 3] = 0
        values[0, -4, cols // 2] = 0
    return values


def write_older(path, place, **options):
    """Write a date on another grid than the newest; return its values and where they are."""
    system, side, east, north, shape = PLACES[place]
    x, y = 5e5 + east, 4e6 + north
    if system == "EPSG:32617":  # the same ground, turned by some degrees
        (x,), (y,) = transform("EPSG:32618", system, [5e5], [4e6])
    located = {"crs": system, "transform": Affine(side, 0, x, 0, -side, y)}
    values = land(*shape)
    make(path, values, nodata=0, **located, **options)
    return values, located


def pair(folder, place="half a pixel", **fields):
    write_older(folder / "2024-06-01.tif", place)
    make(folder / "2024-06-11.tif", land(*SHAPE, gap=False), nodata=0, **UTM)
    scene = Scene.of([folder / "2024-06-01.tif", folder / "2024-06-11.tif"])
    return replace(scene, warp=True, **fields)


def read(scene):
    with scene.open() as opened:
        return opened.read(whole(opened.grid.shape))


def older(scene):
    return read(scene)[0]


@pytest.mark.parametrize("place", PLACES)
def test_an_older_date_has_the_values_of_a_direct_warp_onto_the_newest_grid(tmp_path, place):
    values, located = write_older(tmp_path / "x.tif", place)
    scene = pair(tmp_path, place)
    direct = np.full((2, *SHAPE), np.nan)
    scale = min(1.0, located["transform"].a / 10)
    for band, target in zip(values.astype("float64"), direct, strict=True):
        given = {"src_transform": located["transform"], "src_crs": located["crs"]}
        given |= {"dst_transform": UTM["transform"], "dst_crs": UTM["crs"], "tolerance": 1e-6}
        how = {"resampling": Resampling.bilinear, "src_nodata": 0, "dst_nodata": np.nan}
        reproject(band, target, **given, **how, XSCALE=scale, YSCALE=scale)
    direct = np.moveaxis(direct, 0, -1)

    before, newest = read(scene)

    known = np.isfinite(direct).all(axis=-1)
    assert 0.3 < known.mean() < 1
    assert np.mean(np.isfinite(before).all(axis=-1) != known) < 0.002
    assert np.allclose(before[known], direct[known], atol=2e-4, equal_nan=True)
    assert np.array_equal(newest, np.moveaxis(land(*SHAPE, gap=False), 0, -1))


def edges(length):
    return st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True).map(sorted)


@pytest.mark.parametrize("place", ["half a pixel", "finer", "another system"])
def test_values_do_not_depend_on_the_window(tmp_path, place):
    scene = pair(tmp_path, place)
    expected = read(scene)
    with pickle.loads(pickle.dumps(scene)).open() as opened:

        @in_folder
        @given(edges(SHAPE[0]), edges(SHAPE[1]))
        def check(rows, cols):
            window = slice(*rows), slice(*cols)
            assert np.array_equal(opened.read(window), expected[:, *window], equal_nan=True)

        check()


def test_a_masked_pixel_of_an_older_date_is_part_of_no_value(tmp_path):
    scene = pair(tmp_path)
    clear = older(scene)
    path, values = tmp_path / "2024-06-01.tif", land(*SHAPE)
    values[:, 20:25, 30:36] = 1000  # a cloud, which the mask of the date hides
    place = {"crs": "EPSG:32618", "transform": Affine(10, 0, 5e5 - 5, 0, -10, 4e6 + 5)}
    make(path, values, nodata=0, **place)
    mask = np.ones((1, 60, 60), "uint8")
    mask[0, 30:35, 40:46] = 0
    wide = {"crs": "EPSG:32618", "transform": Affine(10, 0, 5e5 - 105, 0, -10, 4e6 + 105)}
    make(tmp_path / "mask.tif", mask, **wide)

    hidden = older(replace(scene, mask=str(tmp_path / "mask.tif")))

    gone = np.isnan(hidden) & np.isfinite(clear)
    known = np.isfinite(hidden)
    assert gone[..., 0].sum() == 5 * 6
    assert hidden[known].max() < 8
    away = np.ones(SHAPE, bool)
    away[18:27, 28:38] = False
    assert np.array_equal(hidden[away], clear[away], equal_nan=True)


def test_flags_of_an_older_date_hide_the_pixels_that_they_lie_on(tmp_path):
    scene = pair(tmp_path, "three pixels")
    first = tmp_path / "2024-05-01.tif"
    make(first, land(*SHAPE, gap=False), nodata=0, **UTM)
    flags = np.zeros((1, *SHAPE), "uint8")
    flags[0, 20:22, 30:35] = 1
    _, located = write_older(tmp_path / "x.tif", "three pixels")
    make(tmp_path / "flags.tif", flags, **located)
    dates = (Scene.of(first).dates[0], *scene.dates)
    three = replace(scene, dates=dates)

    shown, unhidden = (
        read(replace(three, hidden=hidden))[1]
        for hidden in ((None, str(tmp_path / "flags.tif"), None), ())
    )

    gone = np.isnan(shown).all(axis=-1) & np.isfinite(unhidden).all(axis=-1)
    assert np.argwhere(gone).tolist() == [[r, c] for r in (23, 24) for c in range(33, 38)]


def test_covariates_lie_on_the_newest_grid_of_every_date(tmp_path):
    heights = np.arange(40 * 48, dtype="float32").reshape(1, *SHAPE)
    make(tmp_path / "dem.tif", heights, **UTM)
    specs = parse_covariates([str(tmp_path / "dem.tif")])

    block = read(pair(tmp_path, covariates=specs))

    assert np.array_equal(block[0, ..., 2], heights[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"warp": False}, "lies elsewhere than"),
        ({"elsewhere": Affine(10, 0, 7e5, 0, -10, 4e6)}, "shows no ground of"),
        ({"crs": None}, "48 pixels, but|lies elsewhere than"),
    ],
)
def test_a_date_that_is_not_to_be_or_cannot_be_warped_is_one_line(tmp_path, change, words):
    scene = replace(pair(tmp_path), warp=change.get("warp", True))
    if "warp" not in change:
        place = change.get("elsewhere", Affine(10, 0, 5e5 + 30, 0, -10, 4e6))
        located = {"crs": change.get("crs", "EPSG:32618"), "transform": place}
        make(tmp_path / "2024-06-01.tif", land(*SHAPE), nodata=0, **located)

    with pytest.raises(GridMismatch, match=words) as error, scene.open():
        pass

    assert is_sentence(error)
