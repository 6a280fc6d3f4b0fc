"""Covariates of a scene from rasters: on its grid, or warped to it."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform
from support.rasters import NODATA, land, write
from support.scene_files import in_folder, make

from anomvae.errors import GridMismatch, RasterError
from anomvae.pixels.covariates import Covariate
from anomvae.pixels.tiling import tiles, whole
from anomvae.raster import Scene, open_raster
from anomvae.raster.warped import Warped, warped

SHAPE = (70, 60)
UTM = Affine(10, 0, 5e5, 0, -10, 4e6)
GLOBE = Affine(2e-4, 0, 15.002, 0, -2e-4, 36.145)
LAEA = Affine(7, 1, 4774900, 2, -6, 1468250)


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene_20240601.tif", land(SHAPE))


def degrees(path, values, **profile):
    """Write values in degrees over most of the scene, about 20 m a pixel."""
    return write(path, values, crs="EPSG:4326", transform=GLOBE, **profile)


def hills(shape=(60, 60), seed=0):
    return np.random.default_rng(seed).normal(500, 90, (1, *shape)).astype(np.float32)


def read(scene, *covariates):
    """Read the values of covariates, axes (row, col, value)."""
    with Scene.of(scene, covariates=covariates).open() as opened:
        return opened.read(whole(opened.grid.shape))[0, ..., len(opened.bands) :]


def pixels_in(crs, affine):
    """Return where the pixel centres of the scene lie in a raster, (row, col) in its pixels."""
    rows, cols = np.indices(SHAPE) + 0.5
    xs, ys = UTM @ (cols.ravel(), rows.ravel())
    col, row = ~affine @ tuple(map(np.array, transform("EPSG:32633", crs, xs, ys)))
    return row.reshape(SHAPE), col.reshape(SHAPE)


def test_a_raster_on_the_grid_keeps_its_values_and_names_and_classes_are_its_first_band(
    scene, tmp_path
):
    values = land(SHAPE, bands=2, seed=3)
    values[:, 4, 5] = NODATA
    names = ("height", "slope")
    dem = write(tmp_path / "dem.tif", values, names)

    with Scene.of(scene, covariates=[dem]).open() as opened:
        covariates = opened.covariates

    expected = np.where(values == NODATA, np.nan, values)
    np.testing.assert_array_equal(read(scene, dem), np.moveaxis(expected, 0, -1))
    np.testing.assert_array_equal(read(scene, f"categorical:{dem}")[..., 0], expected[0])
    assert covariates == tuple(Covariate("continuous", "dem.tif", name) for name in names)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_numbers_are_weighted_between_the_four_pixels_around_and_not_rounded(
    scene, tmp_path, dtype
):
    rows, cols = np.indices((60, 60))
    plane = (100 + 3 * rows - 2 * cols)[None].astype(dtype)
    dem = degrees(tmp_path / "dem.tif", plane, nodata=-32768)
    row, col = pixels_in("EPSG:4326", GLOBE)

    values = read(scene, dem)[..., 0]

    inside = np.isfinite(values) & (row > 0.5) & (col > 0.5)  # no neighbours beyond the edge
    expected = 100 + 3 * (row - 0.5) - 2 * (col - 0.5)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(values[inside], expected[inside], atol=0.05)


def test_classes_are_those_of_the_nearest_pixel(scene, tmp_path):
    classes = np.random.default_rng(0).integers(1, 9, (1, 60, 60)).astype("uint8")
    cover = degrees(tmp_path / "cover.tif", classes, nodata=0)
    row, col = pixels_in("EPSG:4326", GLOBE)

    values = read(scene, f"categorical:{cover}")[..., 0]

    inside = (row > 0) & (row < 60) & (col > 0) & (col < 60)
    expected = classes[0][row[inside].astype(int), col[inside].astype(int)]
    np.testing.assert_array_equal(values[inside], expected)
    assert np.isnan(values[~inside]).all()
    assert (~inside).any()


@pytest.mark.parametrize("masked", ["by nodata", "by alpha", "not at all"])
def test_a_warped_raster_is_unknown_where_it_is_masked_or_ends(scene, tmp_path, masked):
    complete = read(scene, degrees(tmp_path / "complete.tif", hills()))
    values, hole, options = hills(), np.s_[:, 20:25, 20:25], {}
    if masked == "by nodata":
        values[hole], options = NODATA, {"nodata": NODATA}
    elif masked == "by alpha":
        alpha = np.full_like(values, 255)
        alpha[hole] = 0
        values = np.concatenate([values, alpha])
        options["alpha"] = "YES"
    dem = make(tmp_path / "dem.tif", values, crs="EPSG:4326", transform=GLOBE, **options)

    result = read(scene, dem)

    assert np.isnan(result[np.isnan(complete)]).all()
    assert np.isnan(result[np.isfinite(complete)]).any() == (masked != "not at all")
    assert np.nanmin(result) > 100  # nothing mixes with what is masked


@pytest.mark.parametrize("finer", [3, 40])
def test_a_raster_finer_than_the_scene_is_averaged(scene, tmp_path, finer):
    noise = np.random.default_rng(0).normal(0, 1, (1, 70 * finer // 2, 60 * finer // 2))
    affine = Affine(10 / finer, 0, 5e5, 0, -10 / finer, 4e6)
    dem = write(tmp_path / "dem.tif", noise.astype(np.float32), transform=affine)

    assert np.nanstd(read(scene, dem)) < 1.2 / finer


sides = st.integers(8, 80)


@in_folder
@given(size=st.tuples(sides, sides), halo=st.integers(0, 9), side=st.sampled_from([7, 32, 256]))
@pytest.mark.parametrize("nearest", [False, True])
def test_a_warped_value_does_not_depend_on_tiles(scene, tmp_path, nearest, size, halo, side):
    values = hills((120, 90))
    values[:, 30:40, 20:60] = NODATA
    dem = write(tmp_path / "dem.tif", values, crs="EPSG:3035", transform=LAEA)

    with (
        Scene.of(scene).open() as opened,
        open_raster(dem) as source,
        warped(source, opened.grid, "scene", nearest=nearest) as on_grid,
    ):
        in_blocks = Warped(on_grid.source, side)
        expected = in_blocks.read(source.bands, whole(SHAPE))
        by_tiles = np.zeros_like(expected)
        for tile in tiles(SHAPE, size, halo):
            by_tiles[tile.keep] = in_blocks.read(source.bands, tile.read)[tile.inner]

    assert 0.1 < np.isfinite(expected).mean() < 1
    np.testing.assert_array_equal(by_tiles, expected)


def test_without_a_reference_system_grids_must_agree(scene, tmp_path):
    plain = {"crs": None, "transform": Affine.identity()}
    same = write(tmp_path / "same.tif", hills(SHAPE), **plain)
    dem = degrees(tmp_path / "dem.tif", hills())
    without = write(tmp_path / "without.tif", land(SHAPE), **plain)

    assert np.isfinite(read(scene, same)).all()
    with pytest.raises(GridMismatch, match=r"dem\.tif"):
        read(without, dem)


def test_a_damaged_file_is_named(scene, tmp_path):
    dem = degrees(tmp_path / "dem.tif", hills((400, 400)), compress="deflate")
    dem.write_bytes(dem.read_bytes()[:3000])

    with pytest.raises(RasterError, match=r"dem\.tif .*damaged or cut short"):
        read(scene, dem)
