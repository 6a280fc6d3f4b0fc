"""Names of files that are long or odd: they are shortened by bytes, stay apart, and lock."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rasters import QUICK, bands_of, land, plant, run, trained, write

import anomvae
from anomvae.errors import NotWritten
from anomvae.files import locked, staging, write_atomically

STEMS = {"ascii": "x" * 250, "cjk": "海" * 83, "accents": "é" * 125}
STYLES = {".anomaly.qml", ".flags.qml", ".objects.qml"}
ENDINGS = {".anomaly.tif", ".flags.tif", ".objects.geojson", ".png", ".json"} | STYLES
names = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=400)


@given(name=names, most=st.integers(40, 255))
def test_a_fitted_name_has_at_most_its_bytes_and_stays_when_it_is_fitted_again(name, most):
    from anomvae.names import fitted

    short = fitted(name, most)

    assert len(short.encode()) <= most
    assert fitted(short, most) == short
    assert "\n" not in short
    assert "\x00" not in short


@given(one=names, other=names)
def test_different_names_stay_different(one, other):
    from anomvae.names import fitted

    assert (fitted(one, 40) == fitted(other, 40)) == (one == other)


def test_an_ordinary_name_stays_as_it_is():
    from anomvae.names import fitted, printable

    name = "S2A_MSIL2A_20240601T103021_N0510_R108_T32UNA_20240601T160103 (Café).tif"

    assert fitted(name, 200) == printable(name) == name


@pytest.mark.parametrize("stem", STEMS.values(), ids=STEMS.keys())
def test_scenes_of_long_names_are_scored_beside_each_other(tmp_path, stem):
    scene = write(tmp_path / f"{stem}.tif", plant(land(seed=1)))
    other = write(tmp_path / f"{stem[:-1]}.tif", land(seed=2))
    trained().save(tmp_path / "m.safetensors")

    command = ["score", scene, other, "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out"]
    first, second = run(*command), run(*command)

    plain = anomvae.score_scene(trained(), write(tmp_path / "a.tif", plant(land(seed=1))), tmp_path)
    files = list((tmp_path / "out").iterdir())
    maps = [path for path in files if path.name.endswith(".anomaly.tif")]
    assert (first.code, second.code) == (0, 0), first.err
    assert second.out.count("(up to date)") == 2
    assert len(files) == 2 * len(ENDINGS)
    assert {f".{path.name.partition('.')[2]}" for path in files} == ENDINGS
    assert any((bands_of(path)[:, 1:] == bands_of(plain.path)[:, 1:]).all() for path in maps)


def test_a_scene_of_a_long_name_is_detected(tmp_path):
    scene = write(tmp_path / f"{'x' * 250}.tif", plant(land(seed=1)))
    settings = [option for setting in QUICK for option in ("--set", setting)]

    done = run("detect", scene, "-o", tmp_path / "out", *settings)

    assert done.code == 0, done.err
    assert len(list((tmp_path / "out").iterdir())) == len(ENDINGS)


@pytest.mark.parametrize("name", ["x" * 255, "海" * 85])
def test_a_file_of_the_longest_name_is_written_and_locked(tmp_path, name):
    write_atomically(tmp_path / name, b"1")
    with locked(tmp_path, name), staging(tmp_path, f"{name[:-1]}y"):
        write_atomically(tmp_path / "other", b"2")

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "other"])
    assert (tmp_path / name).read_bytes() == b"1"


def test_a_name_that_no_file_system_takes_blames_the_name(tmp_path):
    with pytest.raises(NotWritten, match="the name is too long"):
        write_atomically(tmp_path / ("x" * 256), b"1")


def test_a_scene_whose_name_is_not_utf8_is_refused_in_one_line(tmp_path):
    path = os.fsencode(tmp_path) + b"/bad\xff.tif"
    try:
        with open(path, "wb") as file:
            file.write(b"II*\x00")
    except OSError:
        pytest.skip("the file system refuses the name")
    trained().save(tmp_path / "m.safetensors")

    done = run("score", os.fsdecode(path), "-m", tmp_path / "m.safetensors", "-o", tmp_path / "out")

    assert done.code == 3
    assert "is not encoded in UTF-8" in done.err
