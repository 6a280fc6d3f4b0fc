"""Granules of HLS: what is read, masked and refused."""

import shutil
import zipfile
from datetime import date

import numpy as np
import pytest
import rasterio
from support.rasters import run
from support.scene_files import is_sentence, read

from anomvae.errors import ConfigError, RasterError
from anomvae.pixels.dates import date_of
from anomvae.raster import Scene
from anomvae.testing.products import Hls
from anomvae.testing.products.rasters import stored, write_raster


@pytest.fixture
def granule(tmp_path):
    """Write a granule of Landsat."""
    writer = Hls("L30")
    return writer.write(writer.cube(), tmp_path)


def layer(folder, name):
    """Return the file of a layer of a granule."""
    return folder / f"{folder.name}.{name}.tif"


def facts_of(path):
    with Scene.of(path).open() as opened:
        return opened.newest.dataset.facts


@pytest.mark.parametrize("name", ["B04", "Fmask"])
def test_any_band_and_the_mask_name_the_granule(granule, name):
    path = layer(granule, name)

    assert Scene.of(path).stem == granule.name
    assert Scene.of(path).dates[0].date == date(2024, 6, 1)
    np.testing.assert_array_equal(read(path), read(granule))


def test_an_archive_is_read_without_unpacking(granule, tmp_path):
    archive = tmp_path / "granule.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in granule.iterdir():
            zipped.write(file, file.name)

    assert Scene.of(archive).stem == granule.name
    np.testing.assert_array_equal(read(archive), read(granule))


@pytest.mark.parametrize("sensor", ["L30", "S30"])
def test_bands_come_in_the_order_of_their_numbers_and_angles_are_none(tmp_path, sensor):
    writer = Hls(sensor)
    cube = writer.cube()

    with Scene.of(writer.write(cube, tmp_path)).open() as opened:
        names, wavelengths = opened.bands.names, [band.wavelength for band in opened.bands]

    assert wavelengths == list(cube.wavelengths)
    assert not {"SZA", "Fmask"} & set(names)


def test_thermal_bands_are_degrees_celsius(granule):
    cube = Hls("L30").cube()
    warm = stored(np.full(cube.shape, 21.5), 0.01, 0.0, -9999, "int16")
    warm[0, 0] = -9999
    write_raster(layer(granule, "B10"), warm, cube, nodata=None)

    values = read(granule, bands="B10")[..., 0]

    assert np.isnan(values[0, 0])
    np.testing.assert_allclose(values[np.isfinite(values)], 21.5, rtol=1e-6)
    assert facts_of(granule).unit == "reflectance, B10 and B11 in degrees Celsius"


@pytest.mark.parametrize("bit", range(8))
def test_clouds_and_their_surroundings_are_hidden_but_water_and_aerosol_are_not(granule, bit):
    clear = tuple(np.argwhere(np.isfinite(read(granule)).all(axis=-1))[0])
    with rasterio.open(layer(granule, "Fmask"), "r+") as file:
        values = file.read(1)
        values[clear] = 1 << bit
        file.write(values, 1)

    assert np.isnan(read(granule)[clear]).all() == (bit < 5)


def test_a_granule_without_its_mask_is_read_and_the_log_states_it(granule, caplog):
    layer(granule, "Fmask").unlink()

    assert np.isfinite(read(granule)).any()
    assert facts_of(granule).guessed[0] in caplog.text
    assert facts_of(granule).guessed[0].startswith("no Fmask, so not masked: cirrus, cloud")


def test_a_folder_of_several_granules_is_many_scenes_and_not_one(granule, tmp_path):
    other = Hls("L30", tile="T33UUP")
    shutil.copytree(other.write(other.cube(), tmp_path), granule, dirs_exist_ok=True)

    with pytest.raises(ConfigError, match="holds 2 scenes"):
        Scene.of(granule)
    assert Scene.of(layer(granule, "B04")).stem == granule.name


def test_an_archive_of_several_granules_is_refused(granule, tmp_path):
    archive = tmp_path / "both.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in granule.iterdir():
            zipped.write(file, file.name)
            zipped.write(file, file.name.replace("T32UNA", "T33UUP"))

    with pytest.raises(RasterError, match="holds 2 granules of HLS") as error:
        read(archive)
    assert is_sentence(error)


def test_a_granule_without_bands_is_refused(granule):
    for file in granule.glob("*.B*.tif"):
        file.unlink()

    with pytest.raises(RasterError, match=r"holds no bands of HLS\.L30") as error:
        read(granule)
    assert is_sentence(error)


def test_a_truncated_band_is_one_line(granule):
    path = layer(granule, "B03")
    path.write_bytes(path.read_bytes()[:3000])

    result = run("detect", granule, "-o", granule.parent / "out")

    assert result.code == 3
    assert "B03.tif" in result.err
    assert "Traceback" not in result.err


def test_another_resolution_is_refused(granule):
    with pytest.raises(ConfigError, match="HLS, which is read at 30 m, not at 10 m"):
        Scene.of(granule, resolution=10)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("HLS.S30.T32UNA.2024366T101021.v2.0", date(2024, 12, 31)),
        ("HLS.S30.T32UNA.2023366T101021.v2.0", None),
        ("HLS.S30.T32UNA.2023000T101021.v2.0", None),
        ("scene_2024153.tif", None),
        ("scene_2024153T1010.tif", None),
        ("20240601_2024153T101021.tif", date(2024, 6, 1)),
    ],
)
def test_the_day_of_the_year_counts_with_a_time_behind_it(name, day):
    assert date_of(name) == day
