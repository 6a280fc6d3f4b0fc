"""What is decided about the bands of a file, and where that is reported."""

import logging
import re

import numpy as np
import pytest
from support.rasters import land, run, trained, write
from support.scene_files import UTM, make, ramp, read, setting

from anomvae.errors import ConfigError, RasterError
from anomvae.mapping.options import ScoreOptions
from anomvae.mapping.tiles import plan_tiles
from anomvae.pixels.tiling import TILE_BYTES
from anomvae.raster import Scene, open_raster
from anomvae.raster.description import describe
from anomvae.training.scenes import reading_tiles


def image(fourth):
    """Return three bands of 8 bits and a fourth, axes (band, row, col)."""
    colours = np.random.default_rng(0).integers(30, 220, (3, *fourth.shape))
    return np.concatenate([colours, fourth[np.newaxis]]).astype("uint8")


def near_infrared(water=10):
    values = np.random.default_rng(1).integers(40, 250, (40, 48))
    values[:water] = 0
    return values


def opaque_inside(edge):
    """Return an alpha band that rises from 0 to 255 over ``edge`` pixels."""
    rows, cols = np.mgrid[:40, :48]
    inside = np.minimum.reduce([rows, cols, 39 - rows, 47 - cols])
    return (np.minimum(inside / edge, 1) * 255).round()


@pytest.mark.parametrize("water", [0, 10, 36])
def test_near_infrared_that_a_plain_file_declares_as_alpha_is_data(tmp_path, caplog, water):
    path = make(tmp_path / "a.tif", image(near_infrared(water)))  # GDAL declares alpha by itself

    block = read(path)

    assert np.isfinite(block).all()
    np.testing.assert_array_equal(block[..., 3], near_infrared(water))
    assert "declares band 4 as alpha, but it has many values, so it is read as data" in caplog.text


@pytest.mark.parametrize("edge", [1, 2, 4])
def test_an_alpha_band_with_soft_edges_is_a_mask(tmp_path, caplog, edge):
    path = make(tmp_path / "a.tif", image(opaque_inside(edge)))

    with caplog.at_level(logging.INFO, "anomvae"):
        block = read(path)

    assert block.shape[-1] == 3
    np.testing.assert_array_equal(np.isnan(block[..., 0]), opaque_inside(edge) == 0)
    masked, warned = caplog.messages
    assert masked == f"{path}: pixels are masked by band 4 (alpha)"
    assert warned.startswith(f"{path} declares band 4 as alpha, and it looks like a mask")


@pytest.mark.parametrize("value", [0, 1, 255])
def test_an_alpha_band_of_one_value_is_a_mask(tmp_path, value):
    path = make(tmp_path / "a.tif", image(np.full((4, 5), value)))

    block = read(path)

    assert block.shape[-1] == 3
    assert np.isfinite(block).all() == (value > 0)


def test_the_values_of_a_large_file_are_sampled_from_end_to_end(tmp_path):
    alpha = np.zeros((1000, 900), "uint8")
    alpha[:200] = np.random.default_rng(0).integers(0, 250, (200, 900))
    path = make(tmp_path / "a.tif", image(alpha))

    assert read(path).shape[-1] == 4


def test_info_names_the_masks_of_a_scene(tmp_path):
    alpha = make(tmp_path / "a.tif", image(opaque_inside(2)), **UTM)
    data = make(tmp_path / "b.tif", image(near_infrared()), **UTM)

    assert re.search(r"(?m)^masks +band 4 \(alpha\)$", run("info", alpha).out)
    described = run("info", data)
    assert re.search(r"(?m)^masks +none$", described.out)
    assert "declares band 4 as alpha" in described.err


def test_a_decision_is_reported_once_in_a_command(tmp_path):
    path = make(tmp_path / "a.tif", image(near_infrared()), **UTM)

    result = run("detect", path, "-o", tmp_path / "out", "--set", "training.max_steps=20")

    assert result.code == 0
    assert result.err.count("declares band 4 as alpha") == 1


def test_a_covariate_that_gdal_would_mask_by_its_data_is_not_warped(tmp_path):
    scene = write(tmp_path / "a.tif", land())
    finer = {"crs": "EPSG:32633", "transform": (5, 0, 5e5, 0, -5, 4e6)}
    covariate = make(tmp_path / "c.tif", image(near_infrared()), **finer)

    with (
        pytest.raises(
            RasterError, match=r"band 4 as alpha.*gdal_edit\.py -colorinterp_4 undefined"
        ),
        Scene.of(scene, covariates=[covariate]).open(),
    ):
        pass


def marked_bad(tmp_path, marks):
    """Write a raster of ENVI whose header marks bands as good (1) or bad (0)."""
    path = make(tmp_path / "a.img", ramp(len(marks)), driver="ENVI")
    header = tmp_path / "a.hdr"
    header.write_text(header.read_text() + f"bbl = {{{', '.join(marks)}}}\n")
    return path


def test_bad_bands_are_dropped_and_one_line_counts_them(tmp_path, caplog):
    path = marked_bad(tmp_path, "101")

    with caplog.at_level(logging.INFO, "anomvae"):
        block = read(path)

    assert block.shape[-1] == 2
    lines = [line for line in caplog.messages if "bad" in line]
    assert len(lines) == 1
    assert "1 of 3 bands are bad (bbl = 0) and dropped: band_2" in lines[0]


def test_bad_bands_that_are_named_are_used_with_a_warning(tmp_path, caplog):
    path = marked_bad(tmp_path, "101")

    assert read(path, bands="2,3").shape[-1] == 2
    assert "marks 1 of the bands in use as bad (bbl = 0): band_2" in caplog.messages[0]


def test_a_scene_whose_bands_are_all_bad_is_refused_unless_they_are_named(tmp_path):
    path = marked_bad(tmp_path, "000")

    with pytest.raises(ConfigError, match=r"All 3 bands are bad \(bbl = 0\)"):
        read(path)
    assert read(path, bands="1").shape[-1] == 1


class Counted:
    """An open raster that notes which metadata are read."""

    def __init__(self, handle):
        self.handle, self.reads = handle, []

    def tags(self, *bands, ns=None):
        self.reads += [] if bands else [ns]
        return self.handle.tags(*bands, ns=ns)

    def __getattr__(self, name):
        return getattr(self.handle, name)


def test_the_lists_of_a_header_are_read_once_however_many_bands_there_are(tmp_path):
    with open_raster(marked_bad(tmp_path, "01" * 15)) as dataset:
        counted = Counted(dataset.handle)
        bands = describe(counted, "a.img", ()).bands

    assert len(bands.bad) == 15
    assert len(counted.reads) <= 5


@pytest.mark.parametrize("names", [("red", "red"), ("red", "")])
def test_names_of_bands_that_cannot_be_used_are_reported(tmp_path, caplog, names):
    path = make(tmp_path / "a.tif", ramp(2), describe=setting(descriptions=names))

    with caplog.at_level(logging.INFO, "anomvae"):
        read(path)

    assert "some names of bands are missing or equal, so bands are numbered" in caplog.text


@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_a_block_as_large_as_the_scene_is_read_in_parts(tmp_path, interleave):
    shape = (1500, 2000)
    values = np.zeros((6, *shape), "uint8")
    values[:, ::7] = 3
    strip = {"compress": "deflate", "blockysize": shape[0], "interleave": interleave}
    path = make(tmp_path / "a.tif", values, photometric="minisblack", **strip)

    with Scene.of(path).open() as opened:
        assert opened.newest.dataset.block_shape == shape
        plan = plan_tiles(trained(), opened, ScoreOptions(threads=1))
        tiles = [*reading_tiles(opened, halo=0)]
        block = np.concatenate([opened.read(tile.keep)[0] for tile in tiles])

    assert plan.tile[1] == shape[1]
    assert 4 * 6 * plan.tile[0] * shape[1] <= TILE_BYTES
    np.testing.assert_array_equal(np.moveaxis(block, -1, 0), values)
