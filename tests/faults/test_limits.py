"""The header of a file decides how much work and memory it takes; there are limits to both."""

import errno
import os
from dataclasses import dataclass

import click
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from support.hostile import document, sourced
from support.rasters import land, run, write
from support.refusals import refused
from support.scene_files import make, ramp, read, setting
from support.scorers import Neighbours

import anomvae
from anomvae.cli.group import Group
from anomvae.errors import BrokenEnvironment, RasterError, is_lack_of_memory
from anomvae.mapping import score_scene
from anomvae.pixels.tiling import whole
from anomvae.pixels.wavelengths import nanometres
from anomvae.raster import Access, Limits, Scene
from anomvae.raster.gdal import unwarned


def sparse(path, rows, cols, count=1, **options):
    """Write a TIFF without pixels, of any size, in a few kilobytes."""
    shape = {"height": rows, "width": cols, "count": count}
    with (
        unwarned(),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            dtype="uint8",
            SPARSE_OK=True,
            BIGTIFF="YES",
            **shape,
            **options,
        ),
    ):
        return path


def empty(path, rows, cols):
    path.write_text(
        f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">'
        f'<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    return path


def tiled(side):
    return {"tiled": True, "blockxsize": side, "blockysize": side}


HUGE = {
    "bands": lambda path: sparse(path, 2, 2, 20_000),
    "rows or columns": lambda path: sparse(path, 1, 2**31 - 1),
    "rows or columns of a VRT": lambda path: empty(path, 2**31 - 1, 2**31 - 1),
    "pixels": lambda path: sparse(path, 200_000, 200_000, **tiled(16_384)),
    "bytes in a block": lambda path: sparse(path, 32_768, 32_768, **tiled(32_768)),
    "bytes in a block of all bands": lambda path: sparse(
        path, 16_384, 16_384, 3, interleave="pixel", **tiled(16_384)
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_header_beyond_a_limit_is_refused_with_the_limit_and_how_to_lift_it(tmp_path, what):
    path = HUGE[what](tmp_path / "a.tif")

    for command in (f"info {path}", f"detect {path} -o {tmp_path / 'out'}"):
        refused(run(*command.split()), 3, what.partition(" of ")[0], "at most", "--no-limits")


def test_a_limit_is_lifted_by_an_option(tmp_path):
    path = HUGE["rows or columns of a VRT"](tmp_path / "a.vrt")

    described = run("info", path, "--no-limits")

    assert described.code == 0
    assert "2147483647" in described.out


def test_the_advice_names_the_option_the_setting_of_a_site_and_python(tmp_path):
    path = make(tmp_path / "a.tif", ramp(2))
    hostile = tmp_path / "b.vrt"
    hostile.write_text(document(sourced("../a.tif")))
    (tmp_path / "c.tif").write_text("no raster")

    for name, words in (
        (path, ("--no-limits", "no_limits = true of a site", "anomvae.Access(limits=None)")),
        (hostile, ("--allow-driver VRT", "allow_drivers of a site", "anomvae.Access(drivers=")),
        (tmp_path / "c.tif", ("--allow-driver NAME", "allow_drivers of a site")),
    ):
        with pytest.raises(RasterError) as error:
            read(name, access=anomvae.Access(limits=anomvae.Limits(bands=1)))
        assert all(word in str(error.value) for word in words)


def test_a_limit_may_be_lower(tmp_path):
    path, access = make(tmp_path / "a.tif", ramp(2)), Access(limits=Limits(bands=1))

    with pytest.raises(RasterError, match="has 2 bands, at most 1 are opened"):
        read(path, access=access)


ORDINARY = {
    "100,000 x 100,000": ((100_000, 100_000), 1, tiled(512)),
    "426 bands": ((64, 64), 426, {}),
    "a strip of 24 Mpixel in each of 12 bands": ((4000, 6000), 12, {"blockysize": 4000}),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_large_rasters_are_opened(tmp_path, kind):
    shape, count, options = ORDINARY[kind]
    path = sparse(tmp_path / "a.tif", *shape, count, **options)

    with Scene.of(path).open() as opened:
        assert (opened.grid.shape, len(opened.bands)) == (shape, count)


def test_sources_that_multiply_in_nested_vrts_are_counted(tmp_path):
    before = make(tmp_path / "a.tif", ramp(1)).name
    for level in range(4):
        path = tmp_path / f"{level}.vrt"
        path.write_text(document(sourced(before) * 60))
        before = path.name

    with pytest.raises(RasterError, match=r"3\.vrt has \d+ sources, at most 250000"):
        read(path)


def test_a_vrt_that_reads_itself_is_refused(tmp_path):
    path = tmp_path / "a.vrt"
    path.write_text(document(sourced("a.vrt")))

    with pytest.raises(RasterError, match="VRTs inside each other"):
        read(path)


DOCUMENTS = {
    "nested deeper than 100": "<VRTDataset>" + "<a>" * 100_000,
    "at most 32000000": f"<VRTDataset><a>{'x' * 33_000_000}</a></VRTDataset>",
    "it is no XML": "<VRTDataset rasterXSize='1'",
}


@pytest.mark.parametrize("words", DOCUMENTS)
def test_a_document_that_is_deep_long_or_broken_is_refused(tmp_path, words):
    path = tmp_path / "a.tif"
    path.write_text(DOCUMENTS[words])

    with pytest.raises(RasterError, match=words):
        read(path)


LONG = 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1" * LONG, None),
        ("1" * LONG + " nm", None),
        ("0" * LONG + "550 nm", 550.0),
        (" " * LONG + "550" + " " * LONG + "nm", 550.0),
        ("400 - 500 nm, " * (LONG // 14), None),
        ("1.1." * (LONG // 4) + " 550 nm", 550.0),
    ],
    ids=range(6),
)
def test_a_wavelength_is_found_in_a_text_of_any_length_at_once(text, expected):
    assert nanometres(text) == expected


def test_descriptions_of_a_million_digits_are_opened(tmp_path):
    described = setting(descriptions=("1" * LONG, "2" * LONG))

    path = make(tmp_path / "a.tif", ramp(2), describe=described)

    np.testing.assert_array_equal(read(path), np.moveaxis(ramp(2), 0, -1))


def test_pixels_that_do_not_fit_in_memory_are_an_error_of_the_raster(tmp_path):
    path = HUGE["rows or columns of a VRT"](tmp_path / "a.vrt")

    with (
        Scene.of(path, access=Access(limits=None)).open() as opened,
        pytest.raises(RasterError, match=r"do not fit in memory.*--tile"),
    ):
        opened.read(whole(opened.grid.shape))


def test_a_lack_of_memory_of_torch_is_recognised():
    import torch

    with pytest.raises(RuntimeError) as error:
        torch.empty(2**60, dtype=torch.uint8)

    assert is_lack_of_memory(error.value)


class Lacking(Group):
    """A command line whose only command lacks memory."""

    def get_command(self, ctx, cmd_name):
        @click.command()
        def hungry():
            np.empty((2**31, 2**31))

        return hungry


def test_a_lack_of_memory_is_exit_code_3_with_a_remedy():
    ended = CliRunner().invoke(Lacking(), ["hungry"])

    assert ended.exit_code == 3
    assert ended.stderr.startswith("Error: there is not enough memory. Give fewer bands")


@dataclass(frozen=True)
class Exhausted(Neighbours):
    """Finds no descriptor left."""

    def score(self, block):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_lack_of_descriptors_is_no_fault_of_a_scene(tmp_path):
    scene = write(tmp_path / "a.tif", land())

    with pytest.raises(BrokenEnvironment, match="ulimit -n") as error:
        score_scene(Exhausted(), scene, tmp_path / "out")

    assert error.value.exit_code == 3
    assert not (tmp_path / "out").exists()
