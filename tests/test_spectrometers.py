"""EnMAP and DESIS: named in any way, masked by their classes, refused where damaged."""

import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, run
from support.scene_files import is_sentence, read

from anomvae.errors import ConfigError, RasterError
from anomvae.raster import Scene
from anomvae.raster.products import Raster, recognise
from anomvae.testing.products.desis import DESIS
from anomvae.testing.products.enmap import EnMAP

writers = pytest.mark.parametrize("writer", [EnMAP(), DESIS()], ids=lambda writer: writer.kind)


def part_of(product, part):
    """Return the file of a product with a part in its name."""
    (path,) = (path for path in product.iterdir() if f"-{part}." in path.name)
    return path


def change(product, old, new):
    """Replace a text in the metadata of a product, once."""
    path = part_of(product, "METADATA")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def rewrite(path, values=None, **options):
    """Write a raster anew, with other values, axes (band, row, col), or options."""
    with rasterio.open(path) as file:
        values, profile = file.read() if values is None else values, file.profile
    profile |= {"count": len(values), "driver": "GTiff", **options}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)


def clear_pixel(writer):
    """Return row and column of a pixel that has data and is not hidden."""
    cube = writer.cube()
    return np.argwhere(~(cube.hidden | cube.missing))[0]


def facts_of(path):
    with Scene.of(path).open() as opened:
        return opened.newest.dataset.facts


@writers
def test_a_product_is_named_by_any_file_of_it_by_its_folder_or_by_an_archive(writer, tmp_path):
    product = writer.write(writer.cube(), tmp_path)
    archive = shutil.make_archive(tmp_path / "order", "zip", tmp_path, product.name)
    member = f"/vsizip/{archive}/{product.name}/{part_of(product, 'METADATA').name}"
    with tarfile.open(tmp_path / "order.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(product, product.name)
    expected = read(product)

    for name in (*product.iterdir(), Path(archive), tmp_path / "order.tar", member):
        scene = Scene.of(name)
        assert scene.stem == product.name
        assert scene.dates[0].date == writer.cube().day
        np.testing.assert_array_equal(read(name), expected)


@writers
def test_a_cloud_optimised_copy_is_read_alike(writer, tmp_path):
    product = writer.write(writer.cube(), tmp_path)
    expected = read(product)
    for path in list(product.iterdir()):
        if path.suffix.lower() == ".tif":
            path.rename(path.with_name(f"{path.stem}_COG{path.suffix}"))

    np.testing.assert_array_equal(read(product), expected)


@writers
def test_a_folder_of_two_products_is_two_scenes_and_each_file_belongs_to_one(writer, tmp_path):
    first = writer.write(writer.cube(), tmp_path)
    second = tmp_path / first.name.replace("20240601T", "20240604T")
    both = tmp_path / "both"
    both.mkdir()
    for path in first.iterdir():
        shutil.copy(path, both)
        shutil.copy(path, both / path.name.replace(first.name, second.name))

    assert isinstance(recognise(both), Raster)
    scene = Scene.of(both / part_of(first, "METADATA").name.replace(first.name, second.name))
    assert scene.stem == second.name
    assert all(second.name in path for path in scene.dates[0].paths)


@writers
def test_a_product_travels_to_workers_with_absolute_paths(writer, tmp_path, monkeypatch):
    product = writer.write(writer.cube(), tmp_path)
    expected = read(product)
    monkeypatch.chdir(tmp_path)
    scene = Scene.of(product.name).absolute()
    monkeypatch.chdir("/")

    sent = pickle.loads(pickle.dumps(scene))

    assert sent == scene
    assert all(Path(path).is_absolute() for path in sent.dates[0].paths)
    with sent.open() as opened:
        found = opened.read((slice(0, 60), slice(0, 60)))[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("part", "value", "hidden"),
    [
        ("QL_QUALITY_CLOUD", 1, True),
        ("QL_QUALITY_CLOUDSHADOW", 1, True),
        ("QL_QUALITY_HAZE", 1, True),
        ("QL_QUALITY_SNOW", 1, True),
        ("QL_QUALITY_CIRRUS", 1, True),
        ("QL_QUALITY_CIRRUS", 3, True),
        ("QL_QUALITY_CLOUD", 0, False),
    ],
)
def test_masks_of_enmap_hide_their_classes(part, value, hidden, tmp_path):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    row, col = clear_pixel(EnMAP())
    mask = part_of(product, part)
    values = bands_of(mask)
    values[0, row, col] = value
    rewrite(mask, values)

    assert np.isnan(read(product)[row, col]).all() == hidden


@pytest.mark.parametrize(
    ("layer", "hidden"), [(1, 1), (2, 0), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 0)]
)
def test_layers_of_desis_hide_all_but_clear_land_and_water(layer, hidden, tmp_path):
    product = DESIS().write(DESIS().cube(), tmp_path)
    row, col = clear_pixel(DESIS())
    mask = part_of(product, "QL_QUALITY-2")
    values = bands_of(mask)
    values[layer - 1, row, col] = 1
    rewrite(mask, values)

    assert np.isnan(read(product)[row, col]).all() == bool(hidden)


def test_each_band_has_the_gain_the_offset_and_the_background_of_the_metadata(tmp_path):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    change(
        product,
        "<GainOfBand>0.0001</GainOfBand><OffsetOfBand>0<",
        "<GainOfBand>0.5</GainOfBand><OffsetOfBand>-7<",
    )
    change(product, "<backgroundValue>-32768<", "<backgroundValue>1234<")
    spectra = part_of(product, "SPECTRAL_IMAGE")
    values = bands_of(spectra)
    row, col = clear_pixel(EnMAP())
    values[:2, row, col] = 10, 1234
    rewrite(spectra, values)

    found = read(product)[row, col]

    assert found[0] == 10 * 0.5 - 7
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("level", "unit", "background"),
    [("L2A", "reflectance", -32768), ("L1C", "radiance, W/(m2 sr nm)", 0)],
)
def test_levels_of_enmap_have_units_and_a_background_of_their_own(
    level, unit, background, tmp_path
):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    change(product, "<backgroundValue>-32768</backgroundValue>", "")
    for path in list(product.iterdir()):
        path.rename(product / path.name.replace("L2A", level))

    with Scene.of(product).open() as opened:
        assert opened.newest.dataset.facts.kind == f"EnMAP {level}"
        assert opened.newest.dataset.facts.unit == unit
        assert {band.nodata for band in opened.bands} == {background}


def test_a_band_that_was_not_delivered_or_has_no_values_is_bad(tmp_path):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    change(product, "<mean>0.21</mean><stdDeviation>0.08<", "<mean>-1000000</mean><stdDeviation>0<")
    change(product, "<expectedChannelsList>1,2,3,", "<expectedChannelsList>1,2,")

    with recognise(product).open() as dataset:
        bad = {band.index: band.bad for band in dataset.bands if band.bad}

    assert bad == {
        1: "no data (bandStatistics)",
        3: "not delivered (expectedChannelsList)",
    }


@writers
def test_what_is_not_masked_for_want_of_a_file_is_reported(writer, tmp_path, caplog):
    cube = writer.cube()
    product = writer.write(cube, tmp_path)
    for path in product.iterdir():
        if "QL_QUALITY" in path.name and "SHADOW" not in path.name:
            path.unlink()

    found = read(product)

    assert np.isfinite(found[cube.clouds]).any()
    (unmasked,) = facts_of(product).guessed
    assert "QL_QUALITY" in unmasked
    assert "cloud" in unmasked
    assert unmasked in caplog.text


@writers
def test_a_product_without_spectra_or_metadata_is_refused(writer, tmp_path):
    for part in ("SPECTRAL_IMAGE", "METADATA"):
        folder = tmp_path / part
        folder.mkdir()
        product = writer.write(writer.cube(), folder)
        part_of(product, part).unlink()

        with pytest.raises(RasterError, match=f"has no file .*-{part}") as caught:
            read(product)
        assert is_sentence(caught)


BROKEN = {
    "no gain": (">0.0001<", "><", "band 1 lacks"),
    "a gain of 0": (">0.0001<", ">0<", "band 1 lacks"),
    "a wavelength of NaN": ("423.0", "nan", "band 1 lacks"),
    "a number twice": ('<bandID number="2"><wave', '<bandID number="1"><wave', "numbers the bands"),
    "no end": ("</level_X>", "", "damaged"),
}


@pytest.mark.parametrize(("old", "new", "reason"), BROKEN.values(), ids=BROKEN)
def test_damaged_metadata_are_refused_in_one_sentence(old, new, reason, tmp_path):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    change(product, old, new)

    with pytest.raises(RasterError, match=reason) as caught:
        read(product)

    assert is_sentence(caught)


@writers
def test_metadata_of_another_number_of_bands_are_refused(writer, tmp_path):
    product = writer.write(writer.cube(), tmp_path)
    spectra = part_of(product, "SPECTRAL_IMAGE")
    rewrite(spectra, bands_of(spectra)[:-1])
    count = len(writer.cube().wavelengths)

    with pytest.raises(
        RasterError, match=f"describes {count} bands, .* have {count - 1}"
    ) as caught:
        read(product)

    assert is_sentence(caught)


def test_enmap_l1b_is_refused_because_its_detectors_differ_in_their_grids(tmp_path):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    for path in list(product.iterdir()):
        path.rename(product / path.name.replace("L2A", "L1B").replace("IMAGE.", "IMAGE_VNIR."))

    result = run("info", product)

    assert result.code == 3
    assert "EnMAP L1B, which holds VNIR and SWIR on grids of their own" in result.err
    assert "L2A or L1C" in result.err


def test_a_compressed_archive_of_tar_is_to_be_unpacked(tmp_path):
    product = EnMAP().write(EnMAP().cube(), tmp_path)
    archive = shutil.make_archive(tmp_path / product.name, "gztar", tmp_path, product.name)

    result = run("info", archive)

    assert result.code == 3
    assert "Unpack it (tar -xf)" in result.err


@writers
def test_a_choice_of_resolution_is_refused(writer, tmp_path):
    product = writer.write(writer.cube(), tmp_path)

    with pytest.raises(ConfigError, match="leave --resolution") as caught:
        Scene.of(product, resolution=20)

    assert is_sentence(caught)


@writers
def test_truncated_spectra_fail_with_their_name(writer, tmp_path):
    product = writer.write(writer.cube(), tmp_path)
    spectra = part_of(product, "SPECTRAL_IMAGE")
    spectra.write_bytes(spectra.read_bytes()[: spectra.stat().st_size // 2])

    with pytest.raises(RasterError, match=product.name) as caught:
        read(product)

    assert is_sentence(caught)


@writers
def test_info_describes_the_product(writer, tmp_path):
    product = writer.write(writer.cube(), tmp_path)

    result = run("info", product)

    assert result.code == 0, result.err
    assert result.err == ""
    for fact in (writer.kind, "2024-06-01", "reflectance", "-32768", "QL_QUALITY"):
        assert fact in result.out
