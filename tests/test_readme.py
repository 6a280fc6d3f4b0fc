"""Every command and example of the README and of pages of documentation runs."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from support.rasters import SAMPLES, run

from anomvae.monitoring.config import read_monitoring

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WRITTEN = {
    "README.md": ("maps/scene_b.anomaly.tif", "metrics.json", "out/scene_a.json"),
    "docs/figures.md": ("scene.png", "object2.svg", "harbour.pdf"),
    "docs/monitoring.md": ("watch/maps/fields.persistence.tif", "watch/alerts.geojson"),
    "docs/tutorial.md": ("why.png", "like/scene_a.like.json", "notebook/scene_b.like.json"),
}
"""Some of what the commands and examples of each page write."""
SHELL = {"cp", "mkdir"}
"""Other programs that the pages call."""
pages = pytest.mark.parametrize("page", WRITTEN)


def blocks(page):
    """Return kind and text of each block of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def calls(text):
    """Return every line of a console that is typed, in order."""
    return re.findall(r"^\$ (.*)$", text, re.MULTILINE)


def commands(text, program):
    """Return the arguments of each call of a program in a console, in order."""
    calls = re.findall(rf"^\$ {program} (.*)$", text, re.MULTILINE)
    return [shlex.split(call, comments=True) for call in calls]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    shutil.copytree(SAMPLES, tmp_path / "data_samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pages
@pytest.mark.slow
def test_every_command_and_python_example_runs_in_order(page, checkout):
    names = {"__name__": "page"}
    for kind, text in blocks(page):
        for call in calls(text) if kind == "console" else ():
            program, *arguments = shlex.split(call, comments=True)
            if program == "anomvae":
                ran = run(*arguments)
                assert ran.code == 0, (arguments, ran.err)
            elif program in SHELL:
                subprocess.run(call, shell=True, check=True)
        if kind == "python":
            exec(compile(text, page, "exec"), names)

    missing = [name for name in WRITTEN[page] if not (checkout / name).exists()]
    assert not missing


def test_every_configuration_of_a_watch_fits(tmp_path):
    found = [text for kind, text in blocks("README.md") if kind == "toml"]
    for number, text in enumerate(found):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert read_monitoring(path).site
    assert found


def test_every_make_target_is_there():
    found = [call for _, text in blocks("README.md") for call in commands(text, "make")]
    for (target,) in found:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    assert found


@pages
def test_every_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert ((ROOT / page).parent / link).exists(), link
