"""Every command and example in the README runs."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from support.rasters import SAMPLES, run

from anomvae.monitoring.config import read_monitoring

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
MAKEFILE = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def commands(program):
    lines = [line for block in blocks("console") for line in block.splitlines()]
    found = [line[2:] for line in lines if line.startswith(f"$ {program} ")]
    assert found
    return [shlex.split(line, comments=True)[1:] for line in found]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    shutil.copytree(SAMPLES, tmp_path / "data_samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_every_command_runs_in_order(checkout):
    for arguments in commands("anomvae"):
        ran = run(*arguments)
        assert ran.code == 0, (arguments, ran.err)

    assert (checkout / "maps" / "scene_b.anomaly.tif").exists()
    assert (checkout / "metrics.json").exists()


@pytest.mark.slow
def test_every_python_example_runs(checkout):
    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), {"__name__": "readme"})

    assert (checkout / "out" / "scene_a.json").exists()


def test_every_configuration_of_a_watch_fits(tmp_path):
    for number, text in enumerate(blocks("toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert read_monitoring(path).site


def test_every_make_target_is_there():
    for (target,) in commands("make"):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / link).exists(), link
