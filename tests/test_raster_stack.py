"""Several rasters as the bands of one."""

import numpy as np
import pytest
from affine import Affine
from support.rasters import NODATA, land, plant, write

from anomvae.errors import GridMismatch, RasterError
from anomvae.raster import RasterReader
from anomvae.raster.stack import write_stack

COARSE = Affine(20, 0, 5e5, 0, -20, 4e6)


def layers(folder, values=None):
    """Write each band into a file of its own."""
    values = plant(land(seed=1)) if values is None else values
    return [
        str(write(folder / f"B{number:02}.tif", band[None]))
        for number, band in enumerate(values, start=1)
    ]


def names(paths):
    return [f"B{number:02}" for number in range(1, len(paths) + 1)]


def stack(folder, paths):
    return write_stack(folder / "scene.vrt", paths, names(paths))


def test_a_stack_reads_as_one_raster_of_all_bands(tmp_path):
    values = plant(land(seed=1))
    whole = write(tmp_path / "whole.tif", values)

    paths = layers(tmp_path, values)
    with RasterReader(stack(tmp_path, paths)) as stacked, RasterReader(whole) as one:
        window = (slice(0, 40), slice(0, 48))
        assert np.array_equal(stacked.read(window), one.read(window), equal_nan=True)
        assert [band.name for band in stacked.bands] == names(paths)
        assert stacked.grid == one.grid
        assert {band.nodata for band in stacked.bands} == {NODATA}


def test_scale_and_offset_stay(tmp_path):
    counts = (plant(land(bands=1)).clip(0) * 1000).astype("uint16")
    path = write(tmp_path / "a.tif", counts, scales=[0.001], nodata=0)

    with RasterReader(write_stack(tmp_path / "s.vrt", [str(path)], ["red"])) as stacked:
        assert (stacked.bands.items[0].scale, stacked.bands.items[0].nodata) == (0.001, 0)
        assert stacked.read((slice(5, 9), slice(5, 9))).max() < 1


def test_a_coarser_band_is_repeated_on_the_finest_grid(tmp_path):
    fine = write(tmp_path / "fine.tif", land(bands=1))
    coarse = write(tmp_path / "coarse.tif", land((20, 24), bands=1), transform=COARSE)

    with RasterReader(write_stack(tmp_path / "s.vrt", [str(coarse), str(fine)], "ab")) as stacked:
        block = stacked.read((slice(0, 40), slice(0, 48)))[0, ..., 0]

    assert stacked.shape == (40, 48)
    assert np.array_equal(block, land((20, 24), bands=1)[0].repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    "profile", [{"crs": "EPSG:32634"}, {"transform": Affine(10, 0, 5.1e5, 0, -10, 4e6)}]
)
def test_rasters_of_other_ground_are_refused(tmp_path, profile):
    one = write(tmp_path / "one.tif", land(bands=1))
    other = write(tmp_path / "other.tif", land(bands=1), **profile)

    with pytest.raises(GridMismatch, match="do not cover the same ground"):
        write_stack(tmp_path / "s.vrt", [str(one), str(other)], ["red", "nir"])

    assert not (tmp_path / "s.vrt").exists()


def test_a_missing_raster_is_named(tmp_path):
    with pytest.raises(RasterError, match=r"gone\.tif does not exist"):
        write_stack(tmp_path / "s.vrt", [str(tmp_path / "gone.tif")], ["red"])


def test_complex_numbers_are_refused(tmp_path):
    path = write(tmp_path / "sar.tif", land(bands=1).astype("complex64"), nodata=None)

    with pytest.raises(RasterError, match="no band of real numbers"):
        write_stack(tmp_path / "s.vrt", [str(path)], ["vv"])


def test_equal_rasters_give_equal_bytes_and_one_state(tmp_path):
    paths = layers(tmp_path)

    with RasterReader(stack(tmp_path, paths)) as first:
        text, state = (tmp_path / "scene.vrt").read_bytes(), first.fingerprint
    with RasterReader(stack(tmp_path, paths)) as second:
        assert (tmp_path / "scene.vrt").read_bytes() == text
        assert second.fingerprint == state
        assert {known.name for known in state} >= {"scene.vrt", "B01.tif"}
