"""The two paths of newcomers: what docs/index.md types, in order, ends with a page to look at."""

import shlex
import shutil
import subprocess
import sys

import pytest
from support.docs import blocks, calls, page
from support.rasters import SAMPLES, run

HOME = "docs/index.md"
PATHS = {
    "I have an ENVI cube": ("report.html", "found/cube.objects.geojson", "cube.safetensors"),
    "Watch this folder every night": ("pages/index.html", "watch/maps/fields.persistence.tif"),
}
"""Headings, each with the page that it ends with and some of what lies beside."""


def section(heading):
    """Return the text below a heading, up to the next one."""
    return page(HOME).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def run_call(call):
    """Run a line of a console in the current folder."""
    program, *arguments = shlex.split(call, comments=True)
    if program == "anomvae":
        ran = run(*arguments)
        assert ran.code == 0, (call, ran.err)
    elif program == "python":
        subprocess.run([sys.executable, *arguments], check=True)
    else:
        assert program in {"cp", "mkdir"}
        subprocess.run(call, shell=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("heading", PATHS)
def test_a_path_of_the_home_page_ends_with_a_page_to_look_at(heading, tmp_path, monkeypatch):
    shutil.copytree(SAMPLES, tmp_path / "data_samples")
    monkeypatch.chdir(tmp_path)

    for kind, text in blocks(section(heading)):
        for call in calls(text) if kind == "console" else ():
            run_call(call)

    last, *others = PATHS[heading]
    html = (tmp_path / last).read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html>")
    assert "http://" not in html.replace("http://www.w3.org/", "")
    assert not [name for name in others if not (tmp_path / name).exists()]


@pytest.mark.slow
def test_the_example_of_python_runs(tmp_path, monkeypatch):
    shutil.copytree(SAMPLES, tmp_path / "data_samples")
    monkeypatch.chdir(tmp_path)

    for kind, text in blocks(section("From Python")):
        if kind == "python":
            exec(compile(text, HOME, "exec"), {"__name__": "page"})

    assert (tmp_path / "out" / "scene_a.json").exists()
