"""Helpers for tests of monitoring: a clock, a scoring without torch, receivers on localhost."""

import io
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import rasterio
from affine import Affine

from anomvae.errors import RasterError
from anomvae.mapping.deliverables import Deliverables
from anomvae.monitoring import RunEnvironment, run_once
from anomvae.monitoring.config import MonitorConfig
from anomvae.monitoring.database import opened_to_read
from anomvae.monitoring.rule_tables import AlertRule
from anomvae.objects import Provenance
from anomvae.objects.items import DEGREES
from anomvae.pixels.flag_classes import ANOMALOUS, NO_DATA
from anomvae.stats.thresholds import Threshold

START = datetime(2025, 6, 1, 3, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    time: datetime = START

    def __call__(self):
        return self.time

    def forward(self, **span):
        self.time += timedelta(**span)


@dataclass
class Stub:
    """Scores files without torch: the first word is the number of flagged pixels, or ``bad``.

    Without given ``objects``, they are one object if they reach the default ``min_area_px``.
    """

    error: Exception | None = None
    flagged: int | None = None
    objects: tuple = ()
    scored: list = field(default_factory=list)

    def __call__(self, site):
        return self.score

    def score(self, scene, folder):
        self.scored.append(scene.source)
        if self.error is not None:
            raise self.error
        word = self.flagged
        if word is None:
            word = Path(scene.read[0]).read_text().split()[0]
        if word == "bad":
            raise RasterError(f"{scene.read[0]} is damaged. Fetch it again.")
        folder.mkdir(parents=True, exist_ok=True)
        flagged = int(word)
        large = [feature(flagged)] if flagged >= AlertRule().min_area_px else []
        return result(folder, flagged, stem=Path(scene.source).stem, objects=self.objects or large)


AT_ONCE = {"confirm": "1 of 1", "on": ["opened", "confirmed", "continued"]}
PIXEL = Affine(0.01, 0, 14, 0, -0.01, 50.1)
SQUARE = ((14, 50), (14.1, 50), (14.1, 50.1), (14, 50))


def feature(area, m2=None, top=9.5, ring=SQUARE, **more):
    """Make a feature as of an earlier version, with ``more`` properties; ring None: no geometry."""
    properties = {"id": 1, "area_px": area, "area_m2": m2, "score_mean": 5.0, "score_max": top}
    properties |= more
    properties |= dict.fromkeys(["peak_row", "peak_col", "centroid_x", "centroid_y"], 0)
    if ring is None:
        return {"type": "Feature", "properties": properties, "geometry": None}
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*ring, strict=True))
    geometry = {"type": "MultiPolygon", "coordinates": [[ring]]}
    box = [left, low, right, high]
    return {"type": "Feature", "properties": properties, "bbox": box, "geometry": geometry}


def write_features(path, features, coordinates=DEGREES):
    """Write an objects file by hand."""
    provenance = Provenance("0.1.0", "d", "a.tif", "m", 4.0, "sigma:3", 1, coordinates)
    lines = ",".join(f"\n{json.dumps(one)}" for one in features)
    path.write_text(f"{provenance.to_json()}{lines}\n]}}\n")


def result(folder, flagged, valid=100, *, stem="a", objects=(), verdict=None, **how):
    """Write flags and objects of a scene of 10 x 10 pixels, and return the result of its scoring.

    The first pixels in reading order are flagged, the last ones have no data.
    """
    files = Deliverables(folder, stem)
    write_features(files.objects, objects, **how)
    classes = np.zeros(100, np.uint8)
    classes[:flagged], classes[valid:] = ANOMALOUS, NO_DATA
    write_flags(files.flags, classes.reshape(10, 10))
    return SimpleNamespace(
        files=files,
        path=files.scores,
        pixels=100,
        valid=valid,
        masked=0,
        missing=100 - valid,
        flagged=flagged,
        objects=len(objects),
        quantiles={"1": 9.5},
        threshold=Threshold(4.0, 0.001, "sigma:3", 1000, held_out=True),
        seconds=0.5,
        drawn=False,
        verdict=verdict,
        drift=None,
    )


def write_flags(path, classes):
    """Write a map of flags (row, col) around the `SQUARE`."""
    rows, cols = classes.shape
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": NO_DATA}
    profile |= {"height": rows, "width": cols, "crs": "EPSG:4326"}
    with rasterio.open(path, "w", transform=PIXEL, **profile) as dataset:
        dataset.write(classes, 1)
        dataset.update_tags(ANOMVAE_DIGEST=sha256(classes).hexdigest()[:16])


def watch(folder, *, site=None, others=(), **tables):
    """Configure a site whose scenes are files in ``in``, and others that differ from it.

    Without given rules each anomalous scene is an alert.
    """
    (folder / "in").mkdir(exist_ok=True)
    model = folder / "model"
    if not model.exists():
        model.write_text("model 1")
    own = {"name": "harbour", "model": "model", "out": "maps", "folder": {"path": "in"}}
    sites = [
        own | (change or {}) | {"alert": AT_ONCE | (change or {}).get("alert", {})}
        for change in (site, *others)
    ]
    data = {"site": sites, "alerts": {"stdout": False}} | tables
    return MonitorConfig.read(data, folder=folder)


def drop(folder, name, content, time=START - timedelta(hours=1)):
    """Put a scene into the watched folder."""
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(content))
    os.utime(path, (time.timestamp(), time.timestamp()))
    return path


def run_watch(config, clock, scoring=None, *, environment=None, stream=None, **how):
    """Make one pass."""
    stream = stream or io.StringIO()
    scoring = scoring or Stub()
    return run_once(
        config, RunEnvironment(uuid4().hex, clock, environment or {}, stream, scoring, **how)
    )


def rows(folder, query):
    """Query the state."""
    with opened_to_read(folder / "state") as database:
        return [tuple(row) for row in database.execute(query)]


def scenes(folder):
    """List status by source."""
    return rows(folder, "SELECT source, status FROM scenes ORDER BY source, scene")


@dataclass
class Receiver:
    """The requests to an HTTP server, and its answer."""

    url: str = ""
    status: int = 200
    headers: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)
    delay: threading.Event | None = None


@contextmanager
def receiver():
    """Run an HTTP server on localhost."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.requests.append((self.command, self.path, dict(self.headers), body))
            if state.delay is not None:
                state.delay.wait(10)
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = answer

        def log_message(self, *arguments):
            """Keep quiet."""

    with served(Handler) as url:
        state.url = url
        yield state


@contextmanager
def served(handler):
    """Serve on localhost by a handler; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
