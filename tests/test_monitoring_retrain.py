"""``anomvae monitor retrain``: a successor of a model, and what it would change."""

import json
import shutil
import sqlite3
from contextlib import closing
from functools import cache

import numpy as np
import pytest
from rasterio.warp import transform
from support.events import cluster
from support.rasters import bands_of, run, write
from support.watching import rows

from anomvae import load, train
from anomvae.config import resolve_config
from anomvae.files import locked
from anomvae.mapping.deliverables import Deliverables
from anomvae.monitoring.normal_pixels import write_normal

WATCH = """
[[site]]
name = "harbour"
model = "model.safetensors"
out = "maps"
threshold = "quantile:0.001"
[site.folder]
path = "in"
stable_seconds = 0
[[site]]
name = "fields"
dates = 3
out = "other"
[site.folder]
path = "in"
stable_seconds = 0
"""


@cache
def light(number):
    """Return land of 30 x 30 pixels under the light of a day, (band, row, col)."""
    land = np.random.default_rng(7).gamma(9, 0.02, (4, 30, 30))
    rng = np.random.default_rng([1, number])
    return (land * rng.normal(1, 0.03) + rng.normal(0, 0.002, land.shape)).astype("float32")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Watch a site of which five scenes are done."""
    folder = tmp_path_factory.mktemp("retrain")
    for name in ("before", "in"):
        (folder / name).mkdir()
    settings = ["training.max_steps=50", "training.beta=0.5"]
    before = [write(folder / "before" / f"{k}.tif", light(k)) for k in range(4)]
    model = train(before, resolve_config("default", settings).config)
    model.save(folder / "model.safetensors")
    (folder / "w.toml").write_text(WATCH)
    for k in range(5):
        values = light(10 + k)
        if k == 4:
            values = values.copy()
            values[:, 5:9, 5:9] = 0.9
        write(folder / "in" / f"s_2025-05-0{k + 1}.tif", values)
    one_site = WATCH.split("[[site]]")[1]
    (folder / "one.toml").write_text(f"[[site]]{one_site}")
    assert run("monitor", "run", folder / "one.toml").code == 0
    return folder


@pytest.fixture
def site(tmp_path, scored):
    shutil.copytree(scored, tmp_path / "site")
    return tmp_path / "site"


def retrain(folder, *options, config="one.toml", name="harbour"):
    return run("monitor", "retrain", folder / config, name, *options)


def test_a_successor_has_the_configuration_of_the_model_and_changes_nothing_until_accepted(site):
    model = (site / "model.safetensors").read_bytes()

    ended = retrain(site, "--compare", "2", "--json")

    made = json.loads(ended.out)["successor"]
    assert made["scenes"] == [f"s_2025-05-0{k}.tif" for k in range(1, 5)]  # the last is anomalous
    assert [one["source"] for one in made["compared"]] == ["s_2025-05-04.tif", "s_2025-05-05.tif"]
    assert made["compared"][1]["before"]["objects"] == made["compared"][1]["after"]["objects"] == 1
    assert made["compared"][0]["after"]["drift"] < 1
    successor, old = load(site / "model.successor.safetensors"), load(site / "model.safetensors")
    assert successor.card.training.config == old.card.training.config.replace(
        '"trim":"auto"', f'"trim":{old.card.training.trim}'
    ).replace('"threshold":"auto"', f'"threshold":"{old.threshold.rule}"')
    assert successor.card.training.trim == old.card.training.trim
    assert (site / "model.safetensors").read_bytes() == model


def test_an_accepted_successor_serves_scenes_that_arrive_and_the_model_is_kept(site):
    model = (site / "model.safetensors").read_bytes()
    retrain(site, "--compare", "1")
    successor = (site / "model.successor.safetensors").read_bytes()

    ended = retrain(site, "--accept")
    again = run("monitor", "run", site / "one.toml")

    assert ended.code == again.code == 0
    assert "is in service for scenes that arrive from now on" in ended.out
    assert (site / "model.safetensors").read_bytes() == successor  # the one that lay there
    (kept,) = site.glob("model.2*.safetensors")
    assert kept.read_bytes() == model
    assert not (site / "model.successor.safetensors").exists()
    database = site.parent / "site"
    assert len(rows(database, "SELECT scene FROM scenes WHERE status = 'done'")) == 5
    write(site / "in" / "s_2025-05-06.tif", light(20))
    run("monitor", "run", site / "one.toml")
    models = rows(database, "SELECT model FROM scenes ORDER BY source")
    assert len(set(models[:5])) == 1
    assert models[5] not in models[:5]


@pytest.mark.parametrize(
    ("change", "options", "code", "text"),
    [
        (lambda folder: None, {"name": "nowhere"}, 2, "No site is called 'nowhere'"),
        (lambda folder: None, {"name": "fields", "config": "w.toml"}, 2, "fields has no model"),
        (lambda folder: shutil.rmtree(folder / "state"), {}, 3, "Run `anomvae monitor run` first"),
        (lambda folder: (folder / "model.safetensors").unlink(), {}, 3, "cannot be read"),
        (
            lambda folder: [(folder / f"in/s_2025-05-0{k}.tif").unlink() for k in (1, 2, 5)],
            {},
            3,
            "of 4 scenes to train on, the source still offers 2",
        ),
    ],
)
def test_what_cannot_be_retrained_is_one_line(site, change, options, code, text):
    change(site)

    ended = retrain(site, **options)

    assert ended.code == code
    assert ended.err.startswith("Error: ")
    assert text in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (site / "model.successor.safetensors").exists()


def test_too_few_normal_scenes_name_what_would_help(site):
    with closing(sqlite3.connect(site / "state" / "monitor.sqlite")) as database, database:
        database.execute("UPDATE scenes SET outcome = 'anomalous' WHERE source < 's_2025-05-03'")

    ended = retrain(site)

    assert ended.code == 2
    assert "harbour has 2 scenes to train on, but a successor needs at least 3" in ended.err
    assert "the 3 anomalous ones count without what is flagged in them (--with-anomalous)" in (
        ended.err
    )


def test_another_run_at_work_is_one_line(site):
    with locked(site / "state", "monitor"):
        ended = retrain(site)

    assert ended.code == 6
    assert "Another run of anomvae monitor is at work" in ended.err


def test_flagged_pixels_and_those_of_events_are_not_normal(tmp_path):
    flags = np.zeros((1, 10, 12), "uint8")
    flags[0, 1, 2:5], flags[0, 9] = 1, 255
    files = Deliverables(tmp_path, "a")
    write(files.flags, flags, nodata=255)
    corners = [(6, 4), (8, 4), (8, 7), (6, 7), (6, 4)]
    xs, ys = zip(*((5e5 + 10 * col, 4e6 - 10 * row) for col, row in corners), strict=True)
    ring = list(zip(*transform("EPSG:32633", "EPSG:4326", xs, ys), strict=True))
    seen = cluster(geometry={"type": "Polygon", "coordinates": [ring]})

    excluded = write_normal(tmp_path / "n.tif", [files], [seen])

    expected = flags[0] != 1
    expected[4:7, 6:8] = False
    assert excluded == 3 + 6
    assert (bands_of(tmp_path / "n.tif")[0] == expected).all()


def test_without_a_place_on_earth_the_boxes_of_events_are_not_normal(tmp_path):
    files = Deliverables(tmp_path, "a")
    write(files.flags, np.zeros((1, 10, 12), "uint8"), crs=None, nodata=255)

    excluded = write_normal(tmp_path / "n.tif", [files], [cluster(geometry=None, box=(2, 3, 0, 4))])

    assert excluded == 10
    assert not bands_of(tmp_path / "n.tif")[0][2:4, 0:5].any()
