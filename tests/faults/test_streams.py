"""Standard streams that are closed, full or unread; names and locales of other encodings."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from support.rasters import bands_of, land, trained, write

from anomvae.mapping import score_scene

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
ANOMVAE = shlex.join([sys.executable, "-m", "anomvae"])
FULL = "/dev/full"


def environment(**more):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


def shell(command, folder, **more):
    """Run a command of a shell in a folder; return exit code, stdout and stderr as bytes."""
    done = subprocess.run(
        ["sh", "-c", command.replace("anomvae ", f"{ANOMVAE} ")],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def unread(folder, *arguments):
    """Run anomvae unbuffered with a stdout that nobody reads; return exit code and stderr."""
    read, written = os.pipe()
    os.close(read)
    line = [sys.executable, "-u", "-m", "anomvae", *arguments]
    with open(written, "wb") as stdout:
        done = subprocess.run(
            line,
            cwd=folder,
            env=environment(),
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=120,
        )
    return done.returncode, done.stderr


def test_a_scene_is_scored_without_any_stream_and_with_the_backend_of_a_notebook(
    scene, model, tmp_path
):
    expected = bands_of(score_scene(trained(), scene, tmp_path / "expected").path)

    code, _, _ = shell(
        f"anomvae score {scene} -m {model} -o maps <&- >&- 2>&-",
        tmp_path,
        MPLBACKEND="module://matplotlib_inline.backend_inline",
    )

    assert code == 0
    np.testing.assert_array_equal(bands_of(tmp_path / "maps" / "scene.anomaly.tif"), expected)
    assert "scene.png" in json.loads((tmp_path / "maps" / "scene.json").read_text())["files"]


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_an_error_keeps_its_exit_code_without_streams(tmp_path, closed):
    assert shell(f"anomvae info nothing.tif {closed}", tmp_path)[0] == 3


@pytest.mark.parametrize("arguments", [("--help",), ("score", "--help"), ("config", "schema")])
def test_a_reader_that_goes_ends_a_command_as_a_closed_pipe_does(tmp_path, arguments):
    code, errors = unread(tmp_path, *arguments)

    assert code == 141
    assert errors == b""


@pytest.mark.skipif(not os.path.exists(FULL), reason=f"needs {FULL}")
@pytest.mark.parametrize("arguments", ["--help", "config schema"])
def test_a_full_device_is_one_line(tmp_path, arguments):
    code, _, errors = shell(f"anomvae {arguments} > {FULL}", tmp_path)

    assert code == 3
    assert errors.startswith(b"Error: [Errno 28]")
    assert errors.count(b"\n") == 1


@pytest.mark.skipif(not os.path.exists(FULL), reason=f"needs {FULL}")
def test_a_full_device_for_messages_keeps_the_exit_code(tmp_path):
    assert shell(f"anomvae info nothing.tif 2> {FULL}", tmp_path)[0] == 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_names_are_printed_in_any_encoding(tmp_path, encoding):
    write(tmp_path / "海é.tif", land())

    code, printed, errors = shell("anomvae info 海é.tif", tmp_path, PYTHONIOENCODING=encoding)

    assert (code, errors) == (0, b"")
    assert b".tif" in printed


@pytest.mark.skipif(sys.platform != "linux", reason="a file system that takes any bytes")
def test_a_name_that_is_not_utf_8_is_one_line(tmp_path):
    write(tmp_path / "scene.tif", land())
    os.rename(tmp_path / "scene.tif", os.fsencode(tmp_path) + b"/b\xff.tif")

    code, _, errors = shell("anomvae info b*.tif", tmp_path)

    assert code == 3
    assert b"its name is not encoded in UTF-8" in errors
    assert errors.count(b"\n") == 1


def test_a_current_folder_that_was_removed_is_one_line(tmp_path):
    path = write(tmp_path / "scene.tif", land())
    command = f"mkdir gone && cd gone && rmdir ../gone && exec anomvae info {path}"

    code, _, errors = shell(command, tmp_path)

    assert code == 3
    assert errors.startswith(b"Error: The current folder cannot be found")


def test_a_message_of_gdal_that_is_no_utf_8_prints_no_traceback(tmp_path):
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 8, "width": 8, "dtype": "uint8"}
    where = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open(path, "w", **profile, **where) as dataset:
        dataset.write(np.ones((1, 8, 8), "uint8"))
    data = path.read_bytes()
    name = data.index(b"WGS 84")
    path.write_bytes(data[:name] + b"\xb5\x00" + data[name + 2 :])

    code, _, errors = shell("anomvae info scene.tif", tmp_path)

    assert b"Traceback" not in errors
    assert code in {0, 3}
