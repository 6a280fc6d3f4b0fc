"""EMIT: a swath on the grid of its lookup table, bad bands, masks by name, and what is missing."""

import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rasters import run
from support.refusals import refused
from support.scene_files import read

from anomvae.errors import RasterError
from anomvae.raster import Scene
from anomvae.raster.products import glt, recognise
from anomvae.testing.products import EMIT

PRODUCTS = os.environ.get("ANOMVAE_PRODUCTS")


@pytest.fixture(scope="module")
def granule(tmp_path_factory):
    """Write a granule that no test changes."""
    return EMIT().write(EMIT().cube(), tmp_path_factory.mktemp("emit"))


@pytest.fixture
def path(tmp_path):
    """Write a granule that a test may change."""
    return EMIT().write(EMIT().cube(), tmp_path)


def mask_of(path):
    return path.with_name(path.name.replace("RFL", "MASK"))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_window_bands_and_strips_give_the_same_values(data, granule):
    expected = EMIT().cube().reflectance
    window = tuple(
        slice(low, data.draw(st.integers(low + 1, 60)))
        for low in data.draw(st.tuples(st.integers(0, 59), st.integers(0, 59)))
    )
    numbers = data.draw(st.lists(st.integers(1, 8), min_size=1, unique=True))

    with pytest.MonkeyPatch.context() as patch, recognise(granule).open() as dataset:
        patch.setattr(glt, "MOST_BYTES", data.draw(st.sampled_from([1, 3000, 10**9])))
        bands = dataset.bands.keep([dataset.bands.items[number - 1] for number in numbers])
        values = dataset.read(bands, window)

    wanted = expected[window][..., [number - 1 for number in numbers]]
    np.testing.assert_allclose(values, wanted, atol=1e-6)


@pytest.mark.parametrize("chunks", [(20, 30, 3), (100, 100, 8), (1, 1, 1)])
def test_chunks_change_no_value(chunks, path):
    with h5py.File(path, "a") as file:
        values, attributes = file["reflectance"][()], dict(file["reflectance"].attrs)
        del file["reflectance"]
        chunks = tuple(map(min, chunks, values.shape))
        file.create_dataset("reflectance", data=values, chunks=chunks, compression="gzip")
        file["reflectance"].attrs["_FillValue"] = attributes["_FillValue"]

    with recognise(path).open() as dataset:
        values = dataset.read(dataset.bands, (slice(0, 60), slice(0, 60)))

    np.testing.assert_allclose(values, EMIT().cube().reflectance, atol=1e-6)


def test_a_table_that_leads_out_of_the_swath_gives_no_data(path):
    with h5py.File(path, "a") as file:
        file["location/glt_x"][30:32] = 10_000
        file["location/glt_y"][33, 5:7] = -10_000

    with recognise(path).open() as dataset:
        values = dataset.read(dataset.bands, (slice(0, 60), slice(0, 60)))

    assert np.isnan(values[30:32]).all()
    assert np.isnan(values[33, 5:7]).all()
    assert np.isfinite(values[34, 10]).all()


def test_bands_that_are_not_good_are_dropped_with_the_reason(path):
    with h5py.File(path, "a") as file:
        file["sensor_band_parameters/good_wavelengths"][2:4] = 0

    with Scene.of(path).open() as scene:
        bad = {band.index: band.bad for band in scene.newest.dataset.bands if band.bad}
        assert bad == {3: "good_wavelengths = 0", 4: "good_wavelengths = 0"}
        assert [band.index for band in scene.bands] == [1, 2, 5, 6, 7, 8]
        assert scene.bands.items[0].fwhm == 8.5


@pytest.mark.parametrize("kind", ["RFL", "MASK"])
def test_any_file_of_a_granule_names_it(kind, granule):
    product = recognise(granule.with_name(granule.name.replace("RFL", kind)))

    assert product.stem == "EMIT_L2A_RFL_001_20240601T165148_2428011_035"
    assert product.paths == (str(granule), str(mask_of(granule)))


def test_flags_of_a_mask_are_found_by_name_and_water_is_not_hidden(path):
    """Masks of later versions have other bands; the file of this one has water everywhere."""
    cube = EMIT().cube()
    with h5py.File(mask_of(path), "a") as file:
        flags = file["mask"][()]
        names = ("Cloud Flag", "Cirrus Flag", "Water Flag", "SpecTf-Cloud Flag")
        del file["mask"], file["sensor_band_parameters/mask_bands"]
        file["mask"] = flags[..., [1, 1, 2, 4]]
        file["sensor_band_parameters/mask_bands"] = list(names)

    with Scene.of(path).open() as scene:
        titles = [layer.title for layer in scene.newest.dataset.masks]

    assert titles == ["EMIT mask: cloud", "EMIT mask: cirrus", "EMIT mask: spectf-cloud"]
    hidden = np.isnan(read(path)).all(axis=-1)
    np.testing.assert_array_equal(hidden, cube.hidden | cube.missing)


def test_a_mask_without_a_table_lies_on_that_of_its_granule(path):
    with h5py.File(mask_of(path), "a") as file:
        del file["location"]

    cube = EMIT().cube()
    np.testing.assert_array_equal(np.isnan(read(path)[..., 0]), cube.hidden | cube.missing)


def test_what_a_granule_lacks_is_reported(path):
    mask_of(path).unlink()
    with h5py.File(path, "a") as file:
        del file["location"], file["sensor_band_parameters"]

    with Scene.of(path).open() as scene:
        dataset = scene.newest.dataset

    assert [one.split(":")[0] for one in dataset.facts.guessed] == ["wavelengths", "place", "mask"]
    assert not dataset.grid.located
    assert dataset.masks == ()


def test_a_swath_without_a_table_has_control_points(path):
    with h5py.File(path, "a") as file:
        rows, cols, _ = file["reflectance"].shape
        del file["location"]
        row, col = np.indices((rows, cols))
        file["location/lat"], file["location/lon"] = 32 - row / 1000, -116 + col / 1000

    with recognise(path).open() as dataset:
        point = dataset.georeference.gcps[-1]

    assert dataset.grid.shape == (rows, cols)
    assert (point.row, point.col) == (rows - 0.5, cols - 0.5)
    assert (point.x, point.y) == pytest.approx((-116 + (cols - 1) / 1000, 32 - (rows - 1) / 1000))


def test_radiance_of_l1b_has_its_unit(path):
    radiance = path.with_name(path.name.replace("L2A_RFL", "L1B_RAD"))
    path.rename(radiance)
    with h5py.File(radiance, "a") as file:
        file.move("reflectance", "radiance")
        file["radiance"].attrs["units"] = "uW/cm^2/SR/nm"

    with recognise(radiance).open() as dataset:
        assert (dataset.facts.kind, dataset.facts.unit) == ("EMIT L1B", "uW/cm^2/SR/nm")
        assert len(dataset.masks) == 4  # of L2A, which hold for L1B, too


def test_a_granule_of_another_name_lies_on_its_grid_too(path):
    renamed = path.rename(path.with_name("san_diego_20240601.nc"))

    with recognise(renamed).open() as dataset:
        values = dataset.read(dataset.bands, (slice(0, 60), slice(0, 60)))

    np.testing.assert_allclose(values, EMIT().cube().reflectance, atol=1e-6)
    assert dataset.facts.kind == "EMIT L2A"


def test_a_damaged_or_contradicting_granule_is_one_line(path):
    content = path.read_bytes()
    with h5py.File(path, "a") as file:
        del file["sensor_band_parameters/fwhm"]
        file["sensor_band_parameters/fwhm"] = np.ones(7)
    refused(run("info", path), 3, "contradicts itself: 7 fwhm of 8 bands")

    with h5py.File(path, "a") as file:
        del file["reflectance"]
    refused(run("info", path), 3, "neither reflectance nor radiance")

    path.write_bytes(content[: len(content) // 2])
    refused(run("info", path), 3, "cannot be read")
    path.write_bytes(content)

    mask_of(path).write_bytes(b"")
    refused(run("info", path), 3, "MASK")


def test_a_granule_of_fill_alone_is_refused(path):
    with h5py.File(path, "a") as file:
        file["reflectance"][...] = -9999

    ran = run("detect", path, "-o", path.parent / "out")

    refused(ran, 3, path.name)


def test_tables_of_two_shapes_are_refused(path):
    with h5py.File(path, "a") as file:
        del file["location/glt_x"]
        file["location/glt_x"] = np.ones((3, 3), "i4")

    with pytest.raises(RasterError, match=r"contradicts itself.*glt_x"), recognise(path).open():
        pass


@pytest.mark.skipif(not PRODUCTS, reason="needs ANOMVAE_PRODUCTS")
def test_a_crop_of_a_real_granule_is_read_as_it_lies():
    (path,) = (Path(PRODUCTS) / "emit").glob("EMIT_L2A_RFL_*.nc")
    with h5py.File(path) as file:
        stored = file["reflectance"][()]

    values = read(path)

    np.testing.assert_array_equal(values, np.where(stored == -9999, np.nan, stored))
    with Scene.of(path).open() as scene:
        facts, grid = scene.newest.dataset.facts, scene.grid
    assert grid == replace(grid, shape=(32, 32))
    assert not grid.located  # its transform is that of the whole granule
    assert [one.split(":")[0] for one in facts.guessed] == ["wavelengths", "place", "mask"]
    assert (facts.kind, str(facts.date), facts.unit) == ("EMIT L2A", "2024-10-06", "reflectance")
