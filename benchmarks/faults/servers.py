"""Hostile servers on this machine: a run ends in time, and the healthy site is scored."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.faults.bytes import nested
from benchmarks.faults.jobs import write_scored
from benchmarks.faults.kind import Attempt, FaultFound, Kind
from benchmarks.faults.watched import Watch

LONGEST = 20.0  # s, for a run whose time-outs are 1 s
HUGE = b" " * 1_000_000


def _drip(handler: BaseHTTPRequestHandler) -> None:
    _begin_answer(handler, length=10_000)
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.4)


def _drip_status(handler: BaseHTTPRequestHandler) -> None:
    for letter in "HTTP/1.1 200 OK\r\nX-Long: " + "x" * 100:
        handler.wfile.write(letter.encode())
        time.sleep(0.4)


def _huge(handler: BaseHTTPRequestHandler) -> None:
    _begin_answer(handler, length=10**12)
    for _ in range(4_000):
        handler.wfile.write(HUGE)


def _loop(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path + "x")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _too_short(handler: BaseHTTPRequestHandler) -> None:
    _begin_answer(handler, length=1_000)
    handler.wfile.write(b"{")


def _no_json(handler: BaseHTTPRequestHandler) -> None:
    body = b"<html>\xff</html>"
    _begin_answer(handler, length=len(body))
    handler.wfile.write(body)


def _deep(handler: BaseHTTPRequestHandler) -> None:
    body = b"[" * 100_000 + b"]" * 100_000
    _begin_answer(handler, length=len(body))
    handler.wfile.write(body)


def _catalogue(handler: BaseHTTPRequestHandler) -> None:
    """Answer a catalogue whose only item is the catalogue again."""
    document = {"type": "Catalog", "stac_version": "1.0.0", "id": "x", "description": "x"}
    links = [{"rel": "child", "href": handler.path}, {"rel": "item", "href": handler.path}]
    body = json.dumps(document | {"links": links, "x": nested(90)}).encode()
    _begin_answer(handler, length=len(body))
    handler.wfile.write(body)


def _close(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff" * 500)


def _refuse(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(503)


def _begin_answer(handler: BaseHTTPRequestHandler, *, length: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


QUICK = (_loop, _too_short, _no_json, _deep, _catalogue, _close, _garbage, _refuse)
SLOW = (_drip, _drip_status, _huge)


@contextmanager
def hostile(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Serve one kind of answer on this machine; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with suppress(OSError):
                answer(self)

        do_POST = do_HEAD = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a"
    finally:
        server.shutdown()
        server.server_close()


def _attempt(inputs: Path, rng: Random, scratch: Path) -> int:
    use = rng.choice(["webhook", "heartbeat", "stac", "urls"])
    # GDAL has time-outs of its own, of half a minute.
    answer = rng.choice(QUICK if use == "urls" else QUICK + SLOW)
    with hostile(answer) as url:
        watch = Watch.of(scratch / "watch", inputs, **_tables(use, url, scratch))
        start = time.monotonic()
        watch.run()
        seconds = time.monotonic() - start
    if seconds > LONGEST:
        raise FaultFound("limit", f"{use} with {answer.__name__} takes {seconds:.0f} s")
    return 0


def _tables(use: str, url: str, scratch: Path) -> dict[str, Any]:
    empty = scratch / "empty"
    empty.mkdir()
    site: dict[str, Any] = {"folder": {"path": str(empty)}}
    if use == "webhook":
        hook = {"name": "hook", "url": url, "timeout": 1, "allow_http": True}
        return {"site": site, "alerts": {"stdout": False, "webhook": [hook]}}
    if use == "heartbeat":
        return {"site": site, "health": {"heartbeat": url, "timeout": 1}}
    if use == "stac":
        return {"site": {"stac": {"url": url, "assets": ["data"], "timeout": 1}}}
    return {"site": {"urls": {"urls": [url + ".tif"]}}}


def _begin(inputs: Path) -> Attempt:
    return partial(_attempt, inputs)


KINDS = (Kind("servers", "others", 0.02, write_scored, _begin),)
