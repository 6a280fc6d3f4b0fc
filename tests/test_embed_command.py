"""The commands embed and reconstruct."""

import json

import numpy as np
import pytest
import rasterio
from support.rasters import bands_of, land, plant, run, trained, write


@pytest.fixture
def files(tmp_path):
    model, scene = tmp_path / "model.safetensors", tmp_path / "scene.tif"
    trained().save(model)
    write(scene, plant(land()))
    return model, scene


def test_a_scene_is_embedded(files, tmp_path):
    model, scene = files

    ran = run("embed", scene, "-m", model, "-o", tmp_path / "codes.tif")

    units = trained().code_names
    assert ran.code == 0, ran.err
    assert f"{len(units)} bands (z1, " in ran.out
    assert "1872 of 1920 pixels have data" in ran.out
    assert bands_of(tmp_path / "codes.tif").shape == (len(units), 40, 48)


def test_draws_are_embedded_by_seed(files, tmp_path):
    model, scene = files
    how = ("--how", "average", "--samples", "3", "--seed", "7")

    ran = run("embed", scene, "-m", model, "-o", tmp_path / "a.tif", *how, "--json")
    again = run("embed", scene, "-m", model, "-o", tmp_path / "b.tif", *how, "--tile", "16")

    assert json.loads(ran.out)["valid"] == 1872
    assert again.code == 0, again.err
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.tags()["ANOMVAE_SAMPLES"] == "3"


def test_a_scene_is_reconstructed_without_its_noise(files, tmp_path):
    model, scene = files

    ran = run("reconstruct", scene, "-m", model, "-o", tmp_path / "means.tif")
    rest = run("reconstruct", scene, "-m", model, "-o", tmp_path / "rest.tif", "--residual")

    assert ran.code == rest.code == 0, ran.err + rest.err
    means, residual = bands_of(tmp_path / "means.tif"), bands_of(tmp_path / "rest.tif")
    assert np.isnan(means[:, 0]).all()
    assert np.allclose((means + residual)[:, 1:], plant(land())[:, 1:], atol=1e-6)
    assert np.nanmedian(np.abs(residual)) < 0.03  # the noise is 0.01


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-o", "out.tif", "--how", "sample", "--samples", "3"), 2, "only an average"),
        (("-o", "out.jpg"), 2, "ends in .tif"),
        (("-o", "scene.tif", "--overwrite"), 2, "is read for this"),
        (("-o", "old.tif"), 3, "Give --overwrite"),
        (("-o", "out.tif", "--tile", "0"), 2, "tile = 0"),
        (("other.tif", "-o", "out.tif"), 2, "2 scenes are given"),
        (("-o", "out.tif", "--dates", "2024-01-01"), 2, "dates"),
        (("-o", "out.tif", "--mask", "missing.tif"), 3, "missing.tif"),
    ],
)
def test_what_does_not_fit_is_one_line_with_its_exit_code(
    files, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.tif").write_bytes(b"old")
    write(tmp_path / "other.tif", land())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    ran = run("embed", "scene.tif", *arguments, "-m", "model.safetensors")

    assert ran.code == code, ran.err
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
