"""The text of masks: kinds, files, classes, several, and what is no kind."""

import pickle

import pytest
from support.scene_files import is_sentence

from anomvae.errors import ConfigError
from anomvae.raster import Scene, Selection
from anomvae.raster.mask_choice import NamedMask, absolute_mask, mask_files, parse_mask
from anomvae.raster.mask_rules import Bits, Classes, Zero
from anomvae.raster.mask_schemes import SCHEMES

AUTO = NamedMask("auto")


def binary(path):
    return NamedMask("binary", path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [AUTO]),
        ("auto", [AUTO]),
        ("none", []),
        ("coast.tif", [binary("coast.tif")]),
        ("binary:coast.tif", [binary("coast.tif")]),
        (r"C:\maps\coast.tif", [binary(r"C:\maps\coast.tif")]),
        ("https://a.b/scl:c.tif", [binary("https://a.b/scl:c.tif")]),
        ('NETCDF:"cube.nc":clouds', [binary('NETCDF:"cube.nc":clouds')]),
        ("/vsizip/a.zip/m.tif", [binary("/vsizip/a.zip/m.tif")]),
        ("scl:SCL.jp2", [NamedMask("scl", "SCL.jp2")]),
        ("SCL:C:\\SCL.jp2", [NamedMask("scl", "C:\\SCL.jp2")]),
        ("qa_pixel:https://a.b/QA.tif", [NamedMask("qa_pixel", "https://a.b/QA.tif")]),
        ("classes:m.tif=3,8,10", [NamedMask("classes", "m.tif", (3, 8, 10))]),
        ("fmask:F.tif=1,3", [NamedMask("fmask", "F.tif", (1, 3))]),
        ("scl:date=2024/SCL.tif", [NamedMask("scl", "date=2024/SCL.tif")]),
        ("classes:date=2024/m.tif=3", [NamedMask("classes", "date=2024/m.tif", (3,))]),
        ("auto,binary:a,b.tif", [AUTO, binary("a,b.tif")]),
        ("a.tif,auto", [binary("a.tif"), AUTO]),
        ("a,b.tif", [binary("a,b.tif")]),
        (
            "scl:S.tif, classes:m.tif=1,2, fmask:F.tif",
            [
                NamedMask("scl", "S.tif"),
                NamedMask("classes", "m.tif", (1, 2)),
                NamedMask("fmask", "F.tif"),
            ],
        ),
    ],
)
def test_a_text_names_masks(text, expected):
    named = parse_mask(text)

    assert list(named) == expected
    assert mask_files(text) == [one.path for one in expected if one.path]
    assert parse_mask(",".join(one.text for one in named) or "none") == named


def test_each_kind_has_its_rule():
    rules = {
        text: parse_mask(text)[0].layer.rule
        for text in ("m.tif", "classes:m.tif=3,8", "scl:m.tif", "fmask:m.tif=1,3", "scl:m.tif=0,3")
    }

    assert rules["m.tif"] == Zero()
    assert rules["classes:m.tif=3,8"] == Classes((3, 8))
    assert rules["scl:m.tif"] == SCHEMES["scl"].rule
    assert rules["fmask:m.tif=1,3"] == Bits((1, 3), (), (255,), tuple(range(8)))
    assert rules["scl:m.tif=0,3"] == Classes((0, 3), (), tuple(range(12)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mask is empty"),
        ("classes:m.tif", "names no class: give those to hide, as in classes:FILE=3,8,9"),
        ("scl:m.tif=3,12", "scl has no class 12"),
        ("fmask:m.tif=9", "fmask has no bit 9"),
        ("classes:m.tif=4294967296", "classes has no class 4294967296"),
        ("none,scl:m.tif", "names masks, and none"),
    ],
)
def test_a_text_that_names_no_mask_is_refused_before_a_file_is_opened(text, words):
    with pytest.raises(ConfigError, match=words) as error:
        Scene.of("gone.tif", mask=text)

    assert is_sentence(error)


def test_a_misspelt_kind_of_an_existing_file_is_refused_and_an_existing_file_is_taken(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("SCL.tif", "scl:SCL.tif"):
        (tmp_path / name).touch()

    with pytest.raises(ConfigError, match=r"'slc' is no kind of mask\. Did you mean scl:FILE\?"):
        parse_mask("slc:SCL.tif")
    assert parse_mask("slc:gone.tif") == (binary("slc:gone.tif"),)
    assert parse_mask("scl:SCL.tif") == (binary("scl:SCL.tif"),)


@pytest.mark.parametrize("pixels", [-1, 1001, 1.5, True])
def test_masks_grow_by_a_whole_number_of_pixels(pixels):
    with pytest.raises(ConfigError, match="expected a whole number of pixels from 0 to 1000"):
        Scene.of("a.tif", mask_dilate=pixels)


def test_workers_find_masks_by_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "auto,scl:SCL.tif,classes:m.tif=1,2,binary:https://a.b/c.tif"

    scene = pickle.loads(pickle.dumps(Scene.of("a.tif", mask=text, mask_dilate=2).absolute()))

    assert scene.mask == (
        f"auto,scl:{tmp_path / 'SCL.tif'},classes:{tmp_path / 'm.tif'}=1,2,binary:https://a.b/c.tif"
    )
    assert scene.mask_dilate == 2
    assert absolute_mask("m.tif") == str(tmp_path / "m.tif")
    assert absolute_mask("none") == "none"
    assert absolute_mask(None) is None


def test_the_files_of_masks_are_files_of_the_selection_and_the_scene(tmp_path):
    mask = tmp_path / "SCL.tif"
    mask.touch()
    text = f"auto,scl:{mask}=3"

    assert Selection(mask=text, normal=["n.tif"]).files == [str(mask), "n.tif"]
    (raster := tmp_path / "a.tif").touch()
    assert [one.path for one in Scene.of(raster, mask=text).identity] == [raster, mask]
