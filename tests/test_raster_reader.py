import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.enums import ColorInterp, Resampling

from anomvae.errors import ConfigError, GridMismatch, RasterError
from anomvae.pixels.tiling import tiles
from anomvae.raster import RasterReader, stem_of
from anomvae.raster.description import nanometres
from anomvae.raster.gdal import unwarned

UTM = {"crs": "EPSG:32618", "transform": rasterio.Affine(3.5, 0, 5e5, 0, -3.5, 4e6)}


def make(path, values, *, describe=None, **options):
    """Write (band, row, col) to a file; `describe` finishes the open dataset."""
    values = np.asarray(values)
    count, height, width = values.shape
    options = {"driver": "GTiff", "dtype": values.dtype, **options}
    with (
        unwarned(),
        rasterio.open(path, "w", count=count, height=height, width=width, **options) as dataset,
    ):
        dataset.write(values)
        if describe:
            describe(dataset)
    return path


def vrt(path, bands, shape=(3, 4), extra=""):
    """Write a VRT; `bands` are (type, inner XML)."""
    inner = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{number}">{xml}</VRTRasterBand>'
        for number, (kind, xml) in enumerate(bands, start=1)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{shape[1]}" rasterYSize="{shape[0]}">{extra}{inner}</VRTDataset>'
    )
    return path


def source(file, band=1, tag="SourceFilename"):
    return (
        f'<SimpleSource><{tag} relativeToVRT="1">{file}</{tag}>'
        f"<SourceBand>{band}</SourceBand></SimpleSource>"
    )


def read(path, **options):
    """Read a whole file, axes (row, col, band)."""
    with RasterReader(path, **options) as reader:
        return whole(reader)


def whole(reader):
    rows, cols = reader.shape
    return reader.read((slice(0, rows), slice(0, cols)))[0]


def bands(path):
    with RasterReader(path) as reader:
        return reader.bands


def ramp(count=2, rows=3, cols=4, dtype="uint8"):
    return np.arange(1, count * rows * cols + 1).reshape(count, rows, cols).astype(dtype)


# -- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "int64"]
)
def test_a_block_has_axes_time_row_col_band(tmp_path, dtype, interleave):
    values = ramp(dtype=dtype)
    path = make(tmp_path / "a.tif", values, interleave=interleave)

    with RasterReader(path) as reader:
        block = reader.read((slice(1, 3), slice(0, 3)))

    assert block.dtype == np.float32
    np.testing.assert_array_equal(block, values[:, 1:3, 0:3].transpose(1, 2, 0)[np.newaxis])


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    tiled=st.booleans(),
)
def test_windows_put_together_are_the_raster(tmp_path, shape, size, tiled):
    values = ramp(3, *shape, dtype="float32")
    blocks = {"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled else {}
    path = make(tmp_path / "a.tif", values, nodata=5, **blocks)
    rebuilt = np.zeros((*shape, 3), np.float32)

    with RasterReader(path) as reader:
        for tile in tiles(reader.shape, size):
            rebuilt[tile.keep] = reader.read(tile.keep)[0]

    np.testing.assert_array_equal(rebuilt, np.where(values == 5, np.nan, values).transpose(1, 2, 0))


def test_mixed_types_are_read_as_float32(tmp_path):
    make(tmp_path / "a.tif", ramp(1, dtype="uint16"))
    make(tmp_path / "b.tif", ramp(1, dtype="float64") / 3)
    path = vrt(tmp_path / "m.vrt", [("UInt16", source("a.tif")), ("Float64", source("b.tif"))])

    block = read(path)

    np.testing.assert_array_equal(block[..., 0], ramp(1)[0])
    np.testing.assert_array_equal(block[..., 1], (ramp(1, dtype="float64") / 3)[0].astype("f4"))


def test_nan_infinity_and_what_float32_cannot_hold_are_no_data(tmp_path):
    values = np.array([[[1, np.nan, np.inf, -np.inf, 1e300, -3.5e38]]])

    block = read(make(tmp_path / "a.tif", values))

    np.testing.assert_array_equal(block[0, :, 0], [1] + 5 * [np.nan])


def test_a_thousand_bands_and_one_pixel(tmp_path):
    values = ramp(1000, 1, 1, dtype="float32")

    block = read(make(tmp_path / "a.tif", values))

    np.testing.assert_array_equal(block, values.transpose(1, 2, 0))


# -- scale and offset -----------------------------------------------------------------------------


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.one_of(
        arrays("uint16", (1, 2, 3)),
        arrays("int32", (1, 2, 3)),
        arrays("float32", (1, 2, 3), elements=st.floats(-1e6, 1e6, width=32)),
    ),
    scale=st.sampled_from([1e-4, 2.75e-05, 0.1, 1.0, 3.0]),
    offset=st.sampled_from([0.0, -0.2, -1e9, 273.15]),
)
def test_scale_and_offset_are_right_to_float32(tmp_path, values, scale, offset):
    def describe(dataset):
        dataset.scales, dataset.offsets = (scale,), (offset,)

    path = make(tmp_path / "a.tif", values, describe=describe)
    expected = (values[0].astype(np.float64) * scale + offset).astype(np.float32)

    block, found = read(path), bands(path)

    np.testing.assert_array_equal(block[..., 0], expected)
    assert (found.items[0].scale, found.items[0].offset) == (scale, offset)


def test_nodata_is_told_in_stored_values(tmp_path):
    def describe(dataset):
        dataset.scales, dataset.offsets = (0.5, 1.0), (10.0, 0.0)

    path = make(
        tmp_path / "a.tif", [[[0, 2]], [[0, 2]]], dtype="uint8", nodata=0, describe=describe
    )

    block = read(path)

    np.testing.assert_array_equal(block[0], [[np.nan, np.nan], [11, 2]])


# -- validity -------------------------------------------------------------------------------------


def test_nodata_hides_a_value_in_its_band_only(tmp_path):
    path = make(tmp_path / "a.tif", ramp(), nodata=3)

    block = read(path)

    assert np.argwhere(np.isnan(block)).tolist() == [[0, 2, 0]]
    assert bands(path).items[0].nodata == 3


def test_large_integers_near_nodata_stay_data(tmp_path):
    lowest = np.iinfo("int32").min
    path = make(tmp_path / "a.tif", np.array([[[lowest, lowest + 1]]], "int32"), nodata=lowest)

    block = read(path)

    assert np.isnan(block[0, :, 0]).tolist() == [True, False]


@pytest.mark.parametrize("nodata", [-3.4028234663852886e38, -3.40282347e38, -9999.0, 1e-30])
def test_nodata_of_a_float_band_is_found_although_text_rounds_it(tmp_path, nodata):
    values = np.float32([[[nodata, 1, -1, 0]]])

    block = read(make(tmp_path / "a.tif", values, nodata=nodata))

    assert np.isnan(block[0, :, 0]).tolist() == [True, False, False, False]


@pytest.mark.parametrize("nodata", [-9999, 1e300])
def test_a_nodata_value_that_no_pixel_can_have_hides_nothing(tmp_path, nodata):
    make(tmp_path / "a.tif", ramp(1))
    value = f"<NoDataValue>{nodata}</NoDataValue>"
    path = vrt(tmp_path / "a.vrt", [("Byte", value + source("a.tif"))])

    block = read(path)

    np.testing.assert_array_equal(block[..., 0], ramp(1)[0])


def test_a_nodata_value_of_nan_needs_no_word(tmp_path):
    path = make(tmp_path / "a.tif", np.float32([[[1, np.nan]]]), nodata=np.nan)

    block, found = read(path), bands(path)

    assert np.isnan(block[0, :, 0]).tolist() == [False, True]
    assert found == bands(path)  # NaN would differ from itself


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
    assert np.argwhere(np.isnan(block).all(-1)).tolist() == [[1, 2]]
    assert np.isnan(block).sum() == count


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("nodata", [None, 3])
def test_the_dataset_mask_hides_the_pixel_and_nodata_still_counts(tmp_path, inside, nodata):
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

    block = read(path)

    expected = [[2, 1, 0], [2, 1, 1]] if nodata is None else [[0, 2, 0], [2, 1, 0], [2, 1, 1]]
    assert (tmp_path / "a.tif.msk").exists() is not inside
    assert np.argwhere(np.isnan(block)).tolist() == expected


def test_a_mask_of_one_band_hides_its_values_only(tmp_path):
    make(tmp_path / "a.tif", ramp())
    make(tmp_path / "m.tif", (ramp(1) != 6).astype("uint8") * 255)
    mask = f'<MaskBand><VRTRasterBand dataType="Byte">{source("m.tif")}</VRTRasterBand></MaskBand>'
    second = source("a.tif", 2) + mask
    path = vrt(tmp_path / "a.vrt", [("Byte", source("a.tif")), ("Byte", second)])

    block = read(path)

    assert np.argwhere(np.isnan(block)).tolist() == [[1, 1, 1]]


def test_nodata_of_all_bands_together_hides_the_pixel(tmp_path):
    values = np.array([[[0, 0, 1]], [[0, 2, 0]], [[0, 3, 3]]], "uint8")
    path = make(tmp_path / "a.tif", values, describe=lambda d: d.update_tags(NODATA_VALUES="0 0 0"))

    block = read(path)

    assert np.isnan(block).all(-1).tolist() == [[True, False, False]]
    assert np.isnan(block).sum() == 3


def test_the_mask_raster_hides_what_is_zero_or_no_data(tmp_path):
    path = make(tmp_path / "a.tif", ramp(), **UTM)
    mask = make(
        tmp_path / "m.tif", np.uint8([[[1, 1, 1, 1], [1, 0, 1, 1], [2, 9, 1, 1]]]), nodata=9
    )

    block = read(path, mask=mask)

    assert np.argwhere(np.isnan(block).all(-1)).tolist() == [[1, 1], [2, 1]]


def test_a_mask_on_another_grid_is_refused(tmp_path):
    path = make(tmp_path / "a.tif", ramp(), **UTM)
    mask = make(tmp_path / "m.tif", ramp(1, 5, 5))

    with pytest.raises(GridMismatch, match=r"m\.tif has 5 x 5 pixels"):
        RasterReader(path, mask=mask)


# -- preview --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(300, 100), (7, 9), (1, 1)])
def test_a_preview_fits_and_shows_values_of_the_file(tmp_path, shape):
    values = ramp(2, *shape, dtype="float32")
    path = make(tmp_path / "a.tif", values, nodata=1)

    with RasterReader(path) as reader:
        preview = reader.preview(50)

    rows, cols = preview.shape[1:3]
    assert max(rows, cols) == min(50, max(shape))
    assert np.isin(preview[np.isfinite(preview)], values[values != 1]).all()


@pytest.mark.parametrize("blocks", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 32}])
def test_a_preview_takes_the_pixel_in_the_middle_of_each_of_its_own(tmp_path, blocks):
    values = ramp(2, 90, 150, dtype="float32")
    path = make(tmp_path / "a.tif", values, **blocks)

    with RasterReader(path) as reader:
        preview = reader.preview(50)

    np.testing.assert_array_equal(preview[0], values[:, 1::3, 1::3].transpose(1, 2, 0))


def test_a_preview_uses_overviews(tmp_path):
    path = make(tmp_path / "a.tif", ramp(1, 64, 64, "uint16"), nodata=1)
    with unwarned(), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)

    with RasterReader(path) as reader:
        preview = reader.preview(16)[0, ..., 0]

    with unwarned(), rasterio.open(path, OVERVIEW_LEVEL=1) as overview:
        np.testing.assert_array_equal(preview, overview.read(1))


def test_a_preview_hides_what_is_masked(tmp_path):
    path = make(tmp_path / "a.tif", ramp(1, 40, 40, "uint16"))
    half = np.ones((1, 40, 40), "uint8")
    half[:, :20] = 0
    mask = make(tmp_path / "m.tif", half)

    with RasterReader(path, mask=mask) as reader:
        preview = reader.preview(10)

    np.testing.assert_array_equal(
        np.isnan(preview[0, ..., 0]), np.arange(10)[:, None] < 5 * np.ones(10)
    )


# -- bands ----------------------------------------------------------------------------------------


def test_descriptions_name_bands(tmp_path):
    path = make(
        tmp_path / "a.tif", ramp(), describe=lambda d: setattr(d, "descriptions", ("red", "nir"))
    )

    assert bands(path).names == ("red", "nir")
    assert bands(path).named


@pytest.mark.parametrize("names", [(None, None), ("red", None), ("red", "red"), ("red", " ")])
def test_bands_without_a_name_each_are_numbered(tmp_path, names):
    path = make(tmp_path / "a.tif", ramp(), describe=lambda d: setattr(d, "descriptions", names))

    assert bands(path).names == ("band_1", "band_2")
    assert not bands(path).named


def test_tags_name_bands_and_tell_wavelengths(tmp_path):
    def describe(dataset):
        dataset.update_tags(1, BANDNAME="B4", WAVELENGTH="665", WAVELENGTH_UNIT="nm")
        dataset.update_tags(2, BANDNAME="B8", wavelength="0.842", wavelength_units="Micrometers")
        dataset.update_tags(3, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="2.19")
        dataset.update_tags(3, BANDNAME="B12")
        dataset.update_tags(4, BANDNAME="B99", wavelength="700")  # no unit

    found = bands(make(tmp_path / "a.tif", ramp(4, dtype="uint16"), describe=describe))

    assert found.names == ("B4", "B8", "B12", "B99")
    assert [band.wavelength for band in found] == [665, 842, 2190, None]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("units", "factor"), [("Nanometers", 1), ("Micrometers", 1000)])
def test_envi_headers_tell_names_wavelengths_gain_and_nodata(tmp_path, units, factor, named):
    path = make(tmp_path / "a.img", ramp(dtype="int16"), driver="ENVI")
    header = (tmp_path / "a.hdr").read_text()
    header = "\n".join(
        line for line in header.splitlines() if "Band " not in line and "{" not in line
    )
    names = "band names = {green, red}\n" if named else ""
    (tmp_path / "a.hdr").write_text(
        f"{header}\n{names}wavelength units = {units}\n"
        f"wavelength = {{{550 / factor}, {665 / factor}}}\n"
        "data gain values = {0.5, 0.5}\ndata ignore value = 3\n"
    )

    block, found = read(path), bands(path)

    assert [band.wavelength for band in found] == [550, 665]
    assert found.named
    assert not named or [name.split()[0] for name in found.names] == ["green", "red"]
    assert found.items[0].scale == 0.5
    assert np.isnan(block[0, 2, 0])
    assert block[0, 0, 0] == 0.5


def test_an_envi_domain_in_another_format_tells_the_same(tmp_path):
    def describe(dataset):
        dataset.update_tags(
            ns="ENVI",
            band_names="{green, red}",
            wavelength="{0.55, 0.665}",
            wavelength_units="Micrometers",
        )

    found = bands(make(tmp_path / "a.tif", ramp(), describe=describe))

    assert found.names == ("green", "red")
    assert [band.wavelength for band in found] == [550, 665]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("429.410004 nm", 429.410004),
        ("B4, central wavelength 665 nm", 665),
        ("0.55 um", 550),
        ("0.55µm", 550),
        ("Band 1 (0.55 Micrometers)", 550),
        ("2190 NANOMETRES", 2190),
        ("450-520 nm", None),
        ("0.45 to 0.52 um", None),
        ("band 665", None),
        ("smoothed over 10 nm", None),
        ("665 nmi", None),
        ("665 nm, also 705 nm", None),
        ("", None),
    ],
)
def test_a_wavelength_is_found_in_a_text_but_never_invented(text, expected):
    assert nanometres(text) == expected


def test_bands_are_read_in_the_order_chosen(tmp_path):
    values = ramp(4, dtype="uint16")

    block = read(make(tmp_path / "a.tif", values), bands="4,1-2")

    np.testing.assert_array_equal(block, values[[3, 0, 1]].transpose(1, 2, 0))


def test_an_unknown_band_is_an_error_of_configuration(tmp_path):
    with pytest.raises(ConfigError, match="No band is 'nir'"):
        RasterReader(make(tmp_path / "a.tif", ramp()), bands="nir")


def test_a_reader_using_other_bands_leaves_the_first_as_it_was(tmp_path):
    values = ramp()

    with RasterReader(make(tmp_path / "a.tif", values)) as reader:
        second = reader.using(reader.bands.choose("2"))

        np.testing.assert_array_equal(whole(second), values[1:].transpose(1, 2, 0))
        np.testing.assert_array_equal(whole(reader), values.transpose(1, 2, 0))


# -- where it lies --------------------------------------------------------------------------------


def test_the_grid_is_that_of_the_file(tmp_path):
    with RasterReader(make(tmp_path / "a.tif", ramp(), **UTM)) as reader:
        grid = reader.grid

    assert grid.shape == reader.shape == (3, 4)
    assert grid.transform == (3.5, 0, 5e5, 0, -3.5, 4e6)
    assert rasterio.crs.CRS.from_wkt(grid.crs) == rasterio.crs.CRS.from_epsg(32618)


@pytest.mark.parametrize(
    "transform", [rasterio.Affine.identity(), rasterio.Affine(2, 0, 5, 0, 2, 7)]
)
def test_no_crs_and_south_up_are_fine(tmp_path, transform):
    with RasterReader(make(tmp_path / "a.tif", ramp(), transform=transform)) as reader:
        grid = reader.grid

    assert grid.crs == ""
    assert grid.transform == tuple(transform)[:6]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("maps/coast.v1.tif", "coast.v1"),
        ("s3://eo/coast.tif", "coast"),
        ("https://host/a/coast.tif?sig=a/b", "coast"),
        ("/vsizip/a.zip/coast.tif", "coast"),
        ("zip://a.zip!coast.tif", "coast"),
        ('NETCDF:"a/b.nc":t2m', "b_t2m"),
    ],
)
def test_results_are_named_after_the_stem(name, stem):
    assert stem_of(name) == stem


def test_the_fingerprint_changes_with_each_file_the_pixels_come_from(tmp_path):
    path = make(tmp_path / "a.tif", ramp())
    mask = make(tmp_path / "m.tif", ramp(1))
    copy = vrt(tmp_path / "a.vrt", [("Byte", source("a.tif"))])

    def fingerprint(path, **options):
        with RasterReader(path, **options) as reader:
            return reader.fingerprint

    before = fingerprint(path), fingerprint(copy), fingerprint(path, mask=mask)
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset/>")  # a viewer's statistics
    same = fingerprint(path), fingerprint(copy), fingerprint(path, mask=mask)
    os.utime(path, ns=(0, 1))
    after = fingerprint(path), fingerprint(copy), fingerprint(path, mask=mask)

    assert before == same
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert before[0] != before[2]


# -- bad input ------------------------------------------------------------------------------------


def one_line(error):
    return "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(RasterError, match=r"none\.tif does not exist") as error:
        RasterReader(tmp_path / "none.tif")

    assert one_line(error)


def test_text_named_tif_is_said_to_be_no_raster(tmp_path):
    (tmp_path / "a.tif").write_text("hello")

    with pytest.raises(RasterError, match="cannot be opened as a raster") as error:
        RasterReader(tmp_path / "a.tif")

    assert one_line(error)


def test_a_truncated_file_is_named_with_the_rows_that_cannot_be_read(tmp_path):
    noise = np.random.default_rng(0).random((2, 600, 600)).astype("float32")
    path = make(tmp_path / "a.tif", noise, tiled=True, blockxsize=256, blockysize=256)
    os.truncate(path, path.stat().st_size // 2)

    with RasterReader(path) as reader, pytest.raises(RasterError) as error:
        reader.read((slice(500, 600), slice(0, 600)))

    assert str(error.value).startswith(f"{path} cannot be read at rows 500 to 599: ")
    assert one_line(error)


def test_complex_numbers_are_refused(tmp_path):
    path = make(tmp_path / "a.tif", ramp(1, dtype="complex64"))

    with pytest.raises(RasterError, match=r"complex numbers \(complex64\)") as error:
        RasterReader(path)

    assert one_line(error)


def test_a_container_names_what_it_contains(tmp_path):
    path = tmp_path / "a.gpkg"
    for name in ("one", "two"):
        more = {"RASTER_TABLE": name, "APPEND_SUBDATASET": "YES" if path.exists() else "NO"}
        make(path, ramp(1, 8, 8), driver="GPKG", **UTM, **more)

    with pytest.raises(RasterError, match=r"container of 2 rasters.*GPKG:.*:one") as error:
        RasterReader(path)

    assert one_line(error)


def test_alpha_alone_is_no_data(tmp_path):
    path = make(
        tmp_path / "a.tif",
        ramp(1),
        describe=lambda d: setattr(d, "colorinterp", [ColorInterp.alpha]),
    )

    with pytest.raises(RasterError, match="only an alpha band") as error:
        RasterReader(path)

    assert one_line(error)


def test_a_palette_is_read_as_numbers_with_a_warning(tmp_path, caplog):
    path = make(
        tmp_path / "a.tif", ramp(1), describe=lambda d: d.write_colormap(1, {1: (255, 0, 0)})
    )

    with caplog.at_level(logging.WARNING, "anomvae"):
        block = read(path)

    np.testing.assert_array_equal(block[..., 0], ramp(1)[0])
    assert "colour table" in caplog.text


def test_a_refused_file_is_closed(tmp_path):
    path = make(tmp_path / "a.tif", ramp())

    with pytest.raises(ConfigError):
        RasterReader(path, bands="9")

    if os.path.isdir("/proc/self/fd"):
        links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        assert str(path) not in {os.readlink(link) for link in links if os.path.lexists(link)}


def test_importing_it_loads_nothing_heavy():
    heavy = {"torch", "scipy", "pandas", "sklearn", "pydantic", "matplotlib"}
    code = f"import sys, anomvae.raster; sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


REAL = [
    path
    for variable in ("ANOMVAE_RASTERS", "ANOMVAE_SCENES")
    if variable in os.environ
    for path in sorted(Path(os.environ[variable]).rglob("*.tif"))
]


@pytest.mark.skipif(not REAL, reason="set ANOMVAE_RASTERS or ANOMVAE_SCENES")
@pytest.mark.parametrize("path", REAL, ids=str)
def test_real_rasters_read_the_same_in_strips(path):
    with RasterReader(path) as reader:
        strips = [reader.read(tile.keep)[0] for tile in tiles(reader.shape, (64, 10**9))]

        np.testing.assert_array_equal(np.concatenate(strips), whole(reader))
