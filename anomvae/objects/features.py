"""Objects as features of GeoJSON: text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from .georeferencing import GeoreferencedObjects, Georeferencer
from .labelling import FRACTION, ObjectTable
from .outlines import rings_of

DECIMALS = 7
"""Of coordinates: a centimetre in degrees."""

Line = list[list[float]]


def features(found: ObjectTable, georeferencer: Georeferencer, width: int) -> Iterator[str]:
    """Write each object as a feature without its beginning, which ends after the property ``id``.

    Parameters
    ----------
    found : Found
        The objects.
    place : Placing
        How the scene's pixels are placed.
    width : int
        The scene's columns.
    """
    if not len(found.objects):
        return
    table = found.objects
    sums = np.stack([table["cols"], table["rows"]], axis=1)
    rings = rings_of(found.corners, found.parts)
    located = georeferencer(rings, sums / table["area"][:, np.newaxis] + 0.5)
    boxes = located.boxes.round(DECIMALS).tolist()
    for told, box, outline in zip(
        _properties(found, located, width), boxes, _multipolygons(located), strict=True
    ):
        shape: dict[str, Any] = {"geometry": None}
        if box[0] == box[0]:  # not NaN
            geometry = {"type": "MultiPolygon", "coordinates": outline}
            shape = {"bbox": box, "geometry": geometry}
        yield f"{json.dumps(told)[1:]}, {json.dumps(shape)[1:]}"


def _properties(
    found: ObjectTable, located: GeoreferencedObjects, width: int
) -> Iterator[dict[str, Any]]:
    """Tell each object in numbers; what is not known is null."""
    table = found.objects
    means = (table["nats"] + table["rest"] / FRACTION) / table["area"]
    columns = {
        "area_px": table["area"].tolist(),
        "area_m2": _rounded(located.areas, 3),
        "score_mean": [float(f"{mean:.7g}") for mean in means.tolist()],
        "score_max": [float(str(peak)) for peak in table["peak"]],
        "peak_row": (table["peak_at"] // width).tolist(),
        "peak_col": (table["peak_at"] % width).tolist(),
        "centroid_x": _rounded(located.centroids[:, 0], DECIMALS),
        "centroid_y": _rounded(located.centroids[:, 1], DECIMALS),
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _rounded(values: np.ndarray[Any, np.dtype[np.float64]], decimals: int) -> list[float | None]:
    return [None if value != value else value for value in values.round(decimals).tolist()]


def _multipolygons(located: GeoreferencedObjects) -> Iterator[list[list[Line]]]:
    """Put the rings of each object into polygons: outlines counter-clockwise, holes clockwise."""
    rings = located.rings
    points = rings.places.round(DECIMALS).tolist()
    starts, stops = rings.starts.tolist(), rings.stops.tolist()
    holes, clockwise = rings.holes.tolist(), located.clockwise.tolist()
    ends = [*rings.first.tolist()[1:], len(starts)]
    number = 0
    for end, turn in zip(ends, clockwise, strict=True):
        polygons: list[list[Line]] = []
        while number < end:
            line = points[starts[number] : stops[number]]
            line = [line[0], *reversed(line[1:]), line[0]] if turn else [*line, line[0]]
            if holes[number]:
                polygons[-1].append(line)
            else:
                polygons.append([line])
            number += 1
        yield polygons
