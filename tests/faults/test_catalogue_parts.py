"""One bad link, item or line: it is named and left out, and the rest of the list is scored."""

import json
from http.server import BaseHTTPRequestHandler

import pytest
from support import servers
from support.rasters import land, plant, trained, write
from support.watching import Clock, Stub, drop, rows, run_watch, scenes, served, watch

from anomvae.documents import DocumentError, checked, read_parts
from anomvae.monitoring.scoring import scoring_of

pytest.importorskip("pystac_client")

SECRET = "s3cret"
ROOT = {"type": "Catalog", "id": "c", "description": "d", "stac_version": "1.0.0"}


def item(name, href="https://eo.example/a.tif", **properties):
    """Write an item."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "bbox": [14.0, 50.0, 14.1, 50.1],
        "properties": {"datetime": "2025-05-31T03:00:00Z"} | properties,
        "links": [],
        "assets": {"data": {"href": href}},
    }


def stac(url):
    return {"folder": None, "stac": {"url": url, "assets": ["data"]}}


def publish(folder, *links, items=None):
    """Write a catalogue of a good item, or of given ones, and of other links."""
    given = {"good": item("good")} if items is None else items
    for name, document in given.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    good = [{"rel": "item", "href": f"./{name}.json"} for name in given]
    (folder / "catalog.json").write_text(json.dumps(ROOT | {"links": [*links, *good]}))


BAD_LINKS = {
    "a text": "x",
    "a number": 5,
    "null": None,
    "a list": [],
    "no href": {"rel": "item"},
    "href is null": {"rel": "item", "href": None},
    "href is a number": {"rel": "item", "href": 9},
    "href is empty": {"rel": "item", "href": ""},
    "rel is a list": {"rel": ["item"], "href": "./good.json"},
    "no rel": {"href": "./good.json"},
    "href is no address": {"rel": "child", "href": "http://[bad/"},
    "deep": {"rel": "item", "href": json.loads("[" * 200 + "]" * 200)},
}


@pytest.mark.parametrize("link", [*BAD_LINKS.values()], ids=[*BAD_LINKS])
@pytest.mark.parametrize("level", ["root", "child"])
def test_a_link_that_is_none_is_named_and_the_other_items_are_scored(tmp_path, link, level):
    publish(tmp_path, link)
    if level == "child":
        (tmp_path / "catalog.json").rename(tmp_path / "child.json")
        child = {"rel": "child", "href": "./child.json"}
        (tmp_path / "catalog.json").write_text(json.dumps(ROOT | {"links": [child]}))

    with servers.served(tmp_path) as url:
        done = run_watch(
            watch(tmp_path, site=stac(f"{url}/catalog.json")), Clock(), Stub(flagged=5)
        )

    assert scenes(tmp_path) == [("good", "done")]
    (message,) = done.messages
    assert "leads nowhere" in message
    assert "json: the link" in message
    assert message.isprintable()


def test_a_link_that_leads_to_no_items_may_be_anything(tmp_path):
    publish(tmp_path, {"rel": "license"}, {"rel": "icon", "href": None})

    done = run_watch(
        watch(tmp_path, site=stac(str(tmp_path / "catalog.json"))), Clock(), Stub(flagged=5)
    )

    assert (scenes(tmp_path), done.messages) == ([("good", "done")], [])


BAD_PARTS = {
    "not a number": b"[NaN]",
    "infinite": b"[1e999]",
    "deep": b"[" * 200 + b"]" * 200,
    "deeper": b"[" * 600 + b"]" * 600,
    "no UTF-8": b'"caf\xe9"',
    "an endless integer": b"9" * 5000,
}


def api(page):
    """Serve a search whose one page is given as bytes."""

    class Search(BaseHTTPRequestHandler):
        def do_GET(self):
            base = f"http://{self.headers['Host']}"
            standard = "https://api.stacspec.org/v1.0.0"
            links = [{"rel": rel, "href": f"{base}/{rel}"} for rel in ("self", "search")]
            conforms = {"conformsTo": [f"{standard}/core", f"{standard}/item-search"]}
            self.reply(json.dumps(ROOT | conforms | {"links": links}).encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(page)

        def reply(self, body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Keep quiet."""

    return served(Search)


@pytest.mark.parametrize("part", [*BAD_PARTS.values()], ids=[*BAD_PARTS])
def test_one_bad_item_of_a_page_is_named_and_the_others_are_scored(tmp_path, part):
    bad = json.dumps(item("bad") | {"bbox": "PART"}).encode().replace(b'"PART"', part)
    good = json.dumps(item("good")).encode()
    page = b'{"type": "FeatureCollection", "features": [%s, %s], "links": []}' % (bad, good)

    with api(page) as url:
        done = run_watch(watch(tmp_path, site=stac(url)), Clock(), Stub(flagged=5))

    assert scenes(tmp_path) == [("bad", "failed"), ("good", "done")]
    assert (done.done, done.failed, done.code) == (1, 1, 5)
    assert "bad cannot be read as a STAC item" in done.messages[0]


def test_a_bad_link_of_a_page_is_named_and_its_items_are_scored(tmp_path):
    page = json.dumps({"features": [item("good")], "links": [5, {}]}).encode()

    with api(page) as url:
        done = run_watch(watch(tmp_path, site=stac(url)), Clock(), Stub(flagged=5))

    assert scenes(tmp_path) == [("good", "done")]
    assert "/search: the link 5 leads nowhere (so do 1 more)" in done.messages[0]


@pytest.mark.parametrize("links", [None, 5, {"rel": "item"}])
def test_links_that_are_no_list_are_named_and_the_items_beside_them_are_scored(tmp_path, links):
    (tmp_path / "catalog.json").write_text(json.dumps(ROOT | {"links": links}))
    root = {"name": "static"} | stac(str(tmp_path / "catalog.json"))
    page = json.dumps({"features": [item("good")], "links": links}).encode()

    with api(page) as url:
        config = watch(tmp_path, site=stac(url), others=[root])
        done = run_watch(config, Clock(), Stub(flagged=5))

    assert scenes(tmp_path) == [("good", "done")]
    assert [f"its links are {json.dumps(links)}" in message for message in done.messages] == [
        True
    ] * 2


@pytest.mark.parametrize("part", [*BAD_PARTS.values()], ids=[*BAD_PARTS])
def test_a_part_is_refused_by_itself(part):
    document = read_parts(b'{"good": [1.5, "\\ud83d"], "bad": %s}' % part)

    assert checked(document["good"]) == [1.5, "\ud83d"]
    with pytest.raises(DocumentError):
        checked(document["bad"])


def test_a_line_of_a_list_that_is_no_text_is_a_failed_scene_and_the_others_are_scored(tmp_path):
    good = drop(tmp_path, "good.tif", 5)
    lines = [b"https://eo.example/caf\xe9.tif", str(good).encode(), "# né".encode("latin-1")]
    (tmp_path / "list.txt").write_bytes(b"\n".join(lines))
    config = watch(tmp_path, site={"folder": None, "urls": {"file": "list.txt"}})

    done = run_watch(config, Clock())

    failed = r"https://eo.example/caf\udce9.tif"
    assert scenes(tmp_path) == [(str(good), "done"), (failed, "failed")]
    assert (done.code, len(done.messages)) == (5, 1)
    assert failed in done.messages[0]


def test_a_catalogue_and_a_scene_are_read_by_the_uri_of_a_file(tmp_path):
    folder = tmp_path / "high tide"
    folder.mkdir()
    scene = write(folder / "100% a.tif", plant(land(seed=1)))
    trained().save(tmp_path / "model")
    publish(
        folder, items={"a b": item("one", scene.as_uri()), "two": item("two", f"./{scene.name}")}
    )
    links = [{"rel": "item", "href": (folder / "a b.json").as_uri()}]
    links.append({"rel": "item", "href": "./two.json"})
    (folder / "catalog.json").write_text(json.dumps(ROOT | {"links": links}))
    url = (folder / "catalog.json").as_uri()

    done = run_watch(watch(tmp_path, site=stac(url)), Clock(), scoring_of)

    assert "%20" in url
    assert (scenes(tmp_path), done.messages) == ([("one", "done"), ("two", "done")], [])


LOGIN = f"https://user:{SECRET}@eo.example/x?sig={SECRET}"


def texts(folder):
    """Read all that a watch has stored, with the names of its files."""
    files = [path for path in folder.rglob("*") if "srv" not in path.parts]
    content = b"".join(path.read_bytes() for path in files if path.is_file())
    return content + " ".join(map(str, files)).encode()


@pytest.mark.parametrize(
    "document",
    [
        "nonsense",
        item(LOGIN),
        item("b", **{"processing:version": LOGIN}),
        item("c", {LOGIN: 1}),
        item("d") | {"collection": LOGIN},
        item(LOGIN, 5),
    ],
    ids=["link", "id", "version", "asset", "collection", "id of a faulty item"],
)
def test_no_secret_of_an_item_is_shown_or_stored(tmp_path, caplog, document):
    served_folder = tmp_path / "srv"
    served_folder.mkdir()
    (served_folder / "0.json").write_text(json.dumps(document))
    links = [{"rel": "item", "href": f"./0.json?sig={SECRET}"}]
    (served_folder / "catalog.json").write_text(json.dumps(ROOT | {"links": links}))

    with servers.served(served_folder) as url:
        site = stac(f"{url}/catalog.json?token={SECRET}")
        files = {"feed": {"path": "feed.geojson"}, "stdout": False}
        config = watch(tmp_path, site=site, alerts=files, health={"log": "log"})
        done = run_watch(config, Clock(), Stub(flagged=20))

    assert len(scenes(tmp_path)) == 1
    assert SECRET not in caplog.text + "".join(done.messages)
    assert SECRET.encode() not in texts(tmp_path)


def test_items_that_differ_in_their_secret_alone_stay_two_scenes(tmp_path):
    items = {name: item(f"https://eo.example/x?sig={name}") for name in "ab"}
    publish(tmp_path, items=items)

    config = watch(tmp_path, site=stac(str(tmp_path / "catalog.json")))
    done = run_watch(config, Clock(), Stub(flagged=5))

    assert done.done == 2
    assert len({source for (source,) in rows(tmp_path, "SELECT source FROM scenes")}) == 2


def test_a_faulty_item_stays_the_same_under_a_new_signature(tmp_path):
    (tmp_path / "0.json").write_text("nonsense")

    def listed(signature):
        links = [{"rel": "item", "href": f"./0.json?sig={signature}"}]
        (tmp_path / "catalog.json").write_text(json.dumps(ROOT | {"links": links}))
        run_watch(watch(tmp_path, site=stac(f"{url}/catalog.json")), Clock(), Stub())
        return scenes(tmp_path)

    with servers.served(tmp_path) as url:
        assert listed("a") == listed("b")
