"""Products of Sentinel-2 whose metadata do not state their offset: the data decide, reported."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.rasters import bands_of, run

import anomvae
from anomvae.config import resolve_config
from anomvae.mapping import read_summary
from anomvae.raster import open_raster
from anomvae.testing.products import Sentinel2

QUICK = resolve_config("default", ("training.max_steps=100", "training.trim=0")).config
OLD, NEW = "02.12", "04.00"
CUBE = Sentinel2(baseline=OLD).cube()  # B01 has pixels of 60 m before 04.00


def written(folder, baseline):
    return Sentinel2(baseline=baseline).write(CUBE, folder)


def without_offsets(safe, folder):
    """Copy a product, and take the offsets out of its metadata."""
    copied = Path(shutil.copytree(safe, folder / safe.name))
    document = copied / "MTD_MSIL2A.xml"
    text = re.sub(r"<BOA_ADD_OFFSET.*?</BOA_ADD_OFFSET>", "", document.read_text())
    assert "ADD_OFFSET" not in text
    document.write_text(text)
    return copied


def images_alone(safe, folder):
    """Copy an image of each band and the scene classification, as from a bucket."""
    folder.mkdir()
    for pattern in ("*_20m.jp2", "*_B08_10m.jp2", "*_B0[19]_60m.jp2"):
        for path in safe.rglob(pattern):
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def safes(tmp_path_factory):
    """The same ground as products of both baselines, which no test changes."""
    folder = tmp_path_factory.mktemp("safes")
    return {baseline: written(folder, baseline) for baseline in (OLD, NEW)}


@pytest.fixture(scope="module")
def detectors(safes):
    """A model of each."""
    return {baseline: anomvae.train([safe], QUICK) for baseline, safe in safes.items()}


def flags_of(result):
    return bands_of(result.files.flags)


@pytest.mark.parametrize("form", [without_offsets, images_alone])
def test_a_new_product_that_does_not_state_its_offset_gives_the_flags_of_one_that_does(
    safes, detectors, tmp_path, caplog, form
):
    bare = form(safes[NEW], tmp_path / "bare")
    right = anomvae.score_scene(detectors[OLD], safes[NEW], tmp_path / "right")
    caplog.clear()

    result = anomvae.score_scene(detectors[OLD], bare, tmp_path / "out")

    np.testing.assert_array_equal(flags_of(result), flags_of(right))
    assert result.flagged > 0
    assert not right.radiometry
    assert "0.1 is taken off" in result.radiometry[0]
    assert f"{bare}: 0.1 is taken off" in caplog.text
    assert read_summary(result.files).radiometry == result.radiometry
    assert result.verdict.in_domain == "doubtful"
    with open_raster(result.path) as dataset:
        assert dataset.tags["ANOMVAE_RADIOMETRY"] == result.radiometry[0]


def test_old_images_alone_need_no_conversion(safes, detectors, tmp_path):
    bare = images_alone(safes[OLD], tmp_path / "bare")
    right = anomvae.score_scene(detectors[NEW], safes[OLD], tmp_path / "right")

    result = anomvae.score_scene(detectors[NEW], bare, tmp_path / "out")

    np.testing.assert_array_equal(flags_of(result), flags_of(right))
    assert not result.radiometry


def test_products_of_both_baselines_are_learnt_together(safes, tmp_path, caplog):
    bare = without_offsets(safes[NEW], tmp_path)

    right = anomvae.train(safes.values(), QUICK)
    assert "taken off" not in caplog.text
    mixed = anomvae.train([safes[OLD], bare], QUICK)

    assert f"{bare}: 0.1 is taken off" in caplog.text
    np.testing.assert_allclose(mixed.band_quantiles, right.band_quantiles, atol=1e-6)


def test_a_user_decides_that_a_product_is_read_as_it_is_stored(safes, detectors, tmp_path):
    detectors[OLD].save(tmp_path / "m.safetensors")
    bare = without_offsets(safes[NEW], tmp_path)
    arguments = ("score", bare, "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out")

    decided = run(*arguments)
    stored = run(*arguments, "--radiometry", "as-stored", "--overwrite")

    assert "0.1 is taken off" in decided.err
    assert "in domain: doubtful" in decided.out
    assert "taken off" not in stored.err
    assert "in domain: no" in stored.out
