"""Values and validity of a raster, whatever its format; refused rasters."""

import logging
import os
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import rasterio
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.enums import ColorInterp
from support.scene_files import (
    UTM,
    bands_in,
    in_folder,
    is_sentence,
    make,
    ramp,
    read,
    setting,
    source,
    vrt,
)

from anomvae.errors import GridMismatch, RasterError
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import Scene, open_raster, read_labels
from anomvae.raster.values import CHUNK, TAKEN


def hidden(block):
    """Return the (row, col, band) of every NaN."""
    return np.argwhere(np.isnan(block)).tolist()


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "int64"]
)
def test_values_are_float32_with_the_band_last(tmp_path, dtype, interleave):
    values = ramp(dtype=dtype)

    with open_raster(make(tmp_path / "a.tif", values, interleave=interleave)) as dataset:
        block = dataset.read(dataset.bands, (slice(1, 3), slice(0, 3)))

    assert block.dtype == np.float32
    assert dataset.types == (dtype,)
    np.testing.assert_array_equal(block, values[:, 1:3, 0:3].transpose(1, 2, 0))


@pytest.mark.parametrize("shape", [(1000, 1, 1), (2, 1, CHUNK), (1, CHUNK // 100, 250)])
def test_values_are_exact_for_any_number_of_bands_rows_and_columns(tmp_path, shape):
    values = ramp(*shape, dtype="int32")

    block = read(make(tmp_path / "a.tif", values, nodata=7))

    np.testing.assert_array_equal(block, np.where(values == 7, np.nan, values).transpose(1, 2, 0))


def test_nan_infinity_and_what_float32_cannot_hold_are_no_data(tmp_path):
    values = np.array([[[1, np.nan, np.inf, -np.inf, 1e300, -3.5e38]]])

    block = read(make(tmp_path / "a.tif", values))

    np.testing.assert_array_equal(block[0, :, 0], [1] + 5 * [np.nan])


@in_folder
@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "float32"]),
    declared=st.sampled_from([None, 0, 7, 9.5]),
    given=st.sampled_from([[], [7], [0, 7]]),
)
def test_numbers_of_a_file_are_read_where_they_state_their_values(tmp_path, dtype, declared, given):
    values = ramp(2, dtype=dtype)
    path = make(tmp_path / "a.tif", values, nodata=declared, describe=setting(scales=(3.0, 1e38)))
    window = slice(1, 3), slice(0, 3)

    with open_raster(path) as dataset:
        dataset = replace(dataset, nodata=tuple(map(float, given)))
        numbers = dataset.read_numbers(dataset.bands, window)
        block = dataset.read(dataset.bands, window)

    fills = {*given, *([] if declared is None else [declared])}
    exact = fills <= {0} if dtype == "float32" else fills <= {0, 7}
    assert (numbers is not None) == (dtype in TAKEN and len(fills) < 2 and exact)
    if numbers is not None:
        assert numbers.numbers.dtype == dtype
        np.testing.assert_array_equal(np.asarray(numbers)[0], block)
        for rows in (slice(0), slice(1)):  # of no pixels, too
            np.testing.assert_array_equal(np.asarray(numbers[:, rows])[0], block[rows])


@in_folder
@given(size=st.tuples(*[st.sampled_from([8, 16, 24, 32, 48, 64, 99])] * 2))
def test_windows_share_blocks_of_a_file_where_the_dataset_reports_it(tmp_path, size):
    blocked = {"tiled": True, "blockxsize": 16, "blockysize": 32}
    path = make(tmp_path / "a.tif", ramp(1, 70, 40), **blocked)
    blocks = [
        {(row // 32, col // 16) for row, col in product(range(70)[rows], range(40)[cols])}
        for rows, cols in (tile.keep for tile in tiles((70, 40), size))
    ]

    with open_raster(path) as dataset:
        assert dataset.splits_blocks(size) == (sum(map(len, blocks)) > len(set().union(*blocks)))
    with open_raster(vrt(tmp_path / "a.vrt", [("Byte", source(path.name))], (70, 40))) as virtual:
        assert virtual.splits_blocks(size)  # nobody knows how its sources are stored


@in_folder
@given(
    values=arrays("uint16", (1, 2, 3))
    | arrays("int32", (1, 2, 3))
    | arrays("float32", (1, 2, 3), elements=st.floats(-1e6, 1e6, width=32)),
    scale=st.sampled_from([1e-4, 2.75e-05, 0.1, 1.0, 3.0]),
    offset=st.sampled_from([0.0, -0.2, -1e9, 273.15]),
)
@example(values=np.full((1, 2, 3), 7, "uint16"), scale=2.0, offset=0.0)
def test_scale_and_offset_are_applied_in_float64(tmp_path, values, scale, offset):
    describe = setting(scales=(scale,), offsets=(offset,))
    expected = (values[0].astype(np.float64) * scale + offset).astype(np.float32)

    path = make(tmp_path / "a.tif", values, describe=describe)

    np.testing.assert_array_equal(read(path)[..., 0], expected)
    band = bands_in(path).items[0]
    assert (band.scale, band.offset) == (scale, offset)


def test_each_band_has_its_own_type_scale_offset_and_nodata_in_stored_values(tmp_path):
    make(tmp_path / "a.tif", [[[0, 2, 5]]], dtype="uint8")
    make(tmp_path / "b.tif", [[[0, 2 / 3, 1e300]]], dtype="float64")
    radiometry = "<NoDataValue>2</NoDataValue><Scale>0.5</Scale><Offset>10</Offset>"
    bands = [
        ("Byte", radiometry + source("a.tif")),
        ("UInt16", "<NoDataValue>0</NoDataValue>" + source("a.tif")),
        ("Float64", "<Offset>-1</Offset>" + source("b.tif")),
    ]

    block = read(vrt(tmp_path / "a.vrt", bands, (1, 3)))

    expected = [[10, np.nan, 12.5], [np.nan, 2, 5], [-1, np.float32(2 / 3 - 1), np.nan]]
    np.testing.assert_array_equal(block[0].T, expected)


@pytest.mark.parametrize(
    ("dtype", "nodata", "others"),
    [
        ("int32", np.iinfo("int32").min, [np.iinfo("int32").min + 1, 0]),
        ("float32", -3.4028234663852886e38, [1, -1, 0]),
        ("float32", -3.40282347e38, [1, -1, 0]),  # text rounds it
        ("float32", -9999.0, [-9998, 9999, 0]),
        ("float32", 1e-30, [1, -1, 0, 2e-30]),
        ("float32", np.nan, [1, 0]),
    ],
)
def test_values_near_nodata_stay_data(tmp_path, dtype, nodata, others):
    path = make(tmp_path / "a.tif", np.array([[[nodata, *others]]], dtype), nodata=nodata)

    assert hidden(read(path)) == [[0, 0, 0]]
    assert bands_in(path) == bands_in(path)  # a nodata value of NaN would differ from itself


@pytest.mark.parametrize("nodata", [-9999, 1e300])
def test_a_nodata_value_that_no_pixel_can_have_hides_nothing(tmp_path, nodata):
    make(tmp_path / "a.tif", ramp(1))
    value = f"<NoDataValue>{nodata}</NoDataValue>"
    path = vrt(tmp_path / "a.vrt", [("Byte", value + source("a.tif"))])

    np.testing.assert_array_equal(read(path)[..., 0], ramp(1)[0])


@pytest.mark.parametrize("count", [1, 3, 5])
def test_alpha_hides_the_pixel_and_is_no_data_band(tmp_path, count):
    values = np.concatenate([ramp(count), np.full((1, 3, 4), 255, "uint8")])
    values[-1, 1, 2], values[-1, 0, 0] = 0, 1
    make(tmp_path / "a.tif", values)
    alpha = "<ColorInterp>Alpha</ColorInterp>" + source("a.tif", count + 1)
    data = [("Byte", source("a.tif", band + 1)) for band in range(count)]
    path = vrt(tmp_path / "a.vrt", [*data, ("Byte", alpha)])

    block = read(path)

    assert block.shape == (3, 4, count)
    assert hidden(block) == [[1, 2, band] for band in range(count)]


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("nodata", [None, 3])
def test_the_dataset_mask_hides_the_pixel_and_nodata_its_value(tmp_path, inside, nodata):
    mask = np.full((3, 4), 255, "uint8")
    mask[2, 1] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside):
        path = make(
            tmp_path / "a.tif",
            ramp(),
            nodata=nodata,
            photometric="minisblack",
            describe=lambda dataset: dataset.write_mask(mask),
        )

    by_nodata = [] if nodata is None else [[0, 2, 0]]
    assert (tmp_path / "a.tif.msk").exists() is not inside
    assert hidden(read(path)) == [*by_nodata, [2, 1, 0], [2, 1, 1]]
    assert bands_in(path).items[0].nodata == nodata


def test_a_mask_of_one_band_hides_its_values_only(tmp_path):
    make(tmp_path / "a.tif", ramp())
    make(tmp_path / "m.tif", (ramp(1) != 6).astype("uint8") * 255)
    mask = f'<MaskBand><VRTRasterBand dataType="Byte">{source("m.tif")}</VRTRasterBand></MaskBand>'
    second = source("a.tif", 2) + mask
    path = vrt(tmp_path / "a.vrt", [("Byte", source("a.tif")), ("Byte", second)])

    assert hidden(read(path)) == [[1, 1, 1]]


def test_nodata_of_all_bands_together_hides_the_pixel(tmp_path):
    values = np.array([[[0, 0, 1]], [[0, 2, 0]], [[0, 3, 3]]], "uint8")
    path = make(tmp_path / "a.tif", values, describe=lambda d: d.update_tags(NODATA_VALUES="0 0 0"))

    assert hidden(read(path)) == [[0, 0, band] for band in range(3)]


def test_labels_are_the_first_band_on_the_grid_of_the_scene(tmp_path):
    path = make(tmp_path / "labels.tif", np.uint8([[[0, 1, 255]], [[7, 7, 7]]]), nodata=255)

    np.testing.assert_array_equal(read_labels(path, Grid((1, 3)), "scene"), [[0, 1, np.nan]])
    with pytest.raises(GridMismatch, match=r"labels\.tif has 1 x 3 pixels, but scene has 1 x 4"):
        read_labels(path, Grid((1, 4)), "scene")


def test_a_palette_is_read_as_numbers_with_a_warning(tmp_path, caplog):
    red = {1: (255, 0, 0)}
    path = make(tmp_path / "a.tif", ramp(1), describe=lambda d: d.write_colormap(1, red))

    with caplog.at_level(logging.WARNING, "anomvae"):
        block = read(path)

    np.testing.assert_array_equal(block[..., 0], ramp(1)[0])
    assert "colour table" in caplog.text


def container(folder):
    path = folder / "a.gpkg"
    for name in ("one", "two"):
        more = {"RASTER_TABLE": name, "APPEND_SUBDATASET": "YES" if path.exists() else "NO"}
        make(path, ramp(1, 8, 8), driver="GPKG", **UTM, **more)
    return path


def alpha_alone(folder):
    alpha = setting(colorinterp=[ColorInterp.alpha])
    return make(folder / "a.tif", np.full((1, 3, 4), 255, "uint8"), describe=alpha)


def text(folder):
    (folder / "a.tif").write_text("hello")
    return folder / "a.tif"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (text, "cannot be opened as a raster"),
        (alpha_alone, "only an alpha band"),
        (container, r"container of 2 rasters.*GPKG:.*:one"),
    ],
)
def test_a_file_without_a_raster_of_real_numbers_is_refused(tmp_path, build, message):
    with pytest.raises(RasterError, match=message) as error:
        read(build(tmp_path))

    assert is_sentence(error)


def test_a_raster_of_a_container_is_read_by_its_own_name(tmp_path):
    path = container(tmp_path)

    np.testing.assert_array_equal(read(f"GPKG:{path}:two")[..., 0], ramp(1, 8, 8)[0])


def test_a_truncated_file_is_named_with_the_rows_that_cannot_be_read(tmp_path):
    noise = np.random.default_rng(0).random((2, 600, 600)).astype("float32")
    path = make(tmp_path / "a.tif", noise, tiled=True, blockxsize=256, blockysize=256)
    os.truncate(path, path.stat().st_size // 2)

    with Scene.of(path).open() as opened, pytest.raises(RasterError) as error:
        opened.read((slice(500, 600), slice(0, 600)))

    assert str(error.value).startswith(f"{path} cannot be read at rows 500 to 599: ")
    assert str(error.value).endswith("The file seems damaged or cut short: fetch or copy it again.")
    assert is_sentence(error)
