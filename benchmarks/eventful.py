"""An eventful season under watch: scenes arrive day after day, and the monitor makes a pass a day.

The folder of the site first holds the newest scenes of the archive.  Events of these are no events
of the season: a model of single dates confirms land that is unusual on all days, once, and there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform

import anomvae
from anomvae.config import resolve_config
from anomvae.monitoring.config import MonitorConfig
from anomvae.monitoring.database import opened_to_read
from anomvae.monitoring.decisions.drift import recorded_drift
from anomvae.monitoring.rule_tables import DriftConfig
from anomvae.testing.eventful import Acquisition, Course, archive, season
from anomvae.testing.samples import PIXEL, Sample, write_scene
from anomvae.testing.simulate import Shape
from benchmarks.nights import silent_pass

NAME, CRS = "site", "EPSG:32633"
EASTING, NORTHING = 465_000.0, 5_390_000.0
TAIL = 10
"""Newest scenes of the archive that the folder holds before the season."""
DATES = 9
"""Dates per scene of a detector that compares dates."""
QUICK = ("training.max_steps=1500",)
"""Enough for a place of 2,304 pixels."""
KINDS = ("model", "timeseries")
"""A site with the default model, trained on the archive; and one that compares dates."""


@dataclass(frozen=True)
class Record:
    """An event, as the state has it at the end."""

    number: int
    first: date
    confirmed: date | None
    box: tuple[float, float, float, float]
    """Upper and lower row, left and right column of its outline, pixels of the site's grid."""


@dataclass(frozen=True)
class Watched:
    """What a monitor made of a season; scenes by their number."""

    outcomes: Mapping[int, str]
    objects: Mapping[int, int]
    """Objects of a scene: without decisions each scene that has one is an alert."""
    drifted: Mapping[int, bool]
    """Whether the drift of a scene exceeds a limit, which a warning reports."""
    valid: Mapping[int, NDArray[np.bool_]]
    """Pixels of a scene that have data, on its own grid."""
    events: Sequence[Record]
    """The events that began in the season."""
    known: int
    """Events that began before it."""
    alerts: int
    """Alerts of the season."""
    failed: Sequence[str]
    """Errors of scenes that failed."""


def file_of(acquisition: Acquisition) -> str:
    """Return the file name of a scene."""
    return f"{NAME}_{acquisition.date.isoformat()}.tif"


def write(folder: Path, acquisition: Acquisition) -> Path:
    """Write a scene on its grid."""
    down, right = acquisition.shift
    sample = Sample(
        NAME,
        acquisition.number,
        easting=EASTING + PIXEL * right,
        northing=NORTHING - PIXEL * down,
    )
    return write_scene(folder / file_of(acquisition), acquisition.scene, sample)


def monitor_config(root: Path, kind: str, shape: Shape) -> MonitorConfig:
    """Return the configuration of a watch of the ground of the site, by default rules."""
    detector = {"model": "model.safetensors"} if kind == "model" else {"dates": DATES}
    (root / "ground.geojson").write_text(json.dumps(_ground(shape)), encoding="utf-8")
    site = {
        "name": NAME,
        "out": "maps",
        "folder": {"path": "in", "stable_seconds": 0},
        "area": {"only": "ground.geojson"},  # a shifted grid shows more
        **detector,
    }
    tables = {"site": [site], "alerts": {"stdout": False}}
    return MonitorConfig.read(tables, folder=root)


def _ground(shape: Shape) -> dict[str, Any]:
    """Return the ground of the site, a polygon in WGS 84."""
    bottom, right = NORTHING - PIXEL * shape[0], EASTING + PIXEL * shape[1]
    eastings = [EASTING, right, right, EASTING, EASTING]
    northings = [NORTHING, NORTHING, bottom, bottom, NORTHING]
    lon, lat = transform(CRS, "EPSG:4326", eastings, northings)
    ring = list(map(list, zip(lon, lat, strict=True)))
    return {"type": "Polygon", "coordinates": [ring]}


def watch(root: Path, drawn: Course, kind: str, seed: int) -> Watched:
    """Write a season into ``root``, and monitor it day by day in this process."""
    (root / "in").mkdir(parents=True)
    config, before = monitor_config(root, kind, drawn.season.shape), archive(drawn)
    if kind == "model":
        (root / "before").mkdir()
        paths = [write(root / "before", one) for one in before]
        settings = resolve_config("default", QUICK).config
        anomvae.train(paths, settings, seed).save(root / "model.safetensors")
    for one in before[-TAIL:]:
        write(root / "in", one)
    run(config, before[-1].date)
    known, alerts = _latest_number(root), 0
    valid = dict[int, NDArray[np.bool_]]()
    for one in season(drawn):
        write(root / "in", one)
        valid[one.number] = one.scene.valid
        alerts += run(config, one.date)
    return _watched(root, drawn, known, alerts, valid)


def run(config: MonitorConfig, day: date) -> int:
    """Make the pass of a day, silently; return its number of alerts."""
    return silent_pass(config, datetime(day.year, day.month, day.day, 18, tzinfo=UTC)).alerts


def _watched(
    root: Path, drawn: Course, known: int, alerts: int, valid: Mapping[int, NDArray[np.bool_]]
) -> Watched:
    first, step = drawn.season.start, drawn.season.every
    with opened_to_read(root / "state") as database:
        scenes = database.execute("SELECT * FROM scenes WHERE status = 'done'").fetchall()
        events = database.execute("SELECT * FROM events").fetchall()
        failed = database.execute("SELECT error FROM scenes WHERE status = 'failed'").fetchall()
        drift = recorded_drift(database, NAME)
    rows = {(date.fromisoformat(row["taken"]) - first).days // step: row for row in scenes}
    rows = {number: row for number, row in sorted(rows.items()) if number >= 0}
    return Watched(
        outcomes={number: row["outcome"] for number, row in rows.items()},
        objects={number: row["objects"] for number, row in rows.items()},
        drifted={(one.day - first).days // step: one.level(DriftConfig()) > 1 for one in drift},
        valid=valid,
        events=[_record(row) for row in events if row["number"] > known],
        known=known,
        alerts=alerts,
        failed=[row["error"] for row in failed],
    )


def _record(row: Mapping[str, Any]) -> Record:
    confirmed = row["confirmed"]
    return Record(
        number=row["number"],
        first=date.fromisoformat(row["first"]),
        confirmed=None if confirmed is None else date.fromisoformat(confirmed),
        box=_box(json.loads(row["geometry"])),
    )


def _box(geometry: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return rows and columns, from the upper left corner of the site, of an outline in WGS 84."""
    corners = np.array([corner for ring in _rings(geometry) for corner in ring])
    easting, northing = map(np.array, transform("EPSG:4326", CRS, *corners.T))
    rows, cols = (NORTHING - northing) / PIXEL, (easting - EASTING) / PIXEL
    return float(rows.min()), float(rows.max()), float(cols.min()), float(cols.max())


def _rings(geometry: Mapping[str, Any]) -> Iterator[Sequence[tuple[float, float]]]:
    nested = geometry["coordinates"]
    polygons = nested if geometry["type"] == "MultiPolygon" else [nested]
    for polygon in polygons:
        yield from polygon


def _latest_number(root: Path) -> int:
    with opened_to_read(root / "state") as database:
        return int(database.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0])
