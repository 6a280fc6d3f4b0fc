"""``anomvae config check --deep``: what a watch names is opened before the first run."""

import json
import re

import pytest
from support.rasters import land, run, trained, write

WATCH = """
[[site]]
name = "harbour"
model = "model.safetensors"
out = "maps"
threshold = "quantile:0.01"
[site.folder]
path = "in"
mask_pattern = "scl:{stem}_SCL.tif"
stable_seconds = 0
[site.area]
only = "only.geojson"
[[alerts.webhook]]
name = "duty"
url_env = "DUTY_URL"
secret_env = "DUTY_SECRET"
[alerts.feed]
path = "feed.geojson"
[health]
heartbeat_env = "BEAT"
log = "watch.jsonl"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    trained().save(tmp_path / "model.safetensors")
    write(tmp_path / "in" / "a.tif", land(seed=1))
    write(tmp_path / "in" / "a_SCL.tif", land(bands=1) * 0 + 4, nodata=None)
    ring = [[14.9, 36.0], [15.1, 36.0], [15.1, 36.3], [14.9, 36.3], [14.9, 36.0]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    (tmp_path / "only.geojson").write_text(json.dumps(shape))
    (tmp_path / "watch.toml").write_text(WATCH)
    for name, value in (("DUTY_URL", "https://eo.example"), ("DUTY_SECRET", "s"), ("BEAT", "b")):
        monkeypatch.setenv(name, value)
    return tmp_path


def check(folder, *options):
    return run("config", "check", folder / "watch.toml", *options)


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_a_watch_that_is_ready_has_no_problem_and_nothing_is_written(folder):
    before = files(folder)

    plain, deep = check(folder), check(folder, "--deep")

    assert (plain.code, deep.code, deep.err) == (0, 0, ""), deep.out
    assert "--deep opens its models" in plain.out
    lines = deep.out.splitlines()[1:]
    assert {line.split()[0] for line in lines} == {"ok:"}
    for words in (
        "harbour: model .*: vae, 6 bands .*; here threshold = quantile:0.01",
        "harbour: .*maps can be made",
        "harbour: folder .*in: 1 scene",
        "harbour: scene a.tif: 40 x 48 pixels, 6 bands of the model, masks: SCL",
        "duty: the environment variable DUTY_SECRET is set",
        "health: the environment variable BEAT is set",
    ):
        assert re.search(words, deep.out), words
    assert files(folder) == before


def replaced(before, now):
    def spoil(folder):
        path = folder / "watch.toml"
        path.write_text(path.read_text().replace(before, now))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), 3, "model.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_text("no model"), 3, "model.safet"),
        (replaced('out = "maps"', 'out = "maps"\ndates = 4'), 2, "does not compare dates"),
        (replaced('out = "maps"', 'out = "only.geojson/maps"'), 3, "cannot be written"),
        (replaced('path = "in"', 'path = "nowhere"'), 3, "nowhere cannot be read: No such file"),
        (lambda folder: write(folder / "in/a.tif", land(bands=3)), 4, "a.tif has 3 bands"),
        (lambda folder: (folder / "in/a.tif").write_text("no raster"), 3, "a.tif"),
        (lambda folder: (folder / "only.geojson").unlink(), 3, "only.geojson"),
        (replaced("DUTY_SECRET", "UNSET"), 2, "duty: the environment variable UNSET is not set"),
        (replaced('"feed.geojson"', '"gone/feed.geojson"'), 3, "gone does not exist"),
    ],
)
def test_a_problem_is_one_line_with_its_exit_code_and_others_are_checked(
    folder, spoil, code, words
):
    spoil(folder)

    checked = check(folder, "--deep")

    problems = [line for line in checked.out.splitlines() if line.startswith("problem:")]
    assert checked.code == code, checked.out
    assert words in " ".join(problems)
    assert "ok:      health: the environment variable BEAT is set" in checked.out


def test_problems_of_several_kinds_exit_with_5_and_notes_are_none(folder):
    (folder / "in" / "b.TIF").write_text("")
    assert check(folder, "--deep").code == 0
    found = check(folder, "--deep").out
    assert "note:    harbour: 1 name matches: b.TIF" in found
    assert "..\n" not in found

    replaced("BEAT", "UNSET")(folder)
    (folder / "model.safetensors").unlink()

    assert check(folder, "--deep").code == 5


def test_deep_is_for_a_watch():
    checked = run("config", "check", "default", "--deep")

    assert checked.code == 2
    assert "--deep is for the configuration of a watch" in checked.err
