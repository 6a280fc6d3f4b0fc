"""Sentinel-2 products that are damaged, incomplete or contradict themselves: one clear line."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, run
from support.scene_files import is_sentence, read

from anomvae.errors import AnomvaeError, ConfigError, GridMismatch, RasterError
from anomvae.raster import Scene
from anomvae.testing.products import Sentinel2
from anomvae.testing.products.sentinel2 import write_jp2


@pytest.fixture
def safe(tmp_path):
    return Sentinel2().write(Sentinel2().cube(), tmp_path)


def image(safe, name):
    return next(safe.rglob(f"*{name}.jp2"))


def rewrite(path, **changes):
    """Write an image again with another profile."""
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(
        path, "w", **profile | {"QUALITY": 100, "REVERSIBLE": "YES"} | changes
    ) as file:
        file.write(values)


def edit(path, pattern, text):
    """Change the text of a metadata file."""
    before = path.read_text()
    assert re.search(pattern, before)
    path.write_text(re.sub(pattern, text, before))


def without_images(safe):
    for path in safe.rglob("*.jp2"):
        path.unlink()


def another_tile(safe):
    path = image(safe, "B05_20m")
    path.rename(path.with_name(path.name.replace("T33SVB", "T33SVC")))


def classes_of_another_tile(safe):
    path = image(safe, "SCL_20m")
    path.rename(path.with_name(path.name.replace("T33SVB", "T33SVC")))


def truncated_metadata(safe):
    path = safe / "MTD_MSIL2A.xml"
    path.write_bytes(path.read_bytes()[:500])


def other_pixels(safe):
    rewrite(image(safe, "B05_20m"), transform=rasterio.Affine(10, 0, 5e5, 0, -10, 4000020))


def other_zone(safe):
    edit(next(safe.rglob("MTD_TL.xml")), "EPSG:32633", "EPSG:32634")


def shifted_classes(safe):
    rewrite(image(safe, "SCL_20m"), transform=rasterio.Affine(20, 0, 5e5 + 1200, 0, -20, 4000020))


def shifted_band(safe):
    rewrite(image(safe, "B11_20m"), transform=rasterio.Affine(20, 0, 5e5 + 1200, 0, -20, 4000020))


def truncated_image(safe):
    path = image(safe, "B05_20m")
    path.write_bytes(path.read_bytes()[:90])


FAULTS = [
    (without_images, RasterError, "holds no image of a band"),
    (another_tile, RasterError, r"images of 2 tiles or times \(T33SVB_.*T33SVC"),
    (classes_of_another_tile, RasterError, r"images of 2 tiles or times"),
    (truncated_metadata, RasterError, r"MTD_MSIL2A.xml is damaged: it is no XML"),
    (lambda safe: edit(safe / "MTD_MSIL2A.xml", "Level-2A_User", "Level-9X_User"),
     RasterError, "is damaged: its root is <Level-9X_User_Product>"),
    (lambda safe: edit(safe / "MTD_MSIL2A.xml", ">10000<", ">0<"),
     RasterError, "is damaged: its quantification is 0"),
    (lambda safe: edit(safe / "MTD_MSIL2A.xml", ">10000<", "> <"),
     RasterError, "is damaged: its BOA_QUANTIFICATION_VALUE is '', not a number"),
    (lambda safe: edit(safe / "MTD_MSIL2A.xml", ">-1000<", ">much<"),
     RasterError, "is damaged: its BOA_ADD_OFFSET is 'much', not a number"),
    (other_pixels, RasterError, "has pixels of 10 m, but by its name they have 20 m"),
    (other_zone, RasterError, "lies in EPSG:32633, but the metadata of its tile state EPSG:32634"),
    (shifted_classes, GridMismatch, "SCL_20m.jp2 begins at .* do not cover the same ground"),
    (shifted_band, GridMismatch, "B11_20m.jp2 begins at .* do not cover the same ground"),
    (truncated_image, RasterError, "B05_20m.jp2"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "kind", "message"), FAULTS)
def test_a_fault_is_one_sentence_that_names_it(safe, damage, kind, message):
    damage(safe)

    with pytest.raises(kind, match=message) as error:
        read(safe)

    assert is_sentence(error)


def test_a_damaged_product_of_a_batch_fails_alone(safe, tmp_path):
    model = tmp_path / "m.safetensors"
    assert run("train", safe, "-o", model, "--set", "training.max_steps=9").code == 0
    damaged = shutil.copytree(safe, tmp_path / "damaged" / safe.name.replace("0601", "0611"))
    for path in damaged.rglob("*20240601*.jp2"):
        path.unlink()

    result = run("score", safe, damaged, "-m", model, "-o", tmp_path / "out")

    assert result.code == 5
    assert "holds no image of a band" in result.err
    assert (tmp_path / "out" / f"{safe.stem}.anomaly.tif").is_file()


def test_missing_bands_are_named_and_the_others_read(safe, caplog):
    image(safe, "B09_60m").unlink()

    found = read(safe)

    assert found.shape[-1] == 11
    assert "no image of B09" in caplog.text


def test_a_band_whose_own_image_is_missing_is_read_from_a_coarser_one_and_this_is_reported(
    safe, caplog
):
    own = image(safe, "B05_20m")
    coarse = Path(str(own).replace("20m", "60m"))
    write_jp2(coarse, bands_of(own)[0, ::3, ::3], Sentinel2().cube(), 60)
    own.unlink()

    found = read(safe)

    assert found.shape == (60, 60, 12)
    assert "B05 is read from its image of 60 m" in caplog.text
    assert caplog.text.count("is read from its image") == 1  # not B01, which has no finer one


@pytest.mark.parametrize("level", ["L2A", "L1C"])
def test_a_product_without_its_mask_is_reported(tmp_path, level, caplog):
    writer = Sentinel2(level)
    safe = writer.write(writer.cube(), tmp_path)
    read(safe)
    assert "no cloud is hidden" not in caplog.text
    for path in (*safe.rglob("*_SCL_*"), *safe.rglob("MSK_CLASSI*")):
        path.unlink()

    read(safe)

    assert caplog.text.count("no cloud is hidden") == 1


def test_a_grid_that_no_image_has_is_refused(safe):
    for path in safe.rglob("*_60m.jp2"):
        path.unlink()

    result = run("info", safe, "--resolution", 60)

    assert result.code == 2
    assert "no raster with pixels of 60, but of 10, 20" in result.err


def test_a_model_of_all_bands_refuses_a_product_that_lacks_one(safe, tmp_path):
    model = tmp_path / "m.safetensors"
    assert run("train", safe, "-o", model, "--set", "training.max_steps=9").code == 0
    image(safe, "B09_60m").unlink()

    result = run("score", safe, "-m", model, "-o", tmp_path / "out")

    assert result.code == 4
    assert "B09" in result.err


def test_a_product_without_any_clear_pixel_is_one_clear_line(safe, tmp_path):
    path = image(safe, "SCL_20m")
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(path, "w", **profile | {"QUALITY": 100, "REVERSIBLE": "YES"}) as file:
        file.write(np.full_like(values, 9))

    result = run("detect", safe, "-o", tmp_path / "out", "--set", "training.max_steps=9")

    assert result.code in {3, 4}
    assert len(result.err.strip().splitlines()) == 1
    assert "Traceback" not in result.err


def test_band_files_of_two_levels_in_one_folder_are_refused(safe, tmp_path):
    folder = tmp_path / "bucket"
    folder.mkdir()
    path = image(safe, "B05_20m")
    shutil.copy(path, folder)
    shutil.copy(path, folder / path.name.replace("_20m", ""))

    with pytest.raises(RasterError, match=r"of L1C .* and of L2A .*, but a scene has one level"):
        read(folder)


def test_a_folder_without_products_is_not_taken(tmp_path):
    (tmp_path / "T33SVB.jp2").write_bytes(b"no image")

    with pytest.raises(AnomvaeError):
        read(tmp_path)


def test_missing_offsets_of_a_new_baseline_are_reported(safe, caplog):
    edit(safe / "MTD_MSIL2A.xml", "<BOA_ADD_OFFSET.*?</BOA_ADD_OFFSET>", "")
    with Scene.of(safe).open() as opened:
        facts = opened.newest.dataset.facts

    assert [band.offset for band in opened.bands] == [0.0] * 12
    assert facts.guessed == (
        "The metadata, of baseline 04.00, lack offsets, but products since baseline 04.00 have "
        "-1000: none is applied",
    )
    assert facts.guessed[0] in caplog.text


def test_an_archive_of_two_products_is_a_question(safe, tmp_path):
    other = safe.with_name(safe.name.replace("0601T", "0611T"))
    shutil.copytree(safe, tmp_path / "both" / safe.name)
    shutil.copytree(safe, tmp_path / "both" / other.name)
    archive = shutil.make_archive(str(tmp_path / "two"), "zip", tmp_path / "both")

    with pytest.raises(ConfigError, match=r"holds 2 products of Sentinel-2\. Name one") as error:
        Scene.of(archive)

    named = re.findall(r"/vsizip/\S+?\.xml", str(error.value))
    assert [Scene.of(name).stem for name in named] == [safe.stem, other.stem]
