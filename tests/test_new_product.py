"""A product that is added as docs/products.md describes keeps the contract of products."""

import json
import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from support.rasters import bands_of, run
from support.scene_files import read

import anomvae
from anomvae.raster import Scene, products

GUIDE = (Path(__file__).parent.parent / "docs" / "products.md").read_text(encoding="utf-8")
STEPS = GUIDE.partition("## Add a product")[2].partition("\n## ")[0]


def names_of_the_steps():
    """Run the code of the steps, take its row out again, and return what it defines."""
    before, names = products.RECOGNISERS, {"__name__": "steps"}
    try:
        for snippet in re.findall(r"^ *```python\n(.*?)^ *```", STEPS, re.DOTALL | re.MULTILINE):
            exec(compile(dedent(snippet), "products.md", "exec"), names)
        return {**names, "row": products.RECOGNISERS[0]}
    finally:
        products.RECOGNISERS = before


NAMES = names_of_the_steps()
WRITER = NAMES["ToyWriter"]()


@pytest.fixture(autouse=True)
def added(monkeypatch):
    """Add the row for one test."""
    monkeypatch.setattr(products, "RECOGNISERS", (NAMES["row"], *products.RECOGNISERS))


def test_there_are_five_steps():
    assert re.findall(r"^(\d)\. ", STEPS, re.MULTILINE) == list("12345")


def test_values_masks_wavelengths_place_date_and_name_are_those_of_the_cube(tmp_path):
    cube = WRITER.cube()
    path = WRITER.write(cube, tmp_path)

    with Scene.of(path / "toy.json").open() as opened:
        assert [band.wavelength for band in opened.bands] == list(cube.wavelengths)
        assert (opened.grid.shape, opened.grid.epsg) == (cube.shape, str(cube.epsg))
        assert opened.newest.dataset.facts.kind == WRITER.kind
    assert Scene.of(path).dates[0].date == cube.day
    assert Scene.of(path).stem == WRITER.stem(path)
    expected = np.where(cube.hidden[..., None], np.nan, cube.reflectance)
    np.testing.assert_allclose(read(path), expected, atol=1e-6)


def test_it_is_found_in_a_folder_trained_on_and_scored(tmp_path):
    cube = WRITER.cube()
    path = WRITER.write(cube, tmp_path)
    model = tmp_path / "model.safetensors"

    trained = run("train", tmp_path, "-o", model, "--set", "training.max_steps=300")
    scored = run("score", tmp_path / "*.toy", "-m", model, "-o", tmp_path / "maps")

    assert (trained.code, scored.code) == (0, 0), trained.err + scored.err
    (flags,) = bands_of(tmp_path / "maps" / f"{WRITER.stem(path)}.flags.tif")
    assert not (flags[cube.hidden] == 1).any()
    assert (flags[cube.objects] == 1).mean() > 0.5


def test_a_damaged_one_is_answered_in_one_line(tmp_path):
    path = WRITER.write(WRITER.cube(), tmp_path)
    (path / "toy.json").write_text(json.dumps([{"file": "../../etc/passwd", "nm": 490}]))

    result = run("detect", path, "-o", tmp_path / "out")

    assert result.code == anomvae.errors.RasterError.exit_code
    assert "lacks ../../etc/passwd. Fetch it again." in result.err
    assert result.err.count("\n") == 1
