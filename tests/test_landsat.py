"""Landsat products of Collection 2: what is read, masked and refused."""

import json
import shutil
import tarfile
import zipfile
from datetime import date

import numpy as np
import pytest
import rasterio
from support.rasters import run
from support.scene_files import is_sentence, read

from anomvae.errors import ConfigError, GridMismatch, RasterError
from anomvae.raster import Scene
from anomvae.testing.products import Landsat

L2SP = Landsat("L2SP")


@pytest.fixture
def product(tmp_path):
    """Write a product of Level-2 with a temperature band."""
    return L2SP.write(L2SP.cube(), tmp_path)


def one(folder, end):
    """Return the file of a product whose name ends with a text."""
    (path,) = folder.glob(f"*{end}")
    return path


def change(path, group, **values):
    """Change values of the MTL of a product; None removes one."""
    file = one(path, "_MTL.json")
    document = json.loads(file.read_text())
    for key, value in values.items():
        document["LANDSAT_METADATA_FILE"][group].pop(key, None)
        if value is not None:
            document["LANDSAT_METADATA_FILE"][group][key] = value
    file.write_text(json.dumps(document))


def overwrite(path, value, row, col):
    """Set one pixel of a band."""
    with rasterio.open(path, "r+") as file:
        values = file.read(1)
        values[row, col] = value
        file.write(values, 1)


def bands(path):
    with Scene.of(path).open() as opened:
        return opened.bands


def test_temperature_is_in_kelvin_beside_reflectance(product):
    values = read(product)

    assert bands(product).names[-2:] == ("SR_B7", "ST_B10")
    known = np.isfinite(values[..., -1])
    np.testing.assert_allclose(values[known][:, -1], 300, atol=2e-3)
    assert (values[known][:, :-1] < 1).all()


@pytest.mark.parametrize("end", ["", "_MTL.json", "_MTL.txt", "_MTL.xml", "_SR_B4.TIF"])
def test_folder_metadata_and_any_band_name_the_same_product(product, end):
    name = one(product, end) if end else product

    scene = Scene.of(name)

    assert (scene.stem, scene.dates[0].date) == (product.name, date(2024, 6, 1))
    np.testing.assert_array_equal(read(name), read(product))


@pytest.mark.parametrize("form", ["json", "txt", "xml"])
def test_each_form_of_the_metadata_is_enough(product, form):
    expected = read(product)
    for other in {"json", "txt", "xml"} - {form}:
        one(product, f"_MTL.{other}").unlink()

    np.testing.assert_array_equal(read(product), expected)


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
@pytest.mark.parametrize("inside", ["", "inside/"])
def test_an_archive_is_read_without_unpacking(product, tmp_path, suffix, inside):
    archive = tmp_path / f"{product.name}{suffix}"
    files = {f"{inside}{file.name}": file for file in product.iterdir()}
    if suffix == ".tar":
        with tarfile.open(archive, "w") as tarred:
            for name, file in files.items():
                tarred.add(file, name)
    else:
        with zipfile.ZipFile(archive, "w") as zipped:
            for name, file in files.items():
                zipped.write(file, name)
    member = f"/vsi{suffix[1:]}/{archive}/{inside}{product.name}_SR_B4.TIF"

    assert Scene.of(archive).stem == Scene.of(member).stem == product.name
    np.testing.assert_array_equal(read(archive), read(product))
    np.testing.assert_array_equal(read(member), read(product))


def test_a_band_without_metadata_and_another_file_beside_it_are_plain_rasters(product, tmp_path):
    alone = shutil.copy(one(product, "_SR_B4.TIF"), tmp_path)
    other = shutil.copy(alone, product / f"{product.name}_ST_ATRAN.TIF")

    assert len(bands(alone)) == len(bands(other)) == 1


@pytest.mark.parametrize(
    ("mission", "level", "names", "wavelengths"),
    [
        ("4", "L2SR", ("SR_B1", "SR_B7"), (485, 2215)),
        ("5", "L2SR", ("SR_B1", "SR_B7"), (485, 2215)),
        ("7", "L2SR", ("SR_B1", "SR_B7"), (477.5, 2205.5)),
        ("8", "L1TP", ("B1", "B7"), (443, 2200.5)),
        ("9", "L1GT", ("B1", "B7"), (443, 2200.5)),
    ],
)
def test_each_mission_has_its_names_and_wavelengths(tmp_path, mission, level, names, wavelengths):
    writer = Landsat(level)
    product = writer.write(writer.cube(), tmp_path)
    change(product, "IMAGE_ATTRIBUTES", SPACECRAFT_ID=f"LANDSAT_{mission}")

    found = bands(product)

    ends = (found.items[0], found.items[-1])
    assert tuple(band.name for band in ends) == names
    assert tuple(band.wavelength for band in ends) == wavelengths


def test_level_1_reflectance_is_corrected_for_the_sun_or_else_the_facts_state_it(tmp_path):
    writer = Landsat("L1TP")
    product = writer.write(writer.cube(), tmp_path)

    corrected, facts = read(product), facts_of(product)
    change(product, "IMAGE_ATTRIBUTES", SUN_ELEVATION=None)
    plain = read(product)

    np.testing.assert_allclose(corrected, 2 * plain, rtol=1e-5)
    assert ("sun elevation", "30 degrees, corrected") in facts.details
    assert any("not corrected" in sentence for sentence in facts_of(product).guessed)


def test_level_1_thermal_bands_are_radiance_and_the_panchromatic_band_is_no_band(tmp_path):
    writer = Landsat("L1TP", mission=8)
    product = writer.write(writer.cube(), tmp_path)
    files = {"FILE_NAME_BAND_8": "pan.TIF", "FILE_NAME_BAND_10": f"{product.name}_B10.TIF"}
    shutil.copy(one(product, "_B1.TIF"), product / files["FILE_NAME_BAND_10"])
    change(product, "PRODUCT_CONTENTS", **files)
    factors = {"RADIANCE_MULT_BAND_10": "3.342E-04", "RADIANCE_ADD_BAND_10": "0.1"}
    change(product, "LEVEL1_RADIOMETRIC_RESCALING", **factors)

    thermal = bands(product).items[-1]

    assert "B8" not in bands(product).names
    assert (thermal.name, thermal.wavelength) == ("B10", 10895)
    assert (thermal.scale, thermal.offset) == (3.342e-4, 0.1)


def facts_of(path):
    with Scene.of(path).open() as opened:
        return opened.newest.dataset.facts


def test_saturation_hides_a_pixel_only_where_the_band_is_in_use(product):
    clear = tuple(np.argwhere(np.isfinite(read(product)).all(axis=-1))[0])
    overwrite(one(product, "_QA_RADSAT.TIF"), 1 << 3, *clear)  # band 4

    assert np.isnan(read(product)[clear]).all()
    assert np.isnan(read(product, bands="SR_B4")[clear]).all()
    assert np.isfinite(read(product, bands="SR_B3,SR_B5")[clear]).all()


@pytest.mark.parametrize("bit", [1, 2, 3, 4, 5])
def test_clouds_shadows_and_snow_are_hidden(product, bit):
    clear = tuple(np.argwhere(np.isfinite(read(product)).all(axis=-1))[0])
    overwrite(one(product, "_QA_PIXEL.TIF"), 1 << bit, *clear)

    assert np.isnan(read(product)[clear]).all()


def test_a_product_without_its_mask_is_read_and_the_log_states_it(product, caplog):
    one(product, "_QA_PIXEL.TIF").unlink()

    values = read(product)

    assert np.isfinite(values).any()
    assert facts_of(product).guessed[0] in caplog.text
    assert facts_of(product).guessed[0].startswith("no QA_PIXEL, so not masked: ")


def missing_band(path):
    one(path, "_SR_B3.TIF").unlink()


def another_scene(path):
    name = path.name.replace("193027", "193028")
    change(path, "PRODUCT_CONTENTS", LANDSAT_PRODUCT_ID=name)


def more_pixels(path):
    change(path, "PROJECTION_ATTRIBUTES", REFLECTIVE_LINES=10)


def a_band_elsewhere(path):
    change(path, "PRODUCT_CONTENTS", FILE_NAME_BAND_3="../secret.TIF")


def no_factor(path):
    change(path, "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", REFLECTANCE_MULT_BAND_3=None)


def no_number(path):
    change(path, "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", REFLECTANCE_ADD_BAND_3="NULL")


def no_date(path):
    change(path, "IMAGE_ATTRIBUTES", DATE_ACQUIRED="today")


def another_mission(path):
    change(path, "IMAGE_ATTRIBUTES", SPACECRAFT_ID="LANDSAT_2")


def no_metadata(path):
    for file in path.glob("*_MTL.*"):
        file.unlink()


def damaged_metadata(path):
    file = one(path, "_MTL.json")
    file.write_bytes(file.read_bytes()[:300])


def collection_1(path):
    one(path, "_MTL.json").write_text('{"L1_METADATA_FILE": {}}')


def truncated_band(path):
    file = one(path, "_SR_B3.TIF")
    file.write_bytes(file.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing_band, r"names .*_SR_B3\.TIF, which does not lie beside it"),
        (another_scene, r"is of LC09_L2SP_193028_.*, but lies with files of LC09_L2SP_193027_"),
        (more_pixels, r"states 10 x 60 pixels, but the bands have 60 x 60"),
        (a_band_elsewhere, r"names \.\./secret\.TIF, which does not lie beside it"),
        (no_factor, r"lacks REFLECTANCE_MULT_BAND_3"),
        (no_number, r"REFLECTANCE_ADD_BAND_3 = NULL, which is no number"),
        (no_date, r"DATE_ACQUIRED = today, which is no date"),
        (another_mission, r"is of LANDSAT_2; only Landsat 4, 5, 7, 8 and 9"),
        (no_metadata, r"holds Landsat bands, but no metadata file"),
        (damaged_metadata, r"_MTL\.json is damaged: it is no JSON"),
        (collection_1, r"has no LANDSAT_METADATA_FILE with PRODUCT_CONTENTS"),
        (truncated_band, r"_SR_B3"),
    ],
)
def test_metadata_that_contradict_their_files_are_one_line(product, damage, message):
    damage(product)

    with pytest.raises(RasterError, match=message) as error:
        read(product)
    assert is_sentence(error)


def test_a_band_of_another_size_is_refused(product):
    path = one(product, "_SR_B3.TIF")
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(path, "w", **(profile | {"height": 30})) as file:
        file.write(values[:, :30])

    with pytest.raises(GridMismatch, match="do not cover the same ground") as error:
        read(product)
    assert is_sentence(error)


def test_a_clip_is_read_and_the_facts_state_it(product):
    change(product, "PROJECTION_ATTRIBUTES", REFLECTIVE_LINES=7771, REFLECTIVE_SAMPLES=7631)

    assert np.isfinite(read(product)).any()
    assert facts_of(product).guessed == (
        "The bands have 60 x 60 pixels, of 7771 x 7631 in the metadata: a clip",
    )


def test_a_folder_of_several_products_is_many_scenes_and_not_one(product, tmp_path):
    other = Landsat("L2SP", scene="193028")
    shutil.copytree(other.write(other.cube(), tmp_path), product, dirs_exist_ok=True)

    with pytest.raises(ConfigError, match="holds 2 scenes"):
        Scene.of(product)
    assert Scene.of(one(product, "193027_20240601_20240601_02_T1_MTL.txt")).stem == product.name


def test_another_resolution_is_refused(product):
    with pytest.raises(ConfigError, match="Landsat, which is read at 30 m, not at 15 m"):
        Scene.of(product, resolution=15)
    assert Scene.of(product, resolution=30).stem == product.name


def test_bits_that_no_scheme_knows_do_not_stop_a_scene(product):
    overwrite(one(product, "_QA_RADSAT.TIF"), 1 << 14, 0, 0)

    assert np.isfinite(read(product)).any()


def test_folders_are_trained_on_and_scored_as_a_user_types_them(tmp_path):
    writers = [Landsat("L2SP", scene=scene) for scene in ("193027", "193028")]
    paths = [writer.write(writer.cube(seed), tmp_path) for seed, writer in enumerate(writers)]
    model, quick = tmp_path / "m.safetensors", ("--set", "training.max_steps=20")

    trained = run("train", *paths, "-o", model, *quick)
    scored = run("score", paths[0], "-m", model, "-o", tmp_path / "maps")

    assert trained.code == 0, trained.err
    assert scored.code == 0, scored.err
    assert (tmp_path / "maps" / f"{paths[0].name}.flags.tif").exists()
