"""The clusters of a persistence map: what is known of each event, and where it lies.

An event is what has its number: connected pixels, and parts that were connected before.  Two may
touch, so that outlines are drawn of sets of events, in none of which two do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...mapping.flagging import WINDOW
from ...objects import ScoredTile
from ...objects.features import DECIMALS, multipolygons
from ...objects.georeferencing import Georeferencer, georeferencer_of
from ...objects.labelling import ObjectTable, connected
from ...objects.outlines import rings_of
from ...objects.strips import strips_of
from ...pixels.tiling import Window, tile_rows, tiles
from ...stats.persistence import CONFIRMED, Numbers, date_of_days
from .event import Cluster
from .map_file import MapFile, StoredLayers
from .numbering import touching_nodes

MOST_CORNERS = 200
"""Of an outline; a longer one is replaced by its box."""
REDUCTIONS = {
    "first": np.minimum,  # day
    "last": np.maximum,
    "evidence": np.maximum,  # 32 times the passes that agree, less the valid passes
    "area": np.add,  # pixels
    "confirmed": np.add,
    "tested": np.add,
    "top": np.minimum,
    "bottom": np.maximum,
    "left": np.minimum,
    "right": np.maximum,
}
"""What is known of an event, and how that of its parts is joined."""
FACTS = np.dtype([("number", np.int64), *((name, np.int64) for name in REDUCTIONS)])

Facts = NDArray[np.void]
"""A row for each event, of the type `FACTS`."""
Box = tuple[float, float, float, float]


@dataclass
class _Outline:
    """Where an event lies on Earth, longitude and latitude."""

    area: float = 0.0
    """m2; NaN where it is not known."""
    polygons: list[Any] = field(default_factory=list)
    corners: int = 0
    box: Box = (np.inf, np.inf, -np.inf, -np.inf)

    def add(self, area: float, box: list[float], polygons: list[Any]) -> None:
        """Add a part."""
        self.area += area
        west, south, east, north = box
        self.box = (
            min(self.box[0], west),
            min(self.box[1], south),
            max(self.box[2], east),
            max(self.box[3], north),
        )
        self.corners += sum(len(ring) for polygon in polygons for ring in polygon)
        self.polygons = [*self.polygons, *polygons] if self.corners <= MOST_CORNERS else []

    @property
    def geometry(self) -> dict[str, Any] | None:
        """GeoJSON; the box of a long outline, None where it has no place on Earth."""
        if not np.isfinite(self.box).all():
            return None
        if self.corners <= MOST_CORNERS:
            return {"type": "MultiPolygon", "coordinates": self.polygons}
        west, south, east, north = self.box
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return {"type": "Polygon", "coordinates": [ring]}


def clusters_of(opened: MapFile) -> tuple[Cluster, ...]:
    """Return the clusters of a map, in the order of their numbers."""
    georeferencer, shape = georeferencer_of(opened.grid.georeference), opened.grid.shape
    facts, pairs = _collected(opened)
    outlines: dict[int, _Outline] = {}
    for numbers in _apart(facts["number"], pairs):
        for table in connected(strips_of(_tiles(opened, numbers), shape[1]), shape):
            if len(table.objects):
                _add_outlines(outlines, table, georeferencer)
    among = int(opened.facts.confirm.split()[-1])
    origin = opened.grid.origin
    return tuple(_cluster(row, among, outlines[int(row["number"])], origin) for row in facts)


def _collected(opened: MapFile) -> tuple[Facts, Numbers]:
    """Return the facts of the events of a map, and the pairs of numbers that touch."""
    facts, pairs = np.empty(0, FACTS), [np.empty((2, 0), np.int64)]
    needed = int(opened.facts.confirm.split()[0])
    shape, edge = opened.grid.shape, None
    for rows, beside in tile_rows(shape, WINDOW):
        numbers = np.empty((rows.stop - rows.start, shape[1]), np.int32)
        for tile in beside:
            layers = opened.read(tile.keep, opened.grid)
            active = layers.history.active
            facts = _merged(np.concatenate([facts, _facts(layers, active, tile.keep, needed)]))
            numbers[:, tile.keep[1]] = np.where(active, layers.event, 0)
        pairs.append(touching_nodes(numbers if edge is None else np.vstack([edge, numbers])))
        edge = numbers[-1:]
    return facts, np.unique(np.hstack(pairs), axis=1)


def _apart(numbers: NDArray[np.int64], pairs: Numbers) -> list[NDArray[np.int64]]:
    """Divide events into sets, few, in none of which two touch."""
    beside: dict[int, set[int]] = {}
    for one, other in pairs.T.tolist():
        beside.setdefault(max(one, other), set()).add(min(one, other))
    of: dict[int, int] = {}
    for number in numbers.tolist():
        taken = {of[other] for other in beside.get(number, ())}
        of[number] = next(place for place in count() if place not in taken)
    return [
        numbers[[of[number] == place for number in numbers.tolist()]]
        for place in range(max(of.values(), default=-1) + 1)
    ]


def _tiles(opened: MapFile, numbers: NDArray[np.int64]) -> Iterator[ScoredTile]:
    """Yield the tiles of a map with the numbers of events, of which none touch, as scores."""
    for tile in tiles(opened.grid.shape, WINDOW):
        layers = opened.read(tile.keep, opened.grid)
        chosen = layers.history.active & np.isin(layers.event, numbers)
        yield ScoredTile(tile.keep, layers.event.astype(np.float32), chosen)


def _facts(layers: StoredLayers, active: NDArray[np.bool_], window: Window, needed: int) -> Facts:
    """Return the facts of the active pixels of a window, a row for each pixel."""
    history, (rows, cols) = layers.history, np.nonzero(active)
    facts = np.empty(len(rows), FACTS)
    facts["number"], facts["area"] = layers.event[active], 1
    facts["first"], facts["last"] = history.first[active], history.last[active]
    agreed = history.agreed[active].astype(np.int64)
    facts["evidence"] = 32 * agreed - np.minimum(history.passes[active], 31)
    facts["confirmed"] = history.status[active] == CONFIRMED
    facts["tested"] = facts["confirmed"] | (history.recent[active] >= 1 << (needed - 1))
    facts["top"] = facts["bottom"] = rows + window[0].start
    facts["left"] = facts["right"] = cols + window[1].start
    return facts


def _merged(table: Facts) -> Facts:
    if not len(table):
        return table
    table = table[np.argsort(table["number"], kind="stable")]
    starts = np.flatnonzero(np.diff(table["number"], prepend=-1))
    merged = table[starts]
    for name, ufunc in REDUCTIONS.items():
        merged[name] = ufunc.reduceat(table[name], starts)
    return merged


def _add_outlines(
    outlines: dict[int, _Outline], table: ObjectTable, georeferencer: Georeferencer
) -> None:
    rows = table.objects
    centres = np.stack([rows["col_sum"], rows["row_sum"]], axis=1) / rows["area"][:, np.newaxis]
    located = georeferencer.locate(rings_of(table.corners, table.parts), centres + 0.5)
    if not georeferencer.located:
        located.boxes[:] = np.nan
    parts = zip(
        rows["peak"].tolist(),  # all pixels of an object have one number
        located.areas.tolist(),
        located.boxes.round(DECIMALS).tolist(),
        multipolygons(located),
        strict=True,
    )
    for number, area, box, polygons in parts:
        outlines.setdefault(int(number), _Outline()).add(area, box, polygons)


def _cluster(row: np.void, among: int, outline: _Outline, origin: tuple[int, int]) -> Cluster:
    (down, right), sides = origin, [int(row[name]) for name in ("top", "bottom", "left", "right")]
    agreed, less = divmod(int(row["evidence"]) + 31, 32)
    return Cluster(
        number=int(row["number"]),
        first=date_of_days(int(row["first"])),
        last=date_of_days(int(row["last"])),
        agreed=agreed,
        passes=min(31 - less, among),
        area_px=int(row["area"]),
        confirmed_px=int(row["confirmed"]),
        tested_px=int(row["tested"]),
        area_m2=None if np.isnan(outline.area) else outline.area,
        geometry=outline.geometry,
        box=(sides[0] - down, sides[1] - down, sides[2] - right, sides[3] - right),
    )
