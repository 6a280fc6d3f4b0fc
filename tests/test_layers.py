"""Architecture as a test: imports point downwards, and light things stay light."""

import ast
import re
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import numpy as np
import pytest
from support.imports import after, loaded

import anomvae
from anomvae.cli.group import COMMANDS
from anomvae.detector.card import Card, Training
from anomvae.detector.modelfile import ModelFile, to_bytes
from anomvae.pixels.bands import unnamed_bands

PACKAGE = Path(anomvae.__file__).parent
SCENE = PACKAGE.parent / "data_samples" / "normal.tif"
DESIGN = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
TREE = DESIGN.partition("## 2. The house")[2].partition("```")[2].partition("```")[0]
ROOMS = [name for name in re.findall(r"[├└]── (\w+)(?:/|\.py)", TREE) if name != "__init__"]
"""Rooms and loose modules as docs/design.md lists them, foundations first."""
LEVEL = {name: level for level, name in enumerate(sorted(ROOMS, key="__main__".__eq__))}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
TORCH_FREE = [
    *(name for name in ROOMS if LEVEL[name] < LEVEL["models"]),
    *(
        "detector.modelfile",
        "mapping.cache",
        "figures.printed_maps",
        "mapping.rethresholding",
        "monitoring",
        "pages",
        "testing.simulate",
    ),
]
HEAVY = {"torch", "pandas", "sklearn", "scipy", "pydantic", "matplotlib"}


@cache
def tree_of(path):
    """Parse a file, once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Full names of everything that a file imports."""
    package = ".".join(["anomvae", *path.relative_to(PACKAGE).parent.parts])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imported_modules(path):
    """Names of the modules of anomvae that a file imports."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("anomvae.")}
    return names & LEVEL.keys()


def test_imports_point_downwards():
    upwards = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in FILES  # a KeyError here: docs/design.md, section 2, lacks the room
        for other in imported_modules(path) - {place(path)}
        if LEVEL[other] >= LEVEL[place(path)]
    ]

    assert not upwards


def test_the_design_lists_every_room_and_no_other():
    assert {place(path) for path in FILES} == LEVEL.keys()
    assert "twenty-one rooms" in DESIGN
    assert sum((PACKAGE / name).is_dir() for name in LEVEL) == 21


def test_a_module_below_the_models_loads_no_torch():
    imports = [
        f"import anomvae.{name}; assert 'torch' not in sys.modules, '{name}'" for name in TORCH_FREE
    ]

    assert "torch" not in loaded("\n".join(["import sys", *imports]))


def test_nothing_but_the_start_imports_the_command_line():
    users = {place(path) for path in FILES if "cli" in imported_modules(path)}

    assert users <= {"cli", "__main__"}


@pytest.mark.parametrize("name", ["models", "training"])
def test_the_models_and_their_training_never_see_rasters(name):
    names = {seen for path in FILES if place(path) == name for seen in imported(path)}

    assert names
    assert not any(seen.split(".")[0] == "rasterio" for seen in names)
    assert not any(seen.startswith("anomvae.raster") for seen in names)


def test_the_library_does_not_print():
    prints = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]

    assert not prints


def test_importing_anomvae_loads_nothing_heavy():
    assert not loaded("import anomvae") & {*HEAVY, "numpy", "rasterio"}


def test_help_loads_nothing_heavy():
    asked = """
import sys
from anomvae.cli import main
for command in sys.argv[1:]:
    try: main([*command.split(), "--help"])
    except SystemExit as done: assert not done.code, (command, done.code)
"""

    assert not loaded(asked, "", *COMMANDS) & {*HEAVY, "rasterio"}


def test_help_about_a_watch_loads_nothing_heavy():
    commands = "from anomvae.cli.monitor import COMMANDS, monitor"

    found = loaded(f"{commands}\nfor name in COMMANDS: monitor.get_command(None, name)")

    assert "click" in found
    assert not found & {*HEAVY, "numpy", "rasterio"}


@pytest.mark.parametrize("watched", [False, True], ids=["score", "monitor run"])
def test_scoring_loads_nothing_that_it_does_not_need(tmp_path, model, scene, watched):
    watch = tmp_path / "watch.toml"
    watch.write_text(
        f'[[site]]\nname = "a"\nmodel = "{model}"\nout = "maps"\nmask_dilate = 2\n'
        f'[site.folder]\npath = "{scene.parent}"\nstable_seconds = 0\n'
    )

    words = ("monitor", "run", watch) if watched else ("score", scene, "-m", model, "-o", "maps")
    found = after(*words, folder=tmp_path)

    assert len(list(tmp_path.rglob("*.objects.geojson"))) == 1
    assert not found & HEAVY


def test_detecting_loads_nothing_that_training_does_not_need(tmp_path, scene):
    found = after("detect", scene, "-o", "maps", "--set", "training.max_steps=20", folder=tmp_path)

    assert found & HEAVY == {"torch"}


def test_rethresholding_loads_nothing_heavy(tmp_path, model, scene):
    anomvae.score_scene(anomvae.load(model), scene, tmp_path / "maps")

    assert not after("rethreshold", tmp_path / "maps", "--threshold", "sigma:2") & HEAVY


def test_a_command_loads_torch_without_collecting_garbage_and_its_threads_wait_passively():
    watch = """
import gc, os, sys
class Watch:
    def find_spec(name, *rest):
        if name == "torch":
            assert not gc.isenabled()
            assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
            os.environ["SEEN"] = "yes"
sys.meta_path.insert(0, Watch)
from anomvae.cli import main
try: main(["train", "gone.tif", "-o", "gone.safetensors"])
except SystemExit as done: assert done.code == 3, done.code
assert os.environ["SEEN"] == "yes" and gc.isenabled() and gc.get_freeze_count() > 100_000
"""

    assert "torch" in loaded(watch)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_info_on_a_scene_loads_nothing_heavy(options):
    assert not after("info", SCENE, *options) & HEAVY


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_info_on_a_model_loads_nothing_heavy(tmp_path, options):
    training = Training(("normal.tif",), 0, 100, 10, 10, 0.05, 1.0, (1.0,), None, 0.0)
    card = Card("vae", 2, (8,), "gaussian", unnamed_bands(4), (), "band", 1.0, training, "0", "0")
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_bytes(ModelFile(card, {"model.weight": np.zeros(3)})))

    assert not after("info", path, *options) & HEAVY
