"""``rio anomvae``: the commands of `anomvae` as a part of rasterio's command line."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rasterio.env import getenv
from support.imports import loaded
from support.rasters import land, plant, run, trained, write

import anomvae
from anomvae.cli.group import COMMANDS

ROOT = Path(anomvae.__file__).parent.parent
GROUP = "rasterio.rio_plugins"


@pytest.fixture(scope="module")
def plugins():
    """The entry points that pyproject.toml declares, by name."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return declared["entry-points"][GROUP]


@pytest.fixture
def rio(plugins, monkeypatch):
    """Run ``rio`` with our commands in this process."""
    from rasterio.rio.main import main_group

    for name, place in plugins.items():
        command = EntryPoint(name, place, GROUP).load()
        assert command.name == name
        monkeypatch.setitem(main_group.commands, name, command)

    def call(*arguments):
        result = CliRunner().invoke(main_group, [str(argument) for argument in arguments])
        return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)

    return call


@pytest.fixture
def installed(tmp_path, plugins):
    """A folder that makes the entry points known to another process, as an installation does."""
    folder = tmp_path / "installed"
    about = folder / "anomvae_for_tests-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: anomvae-for-tests\nVersion: 0\n")
    lines = [f"{name} = {place}" for name, place in plugins.items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
    return folder


def rio_process(installed, *arguments):
    """Run ``rio`` in a process of its own."""
    code = "from rasterio.rio.main import main_group; main_group(prog_name='rio')"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=installed.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (installed, ROOT)))},
    )


@pytest.fixture
def files(tmp_path):
    model = tmp_path / "model.safetensors"
    trained().save(model)
    return model, write(tmp_path / "scene.tif", plant(land(seed=1)))


def test_rio_score_writes_the_same_bytes_as_anomvae_score(rio, files, tmp_path):
    model, scene = files

    of_rio = rio("anomvae", "score", scene, "-m", model, "-o", tmp_path / "rio", "--explain")
    own = run("score", scene, "-m", model, "-o", tmp_path / "own", "--explain")

    assert (of_rio.code, own.code) == (0, 0)
    written = sorted(path.name for path in (tmp_path / "own").iterdir())
    assert written == sorted(path.name for path in (tmp_path / "rio").iterdir())
    for name in written:
        one, other = (tmp_path / "rio" / name).read_bytes(), (tmp_path / "own" / name).read_bytes()
        if name == "scene.json":
            one, other = (json.loads(text) | {"seconds": 0} for text in (one, other))
        assert one == other, name


def test_rio_detect_finds_what_anomvae_detect_finds(rio, files, tmp_path):
    words = ("detect", files[1], "--set", "training.max_steps=20", "-o")

    of_rio, own = rio("anomvae", *words, tmp_path / "rio"), run(*words, tmp_path / "own")

    map_name = "scene.anomaly.tif"
    assert (of_rio.code, own.code) == (0, 0)
    assert (tmp_path / "rio" / map_name).read_bytes() == (tmp_path / "own" / map_name).read_bytes()


def test_rio_info_prints_what_anomvae_info_prints(rio, files):
    for file in files:
        assert rio("anomvae", "info", file, "--json").out == run("info", file, "--json").out


def test_rio_has_every_command(rio):
    listed = rio("anomvae", "--help").out

    assert all(f"\n  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("score", "gone.tif", "-m", "gone.safetensors", "-o", "maps"), 3),
        (("score", "gone.tif"), 2),
        (("scores",), 2),
    ],
)
def test_an_error_of_rio_is_a_line_and_the_same_exit_code(rio, words, code):
    of_rio, own = rio("anomvae", *words), run(*words)

    assert of_rio.code == own.code == code
    assert of_rio.err.splitlines()[-1] == own.err.splitlines()[-1]
    assert of_rio.err.splitlines()[-1].startswith("Error: ")


def test_the_verbosity_of_rio_counts(rio, files, tmp_path):
    words = ("detect", files[1], "--set", "training.max_steps=20", "-o", tmp_path / "maps")

    quiet, verbose = rio("anomvae", *words), rio("-v", "anomvae", *words[:-1], tmp_path / "more")

    assert "INFO: " not in quiet.err
    assert "INFO: " in verbose.err


def test_the_credentials_of_rio_count(rio, monkeypatch):
    held = {}
    monkeypatch.setattr(
        "anomvae.raster.scenes_of", lambda *_, **__: held.update(getenv()) or [], raising=False
    )

    rio("--aws-no-sign-requests", "anomvae", "info", "s3://bucket/scene.tif")

    assert held["AWS_NO_SIGN_REQUEST"] == "YES"


def test_the_help_of_rio_loads_little_of_ours(installed):
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(installed)!r}]\n"
        "from rasterio.rio.main import main_group\n"
        "before = set(sys.modules)\n"
        "from anomvae.cli.rio import anomvae\n"
        "assert main_group.commands['anomvae'] is anomvae, 'it is imported'\n"
        "for command in ('--help', 'anomvae --help', 'anomvae score --help'):\n"
        "    try: main_group(command.split())\n"
        "    except SystemExit as done: assert not done.code\n"
        "assert not {'torch', 'pandas', 'sklearn', 'scipy'} & (set(sys.modules) - before)"
    )

    found = loaded(code)

    assert "torch" not in found
    assert "anomvae" in found


def test_rio_runs_our_commands_once_anomvae_is_installed(installed, files):
    done = rio_process(installed, "anomvae", "score", files[1], "-m", files[0], "-o", "maps")

    assert done.returncode == 0, done.stderr
    assert (installed.parent / "maps" / "scene.anomaly.tif").is_file()


@pytest.mark.slow
def test_rio_goes_on_where_torch_is_missing(installed, files):
    (installed / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")

    scored = rio_process(installed, "anomvae", "score", files[1], "-m", files[0], "-o", "maps")
    detected = rio_process(installed, "anomvae", "detect", files[1], "-o", "own")

    assert (scored.returncode, detected.returncode) == (0, 3)
    assert "detect needs torch, which is not installed here" in detected.stderr


def test_rio_goes_on_where_anomvae_is_broken(installed, files):
    (installed / "anomvae.py").write_text("raise RuntimeError('broken')")

    told = rio_process(installed, "info", "--count", files[1])

    assert (told.returncode, told.stdout.strip()) == (0, "6")
