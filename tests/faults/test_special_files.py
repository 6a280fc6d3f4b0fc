"""What is no regular file is not waited for; a name that is no address is an error of the user."""

import os
import stat

import pytest
from support.hostile import RAW, document, raw
from support.rasters import land, run, trained, write
from support.refusals import refused
from support.scene_files import UTM, is_sentence, make, ramp, read
from support.scorers import Neighbours

from anomvae.errors import RasterError
from anomvae.files import SIDE_CAR
from anomvae.mapping import ScoreOptions, score_scene

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
WHAT = "a device, a pipe or a socket"


@pytest.fixture(params=["pipe", "device", "link"])
def special(request, tmp_path):
    """Make what nothing is read from: to open a pipe would wait for a writer for ever."""
    path = tmp_path / "special"
    if request.param == "device":
        path.symlink_to("/dev/zero")
        return path
    os.mkfifo(path)
    if request.param == "link":
        (tmp_path / "link").symlink_to("special")
        return tmp_path / "link"
    return path


@pytest.fixture
def scene(tmp_path):
    """Make a scene."""
    return write(tmp_path / "scene.tif", land())


def test_a_command_refuses_what_is_no_file_in_one_line(special, scene, tmp_path):
    model, out = tmp_path / "m.safetensors", tmp_path / "out"
    trained().save(model)
    for end in ("toml", "geojson"):
        (tmp_path / f"special.{end}").symlink_to(special.name)
    commands = {
        "scene": ("score", special, "-m", model, "-o", out),
        "model": ("score", scene, "-m", special, "-o", out),
        "mask": ("score", scene, "-m", model, "-o", out, "--mask", special),
        "info": ("info", special),
        "configuration": ("train", scene, "-o", out, "--config", tmp_path / "special.toml"),
        "polygons": ("train", scene, "-o", out, "--normal", tmp_path / "special.geojson"),
        "watch": ("monitor", "run", special),
    }

    for arguments in commands.values():
        refused(run(*arguments), 3, str(tmp_path), WHAT)

    assert not out.exists()


@pytest.mark.parametrize("end", [".msk", ".ovr", SIDE_CAR])
def test_a_side_car_that_is_a_pipe_is_refused(tmp_path, end):
    path = make(tmp_path / "a.tif", ramp(), **UTM)
    os.mkfifo(tmp_path / f"a.tif{end}")

    with pytest.raises(RasterError, match=WHAT) as error:
        read(path)

    assert is_sentence(error)
    assert f"a.tif{end}" in str(error.value)


def test_a_source_of_a_mosaic_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pixels.bin")
    path = tmp_path / "a.vrt"
    path.write_text(document(raw("pixels.bin", 1), RAW))

    with pytest.raises(RasterError, match=WHAT):
        read(path)


def test_the_log_of_a_watch_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "log")
    (tmp_path / "in").mkdir()
    config = tmp_path / "watch.toml"
    config.write_text(
        'state = "state"\n[health]\nlog = "log"\n[[site]]\nname = "a"\nmodel = "m.safetensors"\n'
        'out = "maps"\nfolder = {path = "in"}\n'
    )

    refused(run("monitor", "run", config), 3, "log", "cannot be written")


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_side_car_of_a_map_that_is_no_file_is_kept(scene, tmp_path, kind):
    out = tmp_path / "out"
    out.mkdir()
    side_car = out / f"scene.anomaly.tif{SIDE_CAR}"
    os.mkfifo(side_car) if kind == "pipe" else side_car.mkdir()
    before = stat.S_IFMT(os.lstat(side_car).st_mode)

    with pytest.raises(Exception, match="which no file replaces") as error:
        score_scene(Neighbours(), scene, out, ScoreOptions(overwrite=True))

    assert error.value.exit_code == 3
    assert stat.S_IFMT(os.lstat(side_car).st_mode) == before
    assert [path.name for path in out.iterdir()] == [side_car.name]


BRACKETS = ["http://[bad/x.tif", "zip://[x!b.tif", "s3://[x", "https://[::1/a.tif"]


@pytest.mark.parametrize("name", BRACKETS)
def test_a_name_that_is_no_address_is_one_line(name):
    refused(run("info", name), 3, name, "no valid address")


def test_a_name_that_is_too_long_does_not_exist():
    refused(run("info", "x" * 300), 3, "does not exist")
