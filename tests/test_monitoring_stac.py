"""Scenes from STAC catalogues, static and with a search, served on localhost."""

import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
from support import servers
from support.rasters import BANDS, bands_of, land, plant, trained, write
from support.watching import START, Clock, Stub, rows, run_watch, served, watch

import anomvae
from anomvae.errors import FileError
from anomvae.monitoring.scoring import scene_of, scoring_of
from anomvae.monitoring.source_tables import StacConfig
from anomvae.pixels.tiling import whole
from anomvae.testing.products.stac import StacWriter

pystac = pytest.importorskip("pystac")
pytest.importorskip("pystac_client")
from anomvae.monitoring.catalogue import catalogued  # noqa: E402 - what it needs is optional
from anomvae.monitoring.items import Entry, item_of  # noqa: E402

BOX = [14.0, 50.0, 14.1, 50.1]


def item(name, *, days=1, cloud=10, box=BOX, assets=("data",), **properties):
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    made = pystac.Item(
        id=name,
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=list(box),
        datetime=START - timedelta(days=days),
        properties={"eo:cloud_cover": cloud, **properties},
    )
    for asset in assets:
        href = f"https://eo.example/{name}-{asset}.tif"
        made.add_asset(asset, pystac.Asset(href=href, roles=["data"]))
    return made


def publish(folder, items):
    """Write a static catalogue with one collection, and its assets beside it."""
    extent = pystac.Extent(
        pystac.SpatialExtent([BOX]), pystac.TemporalExtent([[START - timedelta(days=99), None]])
    )
    whole = pystac.Collection(id="s2", description="scenes", extent=extent)
    whole.add_items(items)
    catalogue = pystac.Catalog(id="archive", description="an archive")
    catalogue.add_child(whole)
    for each in items:
        for asset in each.assets.values():
            asset.href = str(folder / asset.href.rpartition("/")[2])
    catalogue.normalize_hrefs(str(folder))
    catalogue.make_all_asset_hrefs_relative()
    catalogue.save(catalog_type=pystac.CatalogType.SELF_CONTAINED)


def listed(url, now=START, assets=("data",), **config):
    return catalogued(StacConfig(url=url, assets=assets, **config), now).scenes


def names(scenes):
    return [scene.source.split("/")[-1] for scene in scenes]


@pytest.fixture
def archive(tmp_path):
    with servers.served(tmp_path) as url:
        yield f"{url}/catalog.json"


def test_the_items_of_a_static_catalogue_are_scenes_oldest_first(tmp_path, archive):
    publish(tmp_path, [item("b", days=1), item("a", days=3), item("c", days=2)])

    scenes = listed(archive)

    assert [scene.identity for scene in scenes] == ["s2/a", "s2/c", "s2/b"]
    assert scenes[0].read == (archive.replace("catalog.json", "a-data.tif"),)
    assert scenes[0].product.assets == ("data",)


@pytest.mark.parametrize("start", ["", "file://"])
def test_local_links_may_be_encoded_as_in_addresses(tmp_path, start):
    folder = tmp_path / "100% sea"
    (folder / "high tide").mkdir(parents=True)
    values = write(folder / "high tide" / "a b.tif", land())
    made = item("a").to_dict() | {"links": []}
    made["assets"]["data"]["href"] = "./a%20b.tif"
    (folder / "high tide" / "a.json").write_text(json.dumps(made))
    hrefs = ["./high%20tide/a.json", "high tide/a.json", (folder / "high tide/a.json").as_uri()]
    links = [{"rel": "item", "href": href} for href in hrefs]
    whole = {"type": "Catalog", "id": "c", "description": "", "stac_version": "1.0.0"}
    (folder / "catalog.json").write_text(json.dumps(whole | {"links": links}))
    url = (folder / "catalog.json").as_uri() if start else str(folder / "catalog.json")

    listing = catalogued(StacConfig(url=url, assets=("data",)), START)

    assert [scene.read for scene in listing.each_once.scenes] == [(str(values),)]
    with scene_of(listing.scenes[0]).open() as opened:
        assert opened.grid.shape == (40, 48)
    with anomvae.Scene.of(folder / "high tide" / "a.json").open() as opened:
        assert opened.grid.shape == (40, 48)


def test_items_that_no_filter_passes_are_counted(tmp_path, archive):
    publish(tmp_path, [item("old", days=30), item("cloudy", cloud=90), item("near")])

    some = catalogued(StacConfig(url=archive, assets=("data",), days=10, max_cloud=50), START)
    none = catalogued(StacConfig(url=archive, assets=("data",), days=0.5, limit=3), START)

    assert names(some.scenes) == ["near"]
    assert [notice.text for notice in some.notices] == [
        "3 items are listed, filters drop 2 (1 by days, 1 by max_cloud)"
    ]
    assert [notice.text for notice in none.notices] == [
        "limit = 3 items is reached, others may be left out",
        "3 items are listed, filters drop 3 (3 by days)",
    ]


def test_a_catalogue_may_lie_in_a_folder(tmp_path):
    publish(tmp_path, [item("a")])

    (scene,) = listed(str(tmp_path / "catalog.json"))

    assert scene.read == (str(tmp_path / "a-data.tif"),)


@pytest.mark.parametrize(
    ("config", "left"),
    [
        ({"days": 10}, ["cloudy", "far", "near"]),
        ({"max_cloud": 50}, ["old", "far", "near"]),
        ({"bbox": [14.05, 50.05, 14.06, 50.06]}, ["old", "cloudy", "near"]),
        ({"collection": "s2"}, ["old", "cloudy", "far", "near"]),
        ({"collection": "s1"}, []),
        ({"days": 10, "max_cloud": 50, "bbox": [14.1, 50.1, 15, 51]}, ["near"]),
    ],
)
def test_a_static_catalogue_is_filtered_here(tmp_path, archive, config, left):
    far = item("far", box=(20.0, 40.0, 20.1, 40.1), days=3)
    cloudy = item("cloudy", cloud=90, days=4)
    publish(tmp_path, [item("old", days=30), cloudy, far, item("near", days=2)])

    assert names(listed(archive, **config)) == left


def test_another_processing_baseline_is_another_scene(tmp_path, archive):
    publish(tmp_path, [item("a", **{"s2:processing_baseline": "05.11"})])
    first = listed(archive)
    publish(tmp_path, [item("a", **{"s2:processing_baseline": "05.12"})])
    second = listed(archive)

    assert (first[0].identity, second[0].identity) == ("s2/a@05.11", "s2/a@05.12")
    assert first[0].source == second[0].source


def test_each_asset_may_be_a_band(tmp_path, archive):
    publish(tmp_path, [item("a", assets=("red", "nir"))])

    (scene,) = listed(archive, assets=("nir", "red"))

    assert scene.product.assets == ("nir", "red")
    assert [path.rpartition("/")[2] for path in scene.read] == ["a-nir.tif", "a-red.tif"]


def test_an_asset_that_no_item_has_is_answered(tmp_path, archive):
    publish(tmp_path, [item("a", assets=("red", "nir"))])

    with pytest.raises(FileError, match=r"a has no 'nirr'\. Did you mean 'nir'"):
        listed(archive, assets=("red", "nirr"))


def test_an_item_without_an_asset_is_left_out_and_noted(tmp_path, archive):
    publish(tmp_path, [item("a", assets=("red",)), item("b", assets=("red", "nir"))])

    listing = catalogued(StacConfig(url=archive, assets=("red", "nir")), START)

    assert names(listing.scenes) == ["b"]
    assert [notice.text for notice in listing.notices] == [
        "1 item lacks an asset and is dropped: a (nir)"
    ]


@pytest.mark.parametrize("content", ["{}", "not json", '{"type": "Feature"}', None])
def test_what_is_no_catalogue_is_named(tmp_path, archive, content):
    if content is not None:
        (tmp_path / "catalog.json").write_text(content)

    with pytest.raises(FileError, match="cannot be read as a STAC catalogue") as error:
        listed(archive)

    assert "\n" not in str(error.value)


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(FileError, match="cannot be read as a STAC catalogue"):
        listed("http://127.0.0.1:1/")


def searching(items, queries):
    """Make a server with a search: it records the queries, and returns pages of one item."""

    class Search(BaseHTTPRequestHandler):
        def do_GET(self):
            base, number = f"http://{self.headers['Host']}", self.path.partition("page=")[2]
            self.reply(page(base, int(number)) if number else landing(base))

        def do_POST(self):
            text = self.rfile.read(int(self.headers["Content-Length"]))
            queries.append(json.loads(text))
            self.reply(page(f"http://{self.headers['Host']}", 0))

        def reply(self, document):
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Keep quiet."""

    def page(base, number):
        more = [{"rel": "next", "href": f"{base}/search?page={number + 1}", "method": "GET"}]
        return {
            "type": "FeatureCollection",
            "features": [items[number].to_dict(include_self_link=False)],
            "links": more if number + 1 < len(items) else [],
        }

    return served(Search)


def landing(base):
    links = {"self": base, "root": base, "search": f"{base}/search"}
    standard = "https://api.stacspec.org/v1.0.0"
    return pystac.Catalog("api", "an API").to_dict() | {
        "conformsTo": [f"{standard}/core", f"{standard}/item-search"],
        "links": [{"rel": rel, "href": href} for rel, href in links.items()],
    }


def test_the_search_of_an_api_is_filtered_all_pages_are_read_and_items_filtered_here_too():
    queries, items = (
        [],
        [item("c"), item("cloudy", cloud=90), item("old", days=99), item("a", days=3)],
    )
    for each in items:
        each.collection_id = "s2"

    with searching(items, queries) as url:
        scenes = listed(url, collection="s2", days=30, bbox=BOX, max_cloud=50)

    assert [scene.identity for scene in scenes] == ["s2/a", "s2/c"]
    assert queries[0]["collections"] == ["s2"]
    assert queries[0]["bbox"] == BOX
    assert queries[0]["datetime"].startswith("2025-05-02T03:00:00Z/")


def site_of(archive, assets):
    return {"folder": None, "stac": {"url": archive, "assets": list(assets)}}


def test_a_scene_is_scored_once_and_again_after_reprocessing(tmp_path, archive):
    publish(tmp_path, [item("a")])
    config, scoring = watch(tmp_path, site=site_of(archive, ["data"])), Stub(flagged=5)

    run_watch(config, Clock(), scoring)
    run_watch(config, Clock(), scoring)
    publish(tmp_path, [item("a", **{"s2:processing_baseline": "05.12"})])
    run_watch(config, Clock(), scoring)

    assert scoring.scored == ["s2/a", "s2/a"]
    assert rows(tmp_path, "SELECT scene FROM scenes") == [("s2/a",), ("s2/a@05.12",)]


def test_an_archive_that_is_down_takes_no_try_from_a_scene(tmp_path, archive):
    config = watch(tmp_path, site=site_of(archive, ["data"]))

    down = run_watch(config, Clock())
    publish(tmp_path, [item("a")])
    up = run_watch(config, Clock(), Stub(flagged=5))

    assert (down.code, down.done) == (3, 0)
    assert (up.code, up.done) == (0, 1)


@pytest.mark.parametrize("assets", [("data",), tuple(f"band_{n}" for n in range(1, BANDS + 1))])
def test_bands_are_read_from_the_assets_over_http(tmp_path, archive, assets):
    values = plant(land(seed=1))
    for name, part in zip(assets, [values] if len(assets) == 1 else values[:, None], strict=True):
        write(tmp_path / f"a-{name}.tif", part, tiled=True, blockxsize=16, blockysize=16)
    local = write(tmp_path / "local.tif", values)
    trained().save(tmp_path / "model")
    publish(tmp_path, [item("a", assets=assets)])
    config = watch(tmp_path, site=site_of(archive, assets))

    done = run_watch(config, Clock(), scoring_of)

    ((path,),) = rows(tmp_path, "SELECT map FROM scenes")
    expected = anomvae.score_scene(trained(), local, tmp_path / "out")
    assert (done.done, done.code) == (1, 0), done.messages
    assert (bands_of(path)[:, 1:] == bands_of(expected.path)[:, 1:]).all()
    assert not list(tmp_path.rglob("*.vrt"))


def test_scale_offset_wavelengths_and_masks_of_an_item_hold_in_a_watch(tmp_path):
    writer = StacWriter()
    cube = writer.cube()
    path = writer.write(cube, tmp_path)
    entry = Entry(json.loads(path.read_text()), str(path))

    scene = item_of(entry, StacConfig(url=str(path), assets=("red", "rededge1"))).scene

    assert scene.date == cube.day
    with scene_of(scene).open() as opened:
        assert (opened.scene.stem, opened.grid.shape) == (writer.stem(path), (120, 120))
        values = opened.read(whole(opened.grid.shape))[0]
        assert [band.wavelength for band in opened.bands] == [665, 704]
    expected = np.where(cube.hidden[..., None], np.nan, cube.reflectance[..., 2:4])
    np.testing.assert_allclose(values[::2, ::2], expected, atol=1e-6)
