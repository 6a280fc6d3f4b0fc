"""Masks of the scenes of a watch: their products' own, assets of items, files beside them."""

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from support.rasters import land, trained, write
from support.watching import Clock, Stub, result, rows, run_watch, scenes, watch

import anomvae
from anomvae.config import resolve_config
from anomvae.monitoring import overview
from anomvae.monitoring.scoring import scene_of, scoring_of
from anomvae.testing.products.stac import StacWriter

BESIDE = {"path": "in", "mask_pattern": "scl:{stem}_SCL.tif", "stable_seconds": 0}
CLOUDS = 5 * 7
QUICK = ("training.max_steps=30", "training.trim=0")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    trained().save(tmp_path / "model")
    return tmp_path


def put(folder, name, values):
    write(folder / "in" / name, values, nodata=None)


def put_scene(folder, name="a.tif", seed=0):
    put(folder, name, land(seed=seed))


def put_mask(folder, name="a_SCL.tif", row=3):
    """Write classes of which a part is cloud (9), the rest vegetation (4)."""
    classes = np.full((1, 40, 48), 4, "uint8")
    classes[0, row : row + 5, 10:17] = 9
    put(folder, name, classes)


def notices(folder):
    found = (notice.text for notice in overview(folder / "state").notices)
    return [text for text in found if "training scenes" not in text]


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("a_SCL.tif", "scl:{stem}_SCL.tif"),
        ("masks/SCL_a.tif", "scl:masks/SCL_{stem}.tif=8,9"),
        ("../masks/a.tif", "auto,classes:../masks/{stem}.tif=9"),
    ],
)
def test_a_mask_beside_a_scene_hides_its_clouds_and_is_no_scene(folder, name, scheme):
    put_scene(folder)
    (folder / "in" / name).parent.mkdir(exist_ok=True)
    put_mask(folder, name)
    source = {"path": "in", "pattern": "**/*.tif", "mask_pattern": scheme, "stable_seconds": 0}

    run_watch(watch(folder, site={"folder": source}), Clock(), scoring_of)
    again = watch(folder, site={"folder": source, "mask": "auto"})

    assert rows(folder, "SELECT source, masked FROM scenes") == [("a.tif", CLOUDS)]
    assert run_watch(again, Clock(), scoring_of).known == 1


@pytest.mark.parametrize(
    ("change", "hidden"),
    [
        ({"mask_dilate": 1}, CLOUDS + 2 * (5 + 7)),
        ({"mask": "auto,binary:coast.tif"}, CLOUDS + 10 * 48),
    ],
)
def test_what_a_mask_beside_a_scene_hides_grows_and_other_masks_are_added(folder, change, hidden):
    put_scene(folder)
    put_mask(folder)
    land_alone = np.ones((1, 40, 48), "uint8")
    land_alone[0, 30:] = 0
    write(folder / "coast.tif", land_alone, nodata=None)

    run_watch(watch(folder, site={"folder": BESIDE} | change), Clock(), scoring_of)

    assert rows(folder, "SELECT masked FROM scenes") == [(hidden,)]


def test_a_scene_waits_for_its_mask_which_is_a_part_of_it(folder):
    put_scene(folder)
    put_scene(folder, "b.tif", seed=1)
    put_mask(folder, "b_SCL.tif")
    put_mask(folder, "c_SCL.tif")  # its scene is not there yet
    source = BESIDE | {"stable_seconds": 60}
    config, scoring = watch(folder, site={"folder": source}), Stub(flagged=0)
    clock = Clock(datetime.now(UTC) + timedelta(hours=1))  # files have the time at which they came

    run_watch(config, clock, scoring)
    assert scenes(folder) == [("b.tif", "done")]
    assert notices(folder) == ["1 mask is not there, its scene waits: a_SCL.tif"]

    put_mask(folder)
    run_watch(config, clock, scoring)
    assert re.fullmatch(r"1 file rests, ready in 60 s \(at .* UTC\): a.tif", *notices(folder))
    clock.forward(seconds=60)
    run_watch(config, clock, scoring)
    assert not notices(folder)

    put_mask(folder, row=9)
    run_watch(config, clock, scoring)
    clock.forward(seconds=60)
    run_watch(config, clock, scoring)
    assert scoring.scored == ["b.tif", "a.tif", "a.tif"]
    assert len({scene for (scene,) in rows(folder, "SELECT scene FROM scenes")}) == 3


def test_a_mask_that_changes_while_its_scene_is_scored_is_read_again(folder):
    put_scene(folder)
    put_mask(folder)
    config, clock, scored = watch(folder, site={"folder": BESIDE}), Clock(), []

    def changing(scene, out):
        scored.append(scene.identity)
        if len(scored) == 1:
            put_mask(folder, row=9)
        out.mkdir(parents=True)
        return result(out, 0)

    for _ in range(3):
        run_watch(config, clock, lambda site: changing)
        clock.forward(seconds=60)

    assert len(scored) == len(set(scored)) == 2
    assert rows(folder, "SELECT status FROM scenes") == [("done",)]


def test_each_date_of_a_series_has_its_own_mask(folder):
    for day, row in (("2024-06-01", 3), ("2024-06-11", 20)):
        put_scene(folder, f"f_{day}.tif")
        put_mask(folder, f"f_{day}_SCL.tif", row=row)
    hidden = {}

    def reading(scene, out):
        with scene_of(scene).open() as opened:
            block = opened.read((slice(0, 40), slice(0, 48)))
        hidden.update(enumerate(np.argwhere(np.isnan(block[..., 0]))))
        out.mkdir(parents=True)
        return result(out, 0)

    run_watch(watch(folder, site={"folder": BESIDE, "dates": 2}), Clock(), lambda site: reading)

    places = np.array(list(hidden.values()))
    assert [tuple(places[places[:, 0] == date].min(axis=0)) for date in (0, 1)] == [
        (0, 3, 10),
        (1, 20, 10),
    ]


@pytest.fixture(scope="module")
def item(tmp_path_factory):
    """Write an item, a catalogue that lists it, and a model; count hidden and valid pixels."""
    folder = tmp_path_factory.mktemp("item")
    writer = StacWriter()
    cube = writer.cube()
    path = writer.write(cube, folder)
    link = {"rel": "item", "href": "./item.json"}
    whole = {"type": "Catalog", "id": "c", "description": "", "stac_version": "1.0.0"}
    (folder / "catalog.json").write_text(json.dumps(whole | {"links": [link]}))
    anomvae.train([path], resolve_config("default", QUICK).config).save(folder / "model")
    return folder, int((cube.hidden & ~cube.missing).sum()), int((~cube.missing).sum())


ASSETS = ["blue", "green", "red", "rededge1", "nir", "swir16"]


def stac(**more):
    return {"folder": None, "stac": {"url": "catalog.json", "assets": ASSETS} | more}


SOURCES = {
    "folder": {"folder": {"path": ".", "pattern": "item.json", "stable_seconds": 0}},
    "addresses": {"folder": None, "urls": {"urls": ["item.json"]}},
    "catalogue": stac(),
}


def masked_share(item, tmp_path, monkeypatch, site):
    folder, hidden, valid = item
    monkeypatch.chdir(folder)
    paths = {"model": str(folder / "model"), "out": str(tmp_path / "maps")}
    config = watch(folder, site=paths | site, state=str(tmp_path / "state"))
    done = run_watch(config, Clock(), scoring_of)
    assert done.done == 1, done.messages
    ((masked, valid_now),) = rows(tmp_path, "SELECT masked, valid FROM scenes")
    return masked / (masked + valid_now), hidden / valid


@pytest.mark.parametrize("source", SOURCES)
def test_the_masks_of_a_product_hide_pixels_unless_switched_off(
    item, tmp_path, monkeypatch, source
):
    for mask, factor in (("auto", 1), ("none", 0)):
        folder = tmp_path / mask
        folder.mkdir()
        site = SOURCES[source] | {"mask": mask}

        found, expected = masked_share(item, folder, monkeypatch, site)

        assert found == pytest.approx(factor * expected)


@pytest.mark.parametrize(
    ("asset", "others"),
    [
        ("scl", False),
        ("scl:scl=3,8,9", False),
        ("classes:scl=4", True),
        ("auto,classes:scl=4", None),
    ],
)
def test_an_asset_is_the_mask_in_place_of_what_the_item_declares(
    item, tmp_path, monkeypatch, asset, others
):
    site = stac(mask_asset=asset)

    found, expected = masked_share(item, tmp_path, monkeypatch, site)

    assert found == pytest.approx({False: expected, True: 1 - expected, None: 1}[others])


def test_an_item_without_the_asset_of_the_mask_is_named(item, tmp_path):
    folder = item[0]
    site = {"model": str(folder / "model")} | stac(
        mask_asset="cloudmask", url=str(folder / "catalog.json")
    )

    done = run_watch(watch(tmp_path, site=site), Clock())

    assert done.code == 3
    assert "has no 'cloudmask'" in done.messages[0]
