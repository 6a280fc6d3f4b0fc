"""Hostile STAC catalogues: an item that is none is named, and the others are scored."""

import json
from http.server import BaseHTTPRequestHandler

import pytest
from support import servers
from support.watching import Clock, Stub, drop, rows, run_watch, scenes, served, watch

from anomvae.monitoring import overview

pytest.importorskip("pystac_client")

GOOD = ("s2/good", "done")


def item(name, **changes):
    """Write an item by hand, so that any member may be wrong."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "s2",
        "geometry": None,
        "bbox": [14.0, 50.0, 14.1, 50.1],
        "properties": {"datetime": "2025-05-31T03:00:00Z", "eo:cloud_cover": 10},
        "links": [],
        "assets": {"data": {"href": f"https://eo.example/{name}.tif"}},
    } | changes


def with_properties(**properties):
    return item("bad", properties=item("bad")["properties"] | properties)


def with_asset(asset):
    return item("bad", assets={"data": asset})


HOSTILE = {
    "id is a number": item(5),
    "id is true": item(True),
    "id is null": item(None),
    "id is a list": item(["s2", 5]),
    "id is empty": item(""),
    "id is no text": item("bad\ud800"),
    "id has a control character": item("bad\x00"),
    "id without end": item("x" * 100_000),
    "collection is a number": item("bad", collection=5, assets={}),
    "datetime is no time": with_properties(datetime="yesterday"),
    "datetime is a number": with_properties(datetime=5),
    "datetime before the calendar": with_properties(datetime="0001-01-01T00:00:00+14:00"),
    "datetime after the calendar": with_properties(datetime="9999-12-31T23:59:59-14:00"),
    "no datetime": with_properties(datetime=None),
    "properties are null": item("bad", properties=None),
    "cloud is a text": with_properties(**{"eo:cloud_cover": "none"}),
    "baseline is a table": with_properties(**{"processing:version": {"a": 1}}),
    "box is a text": item("bad", bbox="14 50 15 51"),
    "box of texts": item("bad", bbox=["14", "50", "15", "51"]),
    "box of three": item("bad", bbox=[14, 50, 15]),
    "assets are a list": item("bad", assets=["data"]),
    "asset is null": with_asset(None),
    "href is null": with_asset({"href": None}),
    "href is a number": with_asset({"href": 5}),
    "no href": with_asset({}),
    "href has a control character": with_asset({"href": "https://eo.example/\x1b"}),
    "links are null": item("bad", links=None),
    "a list": [item("bad")],
    "null": None,
    "a catalogue": {"type": "Catalog", "id": "bad", "stac_version": "1.0.0", "links": []},
}
RAW = {
    "not JSON": "<html>",
    "deep": "[" * 100_000,
    "infinite": json.dumps(item("bad")).replace("50.1", "Infinity"),
    "not UTF-8": b"\xff\xfe",
    "empty": "",
    "missing": None,
}


def publish(folder, documents):
    """Write a catalogue of items; a document is JSON, text, bytes, or None: it is missing."""
    links = []
    for number, document in enumerate(documents):
        name = f"{number}.json"
        links.append({"rel": "item", "href": f"./{name}"})
        if isinstance(document, bytes):
            (folder / name).write_bytes(document)
        elif document is not None:
            (folder / name).write_text(document)
    root = {"type": "Catalog", "id": "c", "description": "d", "stac_version": "1.0.0"}
    (folder / "catalog.json").write_text(json.dumps(root | {"links": links}))


FILTERS = {"bbox": [14, 50, 15, 51], "max_cloud": 50}


def site(url, **config):
    return {"folder": None, "stac": {"url": url, "assets": ["data"]} | config}


@pytest.fixture
def archive(tmp_path):
    with servers.served(tmp_path) as url:
        yield f"{url}/catalog.json"


def require_skipped(folder, done):
    """Require that the good item is scored, and the other one recorded and named in one line."""
    statuses = scenes(folder)
    (name,) = [source for source, status in statuses if status == "failed"]
    ((error,),) = rows(folder, "SELECT error FROM scenes WHERE status = 'failed'")
    assert GOOD in statuses
    assert (done.done, done.failed, done.code) == (1, 1, 5)
    assert done.messages == [f"harbour: {error}"]
    assert error.isprintable()
    assert name in error
    assert len(error) < 1000


@pytest.mark.parametrize("document", [*HOSTILE.values()], ids=[*HOSTILE])
def test_an_item_that_is_none_is_a_failed_scene_and_others_are_scored(tmp_path, archive, document):
    publish(tmp_path, [json.dumps(document), json.dumps(item("good"))])
    config = watch(tmp_path, site=site(archive, **FILTERS))

    done = run_watch(config, Clock(), Stub(flagged=5))

    require_skipped(tmp_path, done)


@pytest.mark.parametrize("text", [*RAW.values()], ids=[*RAW])
def test_a_document_that_is_none_is_a_failed_scene_and_others_are_scored(tmp_path, archive, text):
    publish(tmp_path, [text, json.dumps(item("good"))])

    done = run_watch(watch(tmp_path, site=site(archive)), Clock(), Stub(flagged=5))

    require_skipped(tmp_path, done)


def searching(pages):
    """Serve a search; a page is a list of features, or any document."""

    class Search(BaseHTTPRequestHandler):
        def do_GET(self):
            base, number = f"http://{self.headers['Host']}", self.path.partition("page=")[2]
            self.reply(page(base, int(number)) if number else landing(base))

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(page(f"http://{self.headers['Host']}", 0))

        def reply(self, document):
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Keep quiet."""

    def page(base, number):
        if not isinstance(pages[number], list):
            return pages[number]
        more = [{"rel": "next", "href": f"{base}/search?page={number + 1}", "method": "GET"}]
        links = more if number + 1 < len(pages) else []
        return {"type": "FeatureCollection", "features": pages[number], "links": links}

    return served(Search)


def landing(base):
    links = {"self": base, "root": base, "search": f"{base}/search"}
    standard = "https://api.stacspec.org/v1.0.0"
    catalogue = {"type": "Catalog", "id": "api", "description": "an API", "stac_version": "1.0.0"}
    return catalogue | {
        "conformsTo": [f"{standard}/core", f"{standard}/item-search"],
        "links": [{"rel": rel, "href": href} for rel, href in links.items()],
    }


@pytest.mark.parametrize("document", [*HOSTILE.values()], ids=[*HOSTILE])
def test_an_item_in_a_page_that_is_none_is_a_failed_scene(tmp_path, document):
    with searching([[document, item("good")]]) as url:
        config = watch(tmp_path, site=site(url, **FILTERS))
        done = run_watch(config, Clock(), Stub(flagged=5))

    require_skipped(tmp_path, done)


@pytest.mark.parametrize(
    "page",
    [b"<html>", b"[" * 100_000, b"[]", {"features": 5}],
    ids=["no JSON", "deep", "a list", "features are a number"],
)
def test_a_broken_page_ends_the_list_and_the_items_before_it_are_scored(tmp_path, page):
    with searching([[item("good")], page]) as url:
        done = run_watch(watch(tmp_path, site=site(url)), Clock(), Stub(flagged=5))

    assert GOOD in scenes(tmp_path)
    assert "cannot be read as a STAC catalogue" in done.messages[0]
    assert done.code in {3, 5}


def test_an_answer_without_end_is_refused_and_other_sites_are_scored(tmp_path):
    drop(tmp_path, "a.tif", 5)

    with searching([b'{"features": [' + b"0," * 17_000_000 + b"0]}"]) as url:
        archive = {"name": "archive"} | site(url)
        done = run_watch(watch(tmp_path, others=[archive]), Clock())

    assert (done.done, done.code) == (1, 3)
    assert "an answer is longer than 32000000 bytes" in done.messages[0]


def test_an_item_that_is_listed_twice_is_scored_once(tmp_path, archive):
    publish(tmp_path, [json.dumps(item("good")), json.dumps(item("good"))])
    config, stub = watch(tmp_path, site=site(archive)), Stub(flagged=30)

    first, second = (run_watch(config, Clock(), stub) for _ in range(2))

    assert (first.done, first.alerts, first.code) == (1, 1, 0)
    assert (second.done, second.known, second.code) == (0, 1, 0)
    assert stub.scored == ["s2/good"]
    (notice,) = overview(tmp_path / "state").notices
    assert notice.text == "1 scene is listed twice: s2/good"


def test_an_item_that_was_corrected_is_a_new_scene(tmp_path, archive):
    config, clock, stub = watch(tmp_path, site=site(archive)), Clock(), Stub(flagged=5)
    publish(tmp_path, [json.dumps(with_asset({"href": None}))])
    broken = run_watch(config, clock, stub)
    publish(tmp_path, [json.dumps(item("bad"))])

    corrected = run_watch(config, clock, stub)

    assert (broken.code, corrected.code) == (5, 0)
    assert scenes(tmp_path) == [("s2/bad", "done"), ("s2/bad", "replaced")]


def test_catalogues_that_lead_to_each_other_are_read_once(tmp_path, archive):
    publish(tmp_path, [json.dumps(item("good"))])
    root = json.loads((tmp_path / "catalog.json").read_text())
    root["links"] += [{"rel": "child", "href": f"./{name}.json"} for name in ("gone", "child")]
    (tmp_path / "catalog.json").write_text(json.dumps(root))
    back = root | {"links": [{"rel": "child", "href": "./catalog.json"}]}
    (tmp_path / "child.json").write_text(json.dumps(back))

    done = run_watch(watch(tmp_path, site=site(archive)), Clock(), Stub(flagged=5))

    assert scenes(tmp_path) == [GOOD]
    assert done.code == 3
    assert "gone.json cannot be read as a STAC catalogue" in done.messages[0]


def test_a_faulty_item_of_another_collection_is_no_problem(tmp_path, archive):
    other = with_asset({"href": None}) | {"collection": "s1"}
    publish(tmp_path, [json.dumps(other), json.dumps(item("good"))])
    config = watch(tmp_path, site=site(archive, collection="s2"))

    done = run_watch(config, Clock(), Stub(flagged=5))

    assert (done.done, done.code) == (1, 0)
