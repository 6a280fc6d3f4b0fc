"""Sentinel-2: every way to name a product, its grids, its radiometry and its masks."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, run
from support.scene_files import read

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import ConfigError
from anomvae.monitoring.scoring import scene_of
from anomvae.monitoring.sources import FoundScene
from anomvae.raster import Scene
from anomvae.raster.products import Raster, recognise
from anomvae.testing.products import Sentinel2

QUICK = resolve_config("default", ("training.max_steps=100", "training.trim=0")).config
NAME = "S2A_MSIL2A_20240601T103021_N0400_R108_T33SVB_20250101T000000"
GRANULE = "GRANULE/L2A_T33SVB_A012345_20240601T103022"
TILE = "T33SVB_20240601T103021"


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    """A product that no test changes."""
    return Sentinel2().write(Sentinel2().cube(), tmp_path_factory.mktemp("safe"))


@pytest.fixture
def own(safe, tmp_path):
    """A product that the test may change."""
    return Path(shutil.copytree(safe, tmp_path / safe.name))


def flat(safe, folder, pattern="*_20m.jp2"):
    """Copy images of a product into a folder, as from a bucket."""
    folder.mkdir(exist_ok=True)
    for path in safe.rglob(pattern):
        shutil.copy(path, folder)
    return folder


def facts_of(name, **options):
    with Scene.of(name, **options).open() as opened:
        return opened.newest.dataset.facts


def numbers_of(safe, name):
    """Read the stored numbers of an image, axes (row, col)."""
    return bands_of(next(safe.rglob(f"*{name}.jp2")))[0].astype(float)


@pytest.mark.parametrize(
    "member",
    [
        "",
        "MTD_MSIL2A.xml",
        f"{GRANULE}/MTD_TL.xml",
        f"{GRANULE}/IMG_DATA/R20m/{TILE}_B05_20m.jp2",
        f"{GRANULE}/IMG_DATA/R20m/{TILE}_SCL_20m.jp2",
        "GRANULE",
        GRANULE,
        f"{GRANULE}/IMG_DATA/R10m",
    ],
)
def test_a_folder_and_any_part_of_it_are_the_same_scene(safe, member):
    scene = Scene.of(safe / member)

    assert scene.stem == NAME
    assert scene.dates[0].date.isoformat() == "2024-06-01"
    np.testing.assert_array_equal(read(safe / member), read(safe))


@pytest.mark.parametrize("form", ["{}", "/vsizip/{}/{}.SAFE/MTD_MSIL2A.xml", "zip://{}!/{}.SAFE"])
def test_an_archive_and_its_members_are_the_same_scene(safe, tmp_path, form):
    archive = shutil.make_archive(str(tmp_path / "download"), "zip", safe.parent, safe.name)
    name = form.format(archive, NAME)

    assert Scene.of(name).stem == NAME
    assert Scene.of(name).dates[0].paths == (archive,)
    np.testing.assert_array_equal(read(name), read(safe))


def test_an_archive_of_a_relative_name_is_read_from_any_folder(safe, tmp_path, monkeypatch):
    shutil.make_archive(str(tmp_path / "download"), "zip", safe.parent, safe.name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    scene = Scene.of("../download.zip").absolute()
    monkeypatch.chdir("/")

    with scene.open() as opened:
        assert opened.newest.dataset.facts.kind == "Sentinel-2 L2A"


def test_a_product_is_found_from_inside_its_folder(safe, monkeypatch):
    monkeypatch.chdir(safe)

    assert Scene.of("MTD_MSIL2A.xml").stem == Scene.of(".").stem == NAME


def test_what_the_metadata_state_is_reported(safe):
    facts = facts_of(safe)

    assert (facts.kind, facts.unit, facts.guessed) == ("Sentinel-2 L2A", "reflectance", ())
    assert facts.date.isoformat() == "2024-06-01"
    assert dict(facts.details) == {
        "platform": "Sentinel-2A",
        "baseline": "04.00",
        "orbit": "108 descending",
        "tile": "T33SVB",
    }


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_all_bands_have_names_wavelengths_and_widths_on_each_grid(tmp_path, level):
    writer = Sentinel2(level)
    path = writer.write(writer.cube(), tmp_path)

    for side, shape in ((10, (120, 120)), (20, (60, 60)), (60, (20, 20))):
        with Scene.of(path, resolution=side).open() as opened:
            assert opened.bands.names == writer.bands
            assert opened.grid.shape == shape
            assert opened.grid.transform[0] == side
            assert {band.fwhm for band in opened.bands} == {21.0}


def test_the_own_image_of_a_grid_is_preferred_to_a_finer_one(own):
    path = next(own.rglob("*_B02_20m.jp2"))
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(path, "w", **profile | {"QUALITY": 100, "REVERSIBLE": "YES"}) as file:
        file.write(np.where(values, 7000, 0).astype("uint16"))

    found = read(own, bands="B02")

    assert np.nanmax(np.abs(found - 0.6)) < 1e-6


def test_a_finer_image_becomes_the_mean_of_its_pixels_with_data(own):
    next(own.rglob("*SCL*.jp2")).unlink()  # no mask hides pixels
    numbers = np.ma.masked_equal(numbers_of(own, "B08_10m").reshape(20, 6, 20, 6), 0)

    found = read(own, bands="B08", resolution=60)[..., 0]

    expected = (numbers.mean(axis=(1, 3)).filled(np.nan) - 1000) / 10_000
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_saturated_numbers_are_no_data_and_enter_no_mean(own):
    next(own.rglob("*SCL*.jp2")).unlink()
    path = next(own.rglob("*_B08_10m.jp2"))
    with rasterio.open(path) as file:
        profile, values = file.profile, file.read()
    values[0, 60, 60], values[0, 64:66, 64:66] = 65535, 65535
    with rasterio.open(path, "w", **profile | {"QUALITY": 100, "REVERSIBLE": "YES"}) as file:
        file.write(values)

    found = read(own, bands="B08")[..., 0]

    rest = [values[0, 60, 61], *values[0, 61, 60:62]]
    assert found[30, 30] == pytest.approx((np.mean(rest) - 1000) / 10_000, abs=1e-6)
    assert np.isnan(found[32, 32])


def test_baselines_before_and_since_the_offset_give_the_same_scores_and_flags(tmp_path):
    old, new = Sentinel2(baseline="02.12"), Sentinel2(baseline="04.00")
    cube = old.cube()  # B01 has pixels of 60 m in the old one
    paths = [writer.write(cube, tmp_path) for writer in (old, new)]
    detector = anomvae.train(paths[:1], QUICK)

    maps = [anomvae.score_scene(detector, p, tmp_path / f"{n}").files for n, p in enumerate(paths)]

    np.testing.assert_array_equal(*(bands_of(files.flags) for files in maps))
    scores = [bands_of(files.scores) for files in maps]
    np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-5)
    assert facts_of(paths[0]).guessed == facts_of(paths[1]).guessed == ()


def test_a_folder_of_band_files_is_a_scene(safe, tmp_path):
    folder = flat(safe, tmp_path / "bucket")
    scene = Scene.of(folder)

    assert scene.stem == TILE
    assert scene.dates[0].date.isoformat() == "2024-06-01"
    assert facts_of(folder).kind == "Sentinel-2 L2A"
    assert Scene.of(folder / f"{TILE}_B05_20m.jp2").dates[0].images == scene.dates[0].images
    assert "B08" not in {band.name for band in scene.open().__enter__().bands}


def test_band_files_of_10_m_alone_are_read_on_their_grid(safe, tmp_path):
    folder = flat(safe, tmp_path / "bucket", "*_10m.jp2")

    with Scene.of(folder).open() as opened:
        assert opened.grid.transform[0] == 10
        assert opened.bands.names == ("B02", "B03", "B04", "B08")


def test_band_files_without_a_grid_in_their_names_are_l1c(tmp_path):
    safe = Sentinel2("L1C").write(Sentinel2("L1C").cube(), tmp_path)
    folder = flat(safe, tmp_path / "bucket", "T*.jp2")

    with Scene.of(folder).open() as opened:
        assert opened.newest.dataset.facts.kind == "Sentinel-2 L1C"
        assert len(opened.bands) == 13
        assert opened.grid.transform[0] == 20


def test_pictures_and_other_products_beside_band_files_are_not_read(safe, tmp_path):
    folder = flat(safe, tmp_path / "bucket")
    for other in ("TCI", "AOT", "WVP"):
        shutil.copy(next(folder.glob("*_B02_20m.jp2")), folder / f"{TILE}_{other}_20m.jp2")

    with Scene.of(folder / f"{TILE}_TCI_20m.jp2").open() as opened:
        assert not {"TCI", "AOT", "WVP"} & set(opened.bands.names)
    alone = tmp_path / "picture"
    alone.mkdir()
    shutil.copy(folder / f"{TILE}_TCI_20m.jp2", alone)
    assert isinstance(recognise(alone / f"{TILE}_TCI_20m.jp2"), Raster)


def test_a_folder_of_several_dates_is_several_scenes(safe, tmp_path):
    folder = flat(safe, tmp_path / "bucket")
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / path.name.replace("20240601", "20240611"))

    result = run("train", folder, "-o", tmp_path / "m.safetensors", "--set", "training.max_steps=9")

    assert result.code == 0, result.err
    assert f"{TILE}".replace("0601", "0611") in run("info", tmp_path / "m.safetensors").out


def test_a_map_of_another_resolution_is_evaluated_with_its_scene(safe, tmp_path):
    options = (safe, "--resolution", 60)
    run("detect", *options, "-o", tmp_path, "--set", "training.max_steps=20")
    (scores,) = tmp_path.glob("*.anomaly.tif")
    with rasterio.open(scores) as file:
        profile, values = file.profile, file.read(1)
    with rasterio.open(tmp_path / "labels.tif", "w", **{**profile, "count": 1}) as file:
        file.write((values > np.nanmedian(values)).astype("float32"), 1)

    result = run("evaluate", *options, scores, "--labels", tmp_path / "labels.tif")

    assert result.code == 0, result.err
    assert "rx" in result.out


def test_a_choice_that_no_product_has_is_refused(safe):
    with pytest.raises(ConfigError, match=r"read at 10, 20, 60 m, not at 30 m"):
        Scene.of(safe, resolution=30)
    with pytest.raises(ConfigError, match=r"leave --band-axis out"):
        Scene.of(safe, band_axis="band")


def test_old_clouds_of_polygons_are_not_read_and_this_is_reported(tmp_path):
    writer = Sentinel2("L1C", baseline="02.12")
    path = writer.write(writer.cube(), tmp_path)
    (next(path.glob("GRANULE/*")) / "QI_DATA").mkdir()
    (next(path.glob("GRANULE/*")) / "QI_DATA" / "MSK_CLOUDS_B00.gml").write_text("<Mask/>")

    assert any("no cloud is hidden" in sentence for sentence in facts_of(path).guessed)


REAL = Path(os.environ.get("ANOMVAE_PRODUCTS", "/nowhere")) / "safe-metadata"


@pytest.mark.skipif(not REAL.is_dir(), reason="ANOMVAE_PRODUCTS is not set")
@pytest.mark.parametrize(
    ("start", "date", "centre", "offset"),
    [("S2A", "2019-02-12", 442.7, 0.0), ("S2B", "2022-04-13", 442.3, -0.1)],
)
def test_real_metadata_with_small_images_are_a_scene(tmp_path, start, date, centre, offset):
    source = next(REAL.glob(f"{start}*.SAFE"))
    path = Path(shutil.copytree(source, tmp_path / source.name))
    tile = next(path.glob("GRANULE/*/MTD_TL.xml")).read_text()
    corner = [float(re.search(f"<{tag}>(.*?)<", tile)[1]) for tag in ("ULX", "ULY")]
    epsg = re.search("EPSG:[0-9]+", tile)[0]
    for name in re.findall("<IMAGE_FILE>(.*?)<", (path / "MTD_MSIL2A.xml").read_text()):
        side = int(name[-3:-1])
        count = 1920 // side
        kind = "uint8" if "SCL" in name else "uint16"
        file = path / f"{name}.jp2"
        file.parent.mkdir(parents=True, exist_ok=True)
        transform = rasterio.Affine(side, 0, corner[0], 0, -side, corner[1])
        profile = {"count": 1, "height": count, "width": count, "dtype": kind, "crs": epsg}
        profile |= {"QUALITY": 100, "REVERSIBLE": "YES", "transform": transform}
        with rasterio.open(file, "w", driver="JP2OpenJPEG", **profile) as image:
            image.write(np.full((1, count, count), 4 if "SCL" in name else 3000, kind))

    with Scene.of(path).open() as opened:
        assert len(opened.bands) == 12
        assert opened.scene.dates[0].date.isoformat() == date
        assert opened.bands.items[0].wavelength == centre
        assert 15 < opened.bands.items[0].fwhm < 25  # ESA: 20 nm
        assert np.allclose(opened.read((slice(0, 9), slice(0, 9))), 0.3 + offset)
        assert opened.newest.dataset.masks[0].title.startswith("SCL")


def test_a_watch_scores_the_grid_that_its_model_was_trained_on(tmp_path):
    writer = Sentinel2()
    path = writer.write(writer.cube(), tmp_path)
    found = FoundScene("a", "a", (str(path),), product=recognise(path))
    rows = {side: _rows(scene_of(found, resolution=side)) for side in (None, 10, 20, 60)}

    assert rows == {None: 60, 10: 120, 20: 60, 60: 20}
    for product in (recognise(path), Raster("a.tif")):
        with pytest.raises(ConfigError, match="30"):
            product.at(30)


def _rows(scene):
    with scene.open() as opened:
        return opened.grid.shape[0]
