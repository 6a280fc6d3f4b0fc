"""A raster that has lost a part of what it states about itself is refused, not read without it."""

import logging
import os
import struct

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy
from support.rasters import run
from support.refusals import refused
from support.scene_files import UTM, is_sentence, make, ramp, read, setting, source, vrt

from anomvae.errors import RasterError
from anomvae.raster.gdal import unwarned

DESCRIBED = {"descriptions": ("red", "infrared"), "scales": (0.5, 0.5), "offsets": (1.0, 1.0)}
NODATA = -9999.5
TEXTS = {"nodata": 42113, "names": 42112, "system": 34736}
"""Tags of a TIFF, each in its own bytes."""


def described(path):
    """Write a TIFF whose tags lie behind its pixels."""
    system = "+proj=tmerc +lat_0=1.25 +lon_0=2.5 +k=0.5 +x_0=5 +y_0=6 +ellps=GRS80"
    make(path, ramp(dtype="float32"), describe=setting(**DESCRIBED), **UTM | {"crs": system})
    with unwarned(), rasterio.open(path, "r+") as dataset:
        dataset.nodata = NODATA
    return path


def end_of(content, tag):
    """Return where the value of a tag ends in a little-endian TIFF."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for index in range(count):
        found, kind, length, where = struct.unpack_from("<HHII", content, start + 2 + 12 * index)
        if found == tag:
            return where + length * {2: 1, 12: 8}[kind]
    raise AssertionError(tag)


def cut(path, name="cut.tif", tag=TEXTS["nodata"], by=1):
    """Copy a TIFF up to a byte before the end of the value of a tag."""
    content = path.read_bytes()
    path.with_name(name).write_bytes(content[: end_of(content, tag) - by])
    return path.with_name(name)


@pytest.mark.parametrize("tag", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("by", [1, 2])
def test_a_tiff_that_is_cut_inside_a_tag_is_refused(tmp_path, tag, by):
    whole = described(tmp_path / "a.tif")
    assert (read(whole)[0, 0] == [1.5, 7.5]).all()

    with pytest.raises(RasterError, match=r"seems damaged or cut short") as error:
        read(cut(whole, tag=tag, by=by))

    assert is_sentence(error)
    assert str(tmp_path / "cut.tif") in str(error.value)
    assert "IO error" in str(error.value)


def test_a_cut_tiff_is_refused_whatever_is_logged(tmp_path):
    damaged, log = cut(described(tmp_path / "a.tif")), logging.getLogger("rasterio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with pytest.raises(RasterError, match="GDALNoDataValue"):
            read(damaged)
    finally:
        log.setLevel(level)

    assert logging.getLogger("rasterio._env").handlers == []
    assert logging.getLogger("rasterio._env").level == logging.NOTSET


@pytest.mark.parametrize("role", ["source", "mask"])
def test_a_file_that_another_one_needs_is_whole_too(tmp_path, role):
    damaged = cut(described(tmp_path / "a.tif"))
    if role == "source":
        path = vrt(tmp_path / "a.vrt", [("Float32", source(damaged.name))])
    else:
        path = make(tmp_path / "b.tif", ramp(), **UTM)
        damaged.rename(tmp_path / "b.tif.msk")

    with pytest.raises(RasterError, match="seems damaged or cut short"):
        read(path)


def test_the_command_line_names_the_lost_tag_in_one_line(tmp_path):
    refused(run("info", cut(described(tmp_path / "a.tif"))), 3, "cut.tif", "GDALNoDataValue")


def test_tags_that_gdal_does_not_know_or_need_are_no_loss(tmp_path):
    path = make(tmp_path / "a.tif", ramp(), describe=lambda dataset: dataset.update_tags(A="b"))
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    tags = [struct.unpack_from("<H", content, start + 2 + 12 * index)[0] for index in range(count)]
    struct.pack_into("<H", content, start + 2 + 12 * tags.index(42112), 65000)
    path.write_bytes(content)

    np.testing.assert_array_equal(read(path), np.moveaxis(ramp(), 0, -1))


@pytest.mark.parametrize("left", [0, 5, -3])
def test_a_side_car_that_is_cut_is_refused(tmp_path, left):
    made = make(tmp_path / "a.tif", ramp(), nodata=1, **UTM)
    copy(made, tmp_path / "a.png", driver="PNG")
    side_car = tmp_path / "a.png.aux.xml"
    assert np.isnan(read(tmp_path / "a.png")[0, 0, 0])
    side_car.write_bytes(side_car.read_bytes().strip()[:left])

    with pytest.raises(RasterError, match="seems damaged or cut short") as error:
        read(tmp_path / "a.png")

    assert is_sentence(error)
    assert str(side_car) in str(error.value)


@pytest.mark.parametrize("text", ["<PAMDataset/>", "<PAMDataset>\n</PAMDataset>\n", "<metadata>"])
def test_an_empty_or_foreign_side_car_is_no_loss(tmp_path, text):
    path = make(tmp_path / "a.tif", ramp(), **UTM)
    (tmp_path / "a.tif.aux.xml").write_text(text)

    np.testing.assert_array_equal(read(path), np.moveaxis(ramp(), 0, -1))


WHOLE = [("ENVI", "img"), ("EHdr", "bil"), ("RRASTER", "grd"), ("SAGA", "sdat"), ("PNG", "png")]


@pytest.mark.parametrize(("driver", "end"), WHOLE)
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_pixels_that_are_not_there_are_not_read_as_0(tmp_path, driver, end, share):
    values = np.random.default_rng(0).integers(1, 255, (1, 60, 50)).astype("uint8")
    path = tmp_path / f"a.{end}"
    copy(make(tmp_path / "made.tif", values, **UTM), path, driver=driver)
    np.testing.assert_array_equal(read(path)[..., 0], values[0])
    pixels = max(tmp_path.glob("a.*"), key=lambda file: file.stat().st_size)
    os.truncate(pixels, int(share * pixels.stat().st_size))

    with pytest.raises(RasterError, match="seems damaged or cut short") as error:
        read(path)

    assert is_sentence(error)


def test_a_band_of_a_few_bits_needs_no_more_bytes_than_it_has(tmp_path):
    values = np.tile([[0, 1]], (8, 8)).astype("uint8")[None]
    copy(make(tmp_path / "made.tif", values, **UTM), tmp_path / "a.bil", driver="EHdr", NBITS=1)

    np.testing.assert_array_equal(read(tmp_path / "a.bil")[..., 0], values[0])
