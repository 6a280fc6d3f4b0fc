"""Products: how a name is recognised, and several rasters as the bands of one."""

import pickle

import numpy as np
import pytest
from affine import Affine
from support.rasters import NODATA, land, plant, write
from support.scene_files import read

from anomvae.errors import GridMismatch, RasterError
from anomvae.raster import BandStack, Scene, StackBand
from anomvae.raster.products import Raster, recognise

SIGNS = "?b#c&<d>"
"""Signs of XML and of addresses in the names of files."""
COARSE = Affine(20, 0, 5e5, 0, -20, 4e6)
SHIFTED = Affine(10, 0, 5e5 + 5.1, 0, -10, 4e6)  # by more than half a pixel


def stacked(*paths, name="S2_20240601"):
    bands = [f"B{number:02}" for number in range(1, len(paths) + 1)]
    return BandStack(name, tuple(StackBand(b, str(p)) for b, p in zip(bands, paths, strict=True)))


def layers(folder, values):
    """Write each band into its own file."""
    return [write(folder / f"{number}{SIGNS}.tif", v[None]) for number, v in enumerate(values)]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("maps/coast.v1.tif", "coast.v1"),
        ("s3://eo/coast.tif", "coast"),
        ("https://host/a/coast.tif?sig=a/b", "coast"),
        ("/vsizip/a.zip/coast.tif", "coast"),
        ("zip://a.zip!coast.tif", "coast"),
        ('HDF5:"/vsicurl/https://host/b.h5"://t2m', "t2m"),
    ],
)
def test_any_other_name_is_a_raster_whose_results_have_its_stem(name, stem):
    product = recognise(name)

    assert product == Raster(name)
    assert (product.name, product.paths, product.stem) == (name, (name,), stem)


def test_a_stack_reads_as_one_raster_of_all_bands_whatever_the_names_of_its_files(tmp_path):
    values = plant(land(seed=1))
    stack = stacked(*layers(tmp_path, values))

    one = write(tmp_path / "all.tif", values)

    np.testing.assert_array_equal(read(stack), read(one))
    with Scene.of(stack).open() as opened, Scene.of(one).open() as other:
        assert opened.bands.names == tuple(band.name for band in stack.bands)
        assert opened.grid == other.grid
        assert {band.nodata for band in opened.bands} == {NODATA}
        assert [file.name for file in opened.files] == [
            f"{number}{SIGNS}.tif" for number in range(6)
        ]


def test_a_stack_is_closed_and_has_a_name_of_its_own(tmp_path, monkeypatch):
    paths = layers(tmp_path, land(bands=2))
    stack = stacked(*paths, name="tiles/S2_20240601")
    monkeypatch.chdir(tmp_path)
    relative = stacked(*(path.name for path in paths), name=stack.name)

    assert pickle.loads(pickle.dumps(stack)) == stack == relative.absolute()
    scene = Scene.of(stack)
    assert (scene.dates, scene.name, scene.stem) == ((stack,), stack.name, "S2_20240601")
    np.testing.assert_array_equal(read(relative), read(stack))
    paths[1].write_bytes(paths[1].read_bytes()[:900])
    with pytest.raises(RasterError, match=r"^tiles/S2_20240601 cannot be read at rows 0 to 39: "):
        read(stack)


def test_scale_offset_and_nodata_of_each_raster_stay(tmp_path):
    counts = (plant(land(bands=1)).clip(0) * 1000).astype("uint16")
    path = write(tmp_path / "a.tif", counts, scales=[0.001], nodata=0)
    other = write(tmp_path / "b.tif", counts, nodata=None)

    with stacked(path, other).open() as dataset:
        described = [(band.scale, band.offset, band.nodata) for band in dataset.bands]

    assert described == [(0.001, 0, 0), (1, 0, None)]
    expected = np.where(counts[0] == 0, np.nan, counts[0] * 0.001).astype("f4")
    np.testing.assert_array_equal(read(stacked(path, other)), np.stack([expected, counts[0]], -1))


@pytest.mark.parametrize("shift", [0, 4.9])
def test_a_coarser_band_is_repeated_on_the_finest_grid(tmp_path, shift):
    fine = write(tmp_path / "fine.tif", land(bands=1))
    small = land((20, 24), bands=1)
    coarse = write(tmp_path / "c.tif", small, transform=COARSE @ Affine.translation(shift / 20, 0))

    block = read(stacked(coarse, fine))

    np.testing.assert_array_equal(block[..., 0], small[0].repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("profile", [{"crs": "EPSG:32634"}, {"transform": SHIFTED}])
def test_rasters_of_other_extents_are_refused(tmp_path, profile):
    one = write(tmp_path / "one.tif", land(bands=1))
    other = write(tmp_path / "other.tif", land(bands=1), **profile)

    with pytest.raises(GridMismatch, match="'B02' and 'B01' do not cover the same ground"):
        read(stacked(one, other))


def test_rasters_that_cannot_be_bands_are_named(tmp_path):
    radar = write(tmp_path / "sar.tif", land(bands=1).astype("complex64"), nodata=None)

    with pytest.raises(RasterError, match=r"gone\.tif does not exist"):
        read(stacked(tmp_path / "gone.tif"))
    with pytest.raises(RasterError, match=r"sar\.tif has no band of real numbers"):
        read(stacked(radar))
