"""Covariates of a scene as rasters tell them: on its grid, brought onto it, or not at all."""

import datetime
import logging
import os
from contextlib import ExitStack

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.warp import transform
from support.rasters import NODATA, land, write

from anomvae.errors import ConfigError, CovariateMismatch, GridMismatch, RasterError
from anomvae.pixels.covariates import Covariate, day_values
from anomvae.pixels.tiling import tiles
from anomvae.raster import RasterReader, SeriesReader, with_covariates
from anomvae.raster import warped as warped_module

SHAPE = (70, 60)
UTM = Affine(10, 0, 5e5, 0, -10, 4e6)
GLOBE = Affine(2e-4, 0, 15.002, 0, -2e-4, 36.145)
LAEA = Affine(7, 1, 4774900, 2, -6, 1468250)
sides = st.integers(8, 80)
in_folder = settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene_20240601.tif", land(SHAPE))


def degrees(path, values, **profile):
    """Write values in degrees over most of the scene, about 20 m a pixel."""
    return write(path, values, crs="EPSG:4326", transform=GLOBE, **profile)


def hills(shape=(60, 60), seed=0):
    return np.random.default_rng(seed).normal(500, 90, (1, *shape)).astype(np.float32)


def read(scene, *texts, window=None, expected=None):
    """Read the values of covariates, axes (row, col, value)."""
    with RasterReader(scene) as plain, with_covariates(plain, texts, expected) as reader:
        window = window or tuple(slice(0, side) for side in reader.grid.shape)
        return reader.read(window)[0, ..., len(reader.bands) :]


def places(crs, affine):
    """Tell where the scene's pixel centres lie in a raster, (row, col) in pixels of it."""
    rows, cols = np.indices(SHAPE) + 0.5
    ones = np.ones(rows.size)
    xs, ys, _ = np.reshape(UTM, (3, 3)) @ [cols.ravel(), rows.ravel(), ones]
    there = transform("EPSG:32633", crs, xs, ys)
    col, row, _ = np.linalg.inv(np.reshape(affine, (3, 3))) @ [*there, ones]
    return row.reshape(SHAPE), col.reshape(SHAPE)


def test_a_raster_on_the_grid_is_read_as_it_is(scene, tmp_path):
    values = land(SHAPE, bands=2, seed=3)
    values[:, 4, 5] = NODATA
    dem = write(tmp_path / "dem.tif", values)

    found = read(scene, dem)

    expected = np.where(values == NODATA, np.nan, values)
    np.testing.assert_array_equal(found, np.moveaxis(expected, 0, -1))


def test_bands_come_first_and_stay_as_they_are(scene, tmp_path):
    dem = degrees(tmp_path / "dem.tif", hills())
    everything = tuple(slice(0, side) for side in SHAPE)

    with RasterReader(scene) as plain, with_covariates(plain, [dem, "day"]) as reader:
        block, bands = reader.read(everything), plain.read(everything)

    assert block.shape == (1, *SHAPE, 6 + 1 + 2)
    np.testing.assert_array_equal(block[..., :6], bands)


def test_numbers_are_weighted_between_the_four_pixels_around(scene, tmp_path):
    rows, cols = np.indices((60, 60))
    plane = (100 + 3 * rows - 2 * cols)[None].astype(np.float32)
    dem = degrees(tmp_path / "dem.tif", plane)
    row, col = places("EPSG:4326", GLOBE)

    found = read(scene, dem)[..., 0]

    inside = np.isfinite(found) & (row > 0.5) & (col > 0.5)  # nothing to weigh at its edge
    expected = 100 + 3 * (row - 0.5) - 2 * (col - 0.5)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(found[inside], expected[inside], atol=0.05)


def test_whole_metres_do_not_become_steps(scene, tmp_path):
    dem = degrees(tmp_path / "dem.tif", np.round(hills()).astype("int16"), nodata=-32768)

    found = read(scene, dem)[..., 0]

    assert (found[np.isfinite(found)] % 1 != 0).mean() > 0.9


def test_classes_are_those_of_the_nearest_pixel(scene, tmp_path):
    classes = np.random.default_rng(0).integers(1, 9, (1, 60, 60)).astype("uint8")
    cover = degrees(tmp_path / "cover.tif", classes, nodata=0)
    row, col = places("EPSG:4326", GLOBE)

    found = read(scene, f"categorical:{cover}")[..., 0]

    inside = (row > 0) & (row < 60) & (col > 0) & (col < 60)
    expected = classes[0][row[inside].astype(int), col[inside].astype(int)]
    np.testing.assert_array_equal(found[inside], expected)
    assert np.isnan(found[~inside]).all()
    assert (~inside).any()


def test_no_data_of_a_warped_raster_spreads_to_no_number(scene, tmp_path):
    values = hills()
    values[:, 20:25, 20:25] = NODATA
    dem = degrees(tmp_path / "dem.tif", values)

    found = read(scene, dem)[..., 0]

    known = found[np.isfinite(found)]
    assert np.isnan(
        found[np.isfinite(read(scene, degrees(tmp_path / "whole.tif", hills()))[..., 0])]
    ).any()
    assert known.min() > 100


@pytest.mark.parametrize("finer", [3, 40])
def test_a_raster_finer_than_the_scene_is_averaged(scene, tmp_path, finer):
    noise = np.random.default_rng(0).normal(0, 1, (1, 70 * finer // 2, 60 * finer // 2))
    affine = Affine(10 / finer, 0, 5e5, 0, -10 / finer, 4e6)
    dem = write(tmp_path / "dem.tif", noise.astype(np.float32), transform=affine)

    found = read(scene, dem)[..., 0]

    assert np.nanstd(found) < 1.2 / finer


@in_folder
@given(size=st.tuples(sides, sides), halo=st.integers(0, 9), side=st.sampled_from([7, 32, 256]))
def test_tiles_do_not_show_in_a_warped_value(tmp_path, size, halo, side):
    scene, dem = tmp_path / "scene_20240601.tif", tmp_path / "dem.tif"
    if not scene.exists():
        values = hills((120, 90))
        values[:, 30:40, 20:60] = NODATA
        write(scene, land(SHAPE))
        write(dem, values, crs="EPSG:3035", transform=LAEA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warped_module, "SIDE", side)
        whole = read(scene, dem, f"categorical:{dem}")
        by_tiles = np.zeros_like(whole)
        with (
            RasterReader(scene) as plain,
            with_covariates(plain, [dem, f"categorical:{dem}"]) as reader,
        ):
            for tile in tiles(SHAPE, size, halo):
                by_tiles[tile.keep] = reader.read(tile.read)[0, ..., 6:][tile.inner]

    assert 0.1 < np.isfinite(whole).mean() < 1
    np.testing.assert_array_equal(by_tiles, whole)


def test_a_raster_without_a_reference_must_be_on_the_grid(scene, tmp_path):
    plain = write(tmp_path / "plain.tif", hills(SHAPE), crs=None, transform=Affine.identity())
    smaller = write(tmp_path / "smaller.tif", hills((9, 9)), crs=None, transform=Affine.identity())

    assert np.isfinite(read(scene, plain)).all()
    with pytest.raises(GridMismatch, match=r"smaller.tif has 9 x 9 pixels"):
        read(scene, smaller)


def test_a_scene_without_a_reference_needs_its_own_grid(tmp_path):
    scene = write(tmp_path / "scene.tif", land(SHAPE), crs=None, transform=Affine.identity())

    with pytest.raises(GridMismatch, match=r"dem.tif"):
        read(scene, degrees(tmp_path / "dem.tif", hills()))


@pytest.mark.parametrize("text", ["{}", "categorical:{}"])
def test_a_missing_file_is_named(scene, tmp_path, text):
    with pytest.raises(RasterError, match=r"gone.tif does not exist"):
        read(scene, text.format(tmp_path / "gone.tif"))


def test_a_damaged_file_is_named(scene, tmp_path):
    dem = degrees(tmp_path / "dem.tif", hills((400, 400)), compress="deflate")
    dem.write_bytes(dem.read_bytes()[:3000])

    with pytest.raises(RasterError, match=r"dem.tif .*damaged or cut short"):
        read(scene, dem)


def test_the_day_is_that_of_the_name_or_the_one_given(scene):
    june, may = (day_values(datetime.date(2024, month, 1)) for month in (6, 5))

    np.testing.assert_array_equal(read(scene, "day")[3, 4], june)
    np.testing.assert_array_equal(read(scene, "day:2024-05-01")[3, 4], may)


def test_every_date_of_a_series_has_its_own_day(tmp_path):
    paths = [write(tmp_path / f"{day}.tif", land()) for day in ("2024-05-01", "2024-06-01")]

    with ExitStack() as files:
        plain = [files.enter_context(RasterReader(path)) for path in paths]
        told = [files.enter_context(with_covariates(date, ["day"])) for date in plain]
        series = SeriesReader(told)
        block = series.using(series.bands.choose("2")).read((slice(0, 3), slice(0, 4)))

    assert block.shape == (2, 3, 4, 1 + 2)
    np.testing.assert_array_equal(block[1, 0, 0, 1:], day_values(datetime.date(2024, 6, 1)))


def test_bands_are_named_where_the_file_names_them(scene, tmp_path):
    named = write(tmp_path / "dem.tif", land(SHAPE, bands=2), names=["height", "slope"])

    with RasterReader(scene) as plain, with_covariates(plain, [named, "day"]) as reader:
        found = reader.covariates

    assert found == (
        Covariate("continuous", "dem.tif", "height"),
        Covariate("continuous", "dem.tif", "slope"),
        Covariate("day"),
    )


def test_a_covariate_is_part_of_what_identifies_a_scene(scene, tmp_path):
    dem = degrees(tmp_path / "dem.tif", hills())

    def state(*texts):
        with RasterReader(scene) as plain, with_covariates(plain, texts) as reader:
            return reader.fingerprint

    before = state(dem, "day")
    os.utime(dem, (1, 1))

    assert [one.name for one in before] == ["scene_20240601.tif", "dem.tif", "day:2024-06-01"]
    assert state(dem, "day") != before
    assert state(dem, "day:2024-07-01")[1:] != state(dem, "day")[1:]


def test_without_covariates_a_scene_is_given_as_it_is(scene):
    with RasterReader(scene) as plain, with_covariates(plain, []) as reader:
        assert reader is plain


def test_covariates_are_those_of_the_detector_or_refused(scene, tmp_path):
    dem = degrees(tmp_path / "dem.tif", hills())

    with pytest.raises(
        CovariateMismatch, match=r"--covariates continuous:dem.tif --covariates day"
    ):
        read(scene, dem, expected=(Covariate("continuous", "dem.tif"), Covariate("day")))
    with pytest.raises(ConfigError, match=r"categorical"):
        read(scene, "categorical:")


def test_a_raster_that_lies_elsewhere_is_unknown_and_warned_of(scene, tmp_path, caplog):
    far = write(tmp_path / "far.tif", hills(), transform=Affine(10, 0, 6e5, 0, -10, 4.2e6))

    with caplog.at_level(logging.WARNING):
        found = read(scene, far, expected=(Covariate("continuous", "dem.tif"),))

    assert np.isnan(found).all()
    assert "continuous:far.tif has no value at any pixel read" in caplog.text
