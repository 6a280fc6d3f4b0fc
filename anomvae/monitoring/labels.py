"""What people answer about the events of a site, as labels that `anomvae evaluate` reads.

As a raster on the site's grid: 1 where an event is acknowledged, 0 where one is rejected and where
no event is, and no data where nobody knows: under events that are muted or not answered, and where
no scene has a valid pixel.  As GeoJSON: a feature for each acknowledged or rejected event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..documents import to_json
from ..errors import ConfigError, FileError
from ..files import PathText, replacing, write_atomically
from ..mapping.flagging import WINDOW
from ..pixels.flag_classes import ANOMALOUS, COLOURS, NO_DATA, NORMAL
from ..pixels.tiling import Window, tiles
from ..raster import Category, Georeference, Layout, MapWriter
from ..raster.polygons import PolygonMask, read_polygons
from ..raster.vector import GEOJSON
from .config import SiteConfig
from .database import opened_to_read
from .decisions.event import Answer
from .decisions.map_file import MapFile, map_path, opened_map

RASTERS = {".tif", ".tiff"}
UNKNOWN = NO_DATA
CATEGORIES = (
    Category(NORMAL, "normal", COLOURS[NORMAL]),
    Category(ANOMALOUS, "anomalous", COLOURS[ANOMALOUS]),
    Category(UNKNOWN, "unknown", COLOURS[NO_DATA]),
)
VALUES = {Answer.REJECTED: NORMAL, Answer.ACKNOWLEDGED: ANOMALOUS}
"""The label that an answer stands for; a muted event has none."""


@dataclass(frozen=True)
class AnsweredEvent:
    """An event of a site, and what people answer about it."""

    number: int
    answer: str | None
    """An `Answer`; None: none."""
    first: str | None
    """Day of the first exceedance; None: unknown."""
    last: str | None
    status: str
    geometry: Mapping[str, Any] | None
    """GeoJSON in WGS 84; None: it has no place on Earth."""
    by: str | None
    """Who answered last."""
    reason: str | None

    @property
    def label(self) -> int:
        """The label of its ground."""
        return UNKNOWN if self.answer is None else VALUES.get(Answer(self.answer), UNKNOWN)

    def label_on(self, day: date | None) -> int:
        """Return the label of its ground on a day; None: on any.

        Ground is not known before an anomaly of it begins, and after it ends.
        """
        if day is None or self.label != ANOMALOUS or self.first is None or self.last is None:
            return self.label
        return ANOMALOUS if self.first <= day.isoformat() <= self.last else UNKNOWN

    def feature(self, site: str) -> dict[str, Any]:
        """Return it as a feature of GeoJSON."""
        properties = {"event": f"{site}-{self.number}", "label": self.label}
        names = ("answer", "reason", "by", "status", "first", "last")
        properties |= {name: getattr(self, name) for name in names}
        return {"type": "Feature", "geometry": self.geometry, "properties": properties}


@dataclass(frozen=True)
class LabelCounts:
    """What labels were written."""

    acknowledged: int
    """Events."""
    rejected: int
    unknown: int
    """Events that are muted, or not answered."""
    pixels: Mapping[int, int] | None = None
    """Pixels of each label; None: they are polygons."""


def write_labels(
    site: SiteConfig, state: PathText, path: PathText, day: date | None = None
) -> LabelCounts:
    """Write the labels of a site.

    Parameters
    ----------
    site : SiteConfig
        The site.
    state : path
        The folder of the state.
    path : path
        A GeoTIFF, or GeoJSON by its suffix.
    day : date, optional
        Only anomalies that last on that day are anomalous, the ground of others is unknown.

    Raises
    ------
    ConfigError
        If no event of the site is acknowledged or rejected, or ``path`` has another suffix.
    FileError
        If the state or the persistence map of the site cannot be read.
    NotWritten
        If the labels cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in {*RASTERS, *GEOJSON}:
        raise ConfigError(f"{path}: labels are a raster (.tif) or polygons (.geojson).")
    events = _events_of(site.name, Path(state))
    if all(event.label == UNKNOWN for event in events):
        raise ConfigError(
            f"No event of {site.name!r} is acknowledged or rejected, so that there is nothing to "
            f"label. Answer first: anomvae monitor ack, or reject."
        )
    pixels = None
    if suffix in GEOJSON:
        known = [event.feature(site.name) for event in events if event.label_on(day) != UNKNOWN]
        collection = {"type": "FeatureCollection", "features": known}
        write_atomically(path, f"{to_json(collection, indent=2)}\n".encode())
    else:
        pixels = _write_raster(site, events, path, day)
    answers = [event.answer for event in events]
    known_answers = answers.count(Answer.ACKNOWLEDGED), answers.count(Answer.REJECTED)
    return LabelCounts(*known_answers, len(answers) - sum(known_answers), pixels)


def _events_of(site: str, state: Path) -> list[AnsweredEvent]:
    with opened_to_read(state) as database:
        rows = database.execute(
            "SELECT number, events.answer, first, last, status, geometry, given.by, given.reason "
            "FROM events LEFT JOIN (SELECT site, number, by, reason, max(rowid) FROM answers "
            "GROUP BY site, number) AS given USING (site, number) WHERE site = ? ORDER BY number",
            (site,),
        )
        return [
            AnsweredEvent(
                **{**dict(row), "geometry": row["geometry"] and json.loads(row["geometry"])}
            )
            for row in rows
        ]


def _write_raster(
    site: SiteConfig, events: list[AnsweredEvent], path: PathText, day: date | None
) -> dict[int, int]:
    """Write a raster on the site's grid; return the number of pixels of each label."""
    layout = Layout("uint8", UNKNOWN, ("label",), {}, CATEGORIES, "nearest", predictor=False)
    with opened_map(map_path(site)) as opened:
        if opened is None:
            raise FileError(
                f"{map_path(site)}, the persistence map of {site.name!r}, is missing or damaged. "
                f"The next anomvae monitor run with a new scene makes it."
            )
        where = opened.grid.georeference
        label_of, left = _label_of_number(opened, events, day), _left(events, where)
        counts = np.zeros(UNKNOWN + 1, np.int64)
        with replacing(path) as part, MapWriter(part, where, layout) as out:
            for tile in tiles(where.grid.shape, WINDOW):
                labels = _labels(opened, tile.keep, label_of, left)
                counts += np.bincount(labels.ravel(), minlength=len(counts))
                out.write(tile.keep, labels[np.newaxis])
    return {one.value: int(counts[one.value]) for one in CATEGORIES}


def _label_of_number(
    opened: MapFile, events: list[AnsweredEvent], day: date | None
) -> NDArray[np.uint8]:
    """Return the label of each number in a map; number 0 is no event."""
    labels = np.full(opened.facts.next_number, UNKNOWN, np.uint8)
    labels[0] = NORMAL
    for event in events:
        if event.number < len(labels):
            labels[event.number] = event.label_on(day)
    return labels


def _left(events: list[AnsweredEvent], where: Georeference) -> PolygonMask:
    """Return the ground that real events may have left: the map has forgotten their pixels."""
    features = [
        {"type": "Feature", "geometry": event.geometry, "properties": {}}
        for event in events
        if event.status == "closed"
        and event.answer in {Answer.ACKNOWLEDGED, Answer.MUTED}
        and event.geometry is not None
    ]
    if not features:
        return PolygonMask(())
    with TemporaryDirectory() as folder:
        file = Path(folder, "left.geojson")
        file.write_text(to_json({"type": "FeatureCollection", "features": features}))
        return read_polygons(file, where, "the persistence map", elsewhere=True)


def _labels(
    opened: MapFile, window: Window, label_of: NDArray[np.uint8], left: PolygonMask
) -> NDArray[np.uint8]:
    layers = opened.read(window, opened.grid)
    labels = label_of[layers.event]
    labels[(layers.event == 0) & left.read(window)] = UNKNOWN
    labels[layers.history.passes == 0] = UNKNOWN
    return labels
