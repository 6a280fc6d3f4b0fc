"""``anomvae info`` of scenes: short as text, complete as JSON, and the same at each call."""

import json
import re

import numpy as np
import pytest
from affine import Affine
from support.rasters import run
from support.scene_files import UTM, make, ramp, setting

from anomvae.objects import read_objects

KEYS = {
    *(
        "scene",
        "product",
        "date",
        "dates",
        "details",
        "unit",
        "guessed",
        "bands",
        "wavelengths",
        "fwhm",
    ),
    *(
        "picture",
        "masks",
        "no data",
        "pixels",
        "rows",
        "cols",
        "types",
        "blocks",
        "transform",
        "crs",
    ),
    "control points",
}
GOLDEN = """\
scene        {path}
product      ENVI
date         2024-06-01
sensor       HySpex
bands        3 of 4 used: 480 nm, 560 nm, 660 nm
bad bands    1 (bbl = 0): number 4
wavelengths  480 to 660 nm, 10 to 12 nm wide
values       reflectance = 0.0001 x stored
no data      -1
masks        none
pixels       75.0% valid, 0.0% masked, 25.0% missing of 12
picture      natural colour: 660 nm, 560 nm, 480 nm
grid         3 rows x 4 columns, no coordinate reference system
transform    none
storage      int16, blocks of 1 x 4
guessed      the wavelengths, 0.48 to 1.4, have no unit, taken as micrometres
"""


def cube(folder):
    """Write a cube of four bands, of which the first row has no data at two places."""
    values = ramp(4, dtype="int16")
    values[0, 0, :2] = values[2, 1, 0] = -1
    path = make(folder / "cube.img", values, driver="ENVI")
    items = {
        "wavelength": "{0.48, 0.56, 0.66, 1.4}",
        "fwhm": "{0.01, 0.011, 0.012, 0.02}",
        "bbl": "{1, 1, 1, 0}",
        "data ignore value": -1,
        "reflectance scale factor": 10000,
        "acquisition time": "2024-06-01T10:00:00Z",
        "sensor type": "HySpex",
    }
    header = folder / "cube.hdr"
    head = header.read_text().partition("band names")[0]
    header.write_text(head + "".join(f"{name} = {value}\n" for name, value in items.items()))
    return path


def test_a_scene_is_described_in_short_lines(tmp_path):
    path = cube(tmp_path)

    result = run("info", path)

    assert result.out == GOLDEN.format(path=path)


def test_json_has_every_band_with_its_use_and_stable_keys(tmp_path):
    facts = json.loads(run("info", cube(tmp_path), "--bands", "2,3", "--json").out)

    assert facts.keys() == KEYS
    assert [band["use"] for band in facts["bands"]] == ["dropped", "used", "used", "bad"]
    assert [band["bad"] for band in facts["bands"]] == ["", "", "", "bbl = 0"]
    assert facts["wavelengths"] == [560, 660]
    assert facts["pixels"] == {
        **{"sampled": 12, "total": 12},
        **{"valid": pytest.approx(11 / 12), "masked": 0, "missing": pytest.approx(1 / 12)},
    }


def test_a_mask_is_named_and_what_it_hides_is_counted(tmp_path):
    scene = make(tmp_path / "scene.tif", ramp(), **UTM, nodata=1)
    mask = make(tmp_path / "mask.tif", np.array([[[0, 0, 0, 0], [1] * 4, [1] * 4]], "uint8"), **UTM)

    facts = json.loads(run("info", scene, "--mask", mask, "--json").out)

    assert facts["masks"] == [f"{mask}: 0 and no data"]
    assert facts["pixels"]["masked"] == pytest.approx(3 / 12)
    assert facts["pixels"]["missing"] == pytest.approx(1 / 12)


def test_many_bands_are_described_in_as_few_lines_as_few_bands(tmp_path):
    names = tuple(f"{400 + 7 * number} nm" for number in range(285))
    path = make(
        tmp_path / "a.tif", ramp(285, dtype="float32"), describe=setting(descriptions=names)
    )

    lines = run("info", path).out.splitlines()

    assert len(lines) <= 16
    assert max(map(len, lines)) < 200
    assert any("285 of 285 used: 400 nm, 407 nm, 414 nm, ... 2388 nm" in line for line in lines)


def test_each_of_several_files_is_described_and_one_that_fails_does_not_stop_the_others(tmp_path):
    path = cube(tmp_path)

    text = run("info", path, tmp_path / "none.tif", path)
    both = run("info", path, path, "--json")

    assert text.code == 5
    assert text.out == "\n".join([GOLDEN.format(path=path)] * 2)
    assert "none.tif does not exist" in text.err
    assert "1 of 3 files failed" in text.err
    assert [one["product"] for one in json.loads(both.out)] == ["ENVI", "ENVI"]


def test_a_reference_system_without_a_code_is_named_and_zeros_have_no_sign(tmp_path):
    place, crs = Affine(20, 0, 500, 0, -20, 900), "+proj=sinu +R=6371007.181"
    path = make(tmp_path / "modis.img", ramp(2), driver="ENVI", crs=crs, transform=place)

    out = run("info", path).out

    assert re.search(r"\ngrid +3 rows x 4 columns, \w+ \(no EPSG code\)\n", out), out
    assert "transform    20, 0, 500, 0, -20, 900\n" in out
    assert "PROJCS[" in json.loads(run("info", path, "--json").out)["crs"]


def test_the_wavelength_of_one_band_is_no_range(tmp_path):
    out = run("info", cube(tmp_path), "--bands", "2").out

    assert re.search(r"\nwavelengths +560 nm, 11 nm wide\n", out)


def test_objects_are_listed_with_the_bands_that_lead(scene, model, tmp_path):
    assert run("score", scene, "-m", model, "-o", tmp_path / "maps").code == 0
    path = tmp_path / "maps" / "scene.objects.geojson"
    strongest = read_objects(path).items[0]

    text, data = run("info", path), json.loads(run("info", path, "--json").out)

    assert text.code == 0
    (row,) = [line for line in text.out.splitlines() if line.startswith(" 1 ")]
    leading = strongest.explanation.leading
    assert row.split(maxsplit=4) == [
        *("1", str(strongest.area_px), f"{strongest.score_max:.4g}"),
        "{},{}".format(*strongest.peak),
        ", ".join(f"{one.band} {one.residual:+.1f}" for one in leading),
    ]
    assert data["scene"] == "scene.tif"
    assert [item["id"] for item in data["items"]] == list(range(1, data["listed"] + 1))
    assert data["items"][0]["leading"][0] == leading[0]._asdict()


def test_a_geopackage_of_objects_is_answered_with_the_name_of_the_objects_file(tmp_path):
    refused = run("info", tmp_path / "scene.objects.gpkg")

    assert refused.code == 2
    assert f"Name the objects file beside it: {tmp_path / 'scene.objects.geojson'}" in refused.err


def test_an_objects_file_that_is_not_there_or_not_ours_is_refused(tmp_path):
    path = tmp_path / "scene.objects.geojson"
    missing = run("info", path)
    path.write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    foreign, option = run("info", path), run("info", path, "--bands", "1")

    assert (missing.code, foreign.code, option.code) == (3, 3, 2)
    assert "does not exist" in missing.err
    assert "no file of objects" in foreign.err
    assert "an objects file has none" in option.err
