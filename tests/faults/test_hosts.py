"""A catalogue on a server names files on servers: no local file, and no host of this machine."""

import json
import socket
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest
from support.watching import served

from anomvae.errors import FileError
from anomvae.hosts import Reach, reach_of, require_allowed, require_redirect
from anomvae.monitoring.source_tables import StacConfig

PUBLIC = "https://93.184.215.14/catalog.json"
NOW = datetime(2025, 6, 1, tzinfo=UTC)

FORBIDDEN = {
    "a local file": [
        *("/etc/passwd", "../scene.tif", "scene.tif", "file:///etc/passwd", "FILE:/etc/passwd"),
        *("C:/secret.tif", "/vsizip//data/a.zip/a.tif", "/vsigzip//etc/passwd", "/vsistdin/"),
        *("/vsicurl/file:///etc/passwd", "/vsisubfile/0_9,/etc/passwd", "/vsicurl//etc/passwd"),
    ],
    "another scheme": [
        *("ftp://h.example/a.tif", "gopher://h.example/", "data:image/tiff;base64,AAAA"),
        *("WMS:https://h.example", 'NETCDF:"/etc/passwd":a', "<VRTDataset/>", "vrt:///etc/passwd"),
        *("/vsicurl?url=https%3A%2F%2F127.0.0.1%2Fa.tif", "javascript:1", ""),
    ],
    "this machine": [
        *("http://localhost/a.tif", "https://127.0.0.1:8080/a", "http://127.1/a", "http://0/a"),
        *("http://2130706433/a", "http://0x7f000001/a", "http://[::1]/a", "http://LOCALHOST./a"),
        *("http://[::ffff:127.0.0.1]/a", "http://user@127.0.0.1/a", "https://[::]/a"),
        "/vsicurl/http://127.0.0.1/a.tif",
    ],
    "the local link": [
        *("http://169.254.169.254/latest", "http://[fe80::1]/a", "http://100.100.100.200/a"),
        *("http://[::ffff:169.254.169.254]/a", "http://0xa9fea9fe/a", "http://[fd00:ec2::254]/a"),
    ],
    "no server": [
        *("http://127%2e0%2e0%2e1/a.tif", "http://loc%61lhost/a", "http://%31%32%37.0.0.1/a"),
        "https:///a.tif",
        "http://",
        "http://[",
    ],
    "unclear": ["https://93.184.215.14\\@127.0.0.1/a.tif", "https://h.example/a b\n.tif"],
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_a_catalogue_on_a_server_may_not_name(kind):
    for href in FORBIDDEN[kind]:
        with pytest.raises(FileError) as error:
            require_allowed(href, PUBLIC)
        assert "\n" not in str(error.value)


ALLOWED = [
    *("https://93.184.215.14/a.tif", "http://93.184.215.14/a.tif?sig=s", "s3://bucket/a.tif"),
    *("gs://bucket/a.tif", "az://container/a.tif", "/vsis3/bucket/a.tif", "HTTPS://10.0.0.7/a.tif"),
    *("/vsicurl/https://93.184.215.14/a.tif", "https://name-without-address.invalid/a.tif"),
    "s3://localhost/a.tif",
]


@pytest.mark.parametrize("href", ALLOWED)
def test_a_catalogue_on_a_server_may_name(href):
    require_allowed(href, PUBLIC)


@pytest.mark.parametrize("href", [href for hrefs in FORBIDDEN.values() for href in hrefs])
def test_a_local_catalogue_may_name_anything(href):
    for catalogue in ("catalogues/catalog.json", "/data/catalog.json", "file:///data/catalog.json"):
        require_allowed(href, catalogue)


def test_a_catalogue_on_this_machine_may_name_this_machine_but_not_the_link():
    require_allowed("http://localhost:8080/a.tif", "http://127.0.0.1:9000/catalog.json")
    require_allowed("http://169.254.7.7/a.tif", "http://169.254.7.7/catalog.json")

    with pytest.raises(FileError, match="local link"):
        require_allowed("http://169.254.169.254/a.tif", "http://127.0.0.1:9000/catalog.json")
    with pytest.raises(FileError, match="only addresses"):
        require_allowed("/etc/passwd", "http://127.0.0.1:9000/catalog.json")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("b.tif", "http://93.184.215.14/x/b.tif"),
        ("//10.0.0.7/b.tif", "http://10.0.0.7/b.tif"),
        ("https://93.184.215.14/b.tif", "https://93.184.215.14/b.tif"),
    ],
)
def test_a_redirect_may_lead_to_another_server_and_to_https(target, expected):
    assert require_redirect("http://93.184.215.14/x/a.tif", target) == expected


@pytest.mark.parametrize("target", ["http://93.184.215.14/a", "ftp://h.example/a", "file:///etc"])
def test_a_redirect_leaves_https_for_nothing(target):
    with pytest.raises(FileError, match="another scheme"):
        require_redirect("https://93.184.215.14/a", target)


def test_the_reach_of_a_name_is_that_of_its_address():
    assert reach_of("localhost") is Reach.MACHINE
    assert reach_of("name-without-address.invalid") is Reach.NETWORK
    assert reach_of("x" * 300) is Reach.NETWORK


def item(name, href):
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "properties": {"datetime": "2025-05-31T00:00:00Z"},
        "links": [],
        "assets": {"data": {"href": href}},
    }


def catalogue(documents, links):
    """Serve documents by path; the catalogue lies at ``/catalog.json``."""
    root = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "c",
        "description": "d",
        "links": [{"rel": rel, "href": href} for rel, href in links],
    }

    class Catalogue(BaseHTTPRequestHandler):
        def do_GET(self):
            document = {"/catalog.json": root, **documents}.get(self.path)
            to = document if isinstance(document, str) else None
            body = b"" if to else json.dumps(document).encode()
            self.send_response(302 if to else 200)
            if to:
                self.send_header("Location", to)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Keep quiet."""

    return served(Catalogue)


def catalogued(url):
    from anomvae.monitoring.catalogue import catalogued

    return catalogued(StacConfig(url=url, assets=("data",)), NOW)


def test_an_item_that_names_what_it_must_not_stops_no_other(tmp_path):
    pytest.importorskip("pystac_client")
    hrefs = {
        "a": "https://h.example/a.tif",
        "b": "file:///etc/passwd",
        "c": "http://169.254.169.254/c",
    }
    documents = {f"/{name}.json": item(name, href) for name, href in hrefs.items()}

    with catalogue(documents, [("item", f".{path}") for path in documents]) as url:
        scenes = catalogued(f"{url}/catalog.json").scenes

    assert [scene.read for scene in scenes if scene.fault is None] == [("https://h.example/a.tif",)]
    assert all("is not read" in scene.fault for scene in scenes if scene.fault is not None)
    assert len(scenes) == 3


@pytest.mark.parametrize("how", ["link", "redirect"])
def test_a_catalogue_leads_its_reader_to_no_local_file_and_no_other_machine(tmp_path, how):
    pytest.importorskip("pystac_client")
    (tmp_path / "item.json").write_text(json.dumps(item("a", "https://h.example/a.tif")))
    links = {
        "link": {f"file://{tmp_path}/item.json", "http://169.254.169.254/i.json"},
        "redirect": {"/r.json", "/s.json"},
    }
    documents = {"/r.json": "http://169.254.169.254/i.json", "/s.json": "ftp://h.example/i.json"}
    for link in links[how]:
        with catalogue(documents, [("item", link)]) as url:
            (scene,) = catalogued(f"{url}/catalog.json").scenes
        assert "is not read" in scene.fault or "another scheme" in scene.fault


def test_another_address_of_this_machine_is_this_machine():
    own = {
        address
        for name in (socket.gethostname(), socket.getfqdn())
        for *_, (address, *_) in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        if "%" not in address
    }

    assert {reach_of(address) for address in own} <= {Reach.MACHINE, Reach.LINK}
