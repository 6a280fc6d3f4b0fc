"""Objects as text: features of GeoJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .georeferencing import GeoreferencedObjects, Georeferencer
from .labelling import FRACTION, ObjectTable
from .number_texts import shortened, texts
from .outlines import rings_of
from .ranking import Listing

DECIMALS = 7
"""Of coordinates: a centimetre in degrees."""

Ring = list[list[float]]
Polygons = list[list[Ring]]
"""Each an outline and its holes."""


def features(
    table: ObjectTable, georeferencer: Georeferencer, width: int, listing: Listing
) -> Iterator[str]:
    """Write each object as a feature, from behind its rank; ``width`` is the scene's, pixels."""
    rows = table.objects
    if not len(rows):
        return
    sums = np.stack([rows["col_sum"], rows["row_sum"]], axis=1)
    rings = rings_of(table.corners, table.parts)
    located = georeferencer.locate(rings, sums / rows["area"][:, np.newaxis] + 0.5)
    boxes = located.boxes.round(DECIMALS)
    for properties, box, unlocated, coordinates in zip(
        _properties(table, located, width, listing),
        texts(boxes.tolist()),
        np.isnan(boxes[:, 0]).tolist(),
        texts(list(multipolygons(located))),
        strict=True,
    ):
        if unlocated:
            yield f'{properties}, "geometry": null}}'
        else:
            geometry = f'{{"type": "MultiPolygon", "coordinates": {coordinates}}}'
            yield f'{properties}, "bbox": {box}, "geometry": {geometry}}}'


def explained_parts(text: str, explanation: str | None) -> tuple[str, str]:
    """Add an explanation to the properties of a feature, from behind its rank.

    The text is returned as two: up to the end of the properties, and what follows.
    """
    properties, _, rest = text.partition("}")  # properties hold numbers alone
    added = "" if explanation is None else f", {explanation}"
    return f"{properties}{added}}}", rest


def pixel_outlines(table: ObjectTable) -> Iterator[str]:
    """Write the polygons of each object in pixel coordinates (col, row)."""
    count = len(table.objects)
    if not count:
        return
    rings = rings_of(table.corners, table.parts)
    none, plane = np.full(count, np.nan), np.zeros((count, 4))
    located = GeoreferencedObjects(rings, plane[:, :2], plane, none, np.isinf(none))
    yield from texts(list(multipolygons(located)))


def _properties(
    table: ObjectTable, located: GeoreferencedObjects, width: int, listing: Listing
) -> Iterator[str]:
    """Write the properties of each object, from behind its rank."""
    rows = table.objects
    means = (rows["whole"] + rows["rest"] / FRACTION) / rows["area"]
    columns = {
        "area_px": rows["area"].tolist(),
        "area_m2": _rounded(located.areas, 3),
        "score_mean": _shortened(means),
        "score_max": [float(str(peak)) for peak in rows["peak"]],
        "margin": _shortened(rows["peak"].astype(np.float64) - listing.threshold),
        "p": _p_values(rows["peak"], listing),
        "peak_row": (rows["peak_at"] // width).tolist(),
        "peak_col": (rows["peak_at"] % width).tolist(),
        "centroid_x": _rounded(located.centroids[:, 0], DECIMALS),
        "centroid_y": _rounded(located.centroids[:, 1], DECIMALS),
    }
    pattern = ", ".join(f'"{name}": %s' for name in columns) + "}"
    return map(pattern.__mod__, zip(*map(texts, columns.values()), strict=True))


def _p_values(peaks: NDArray[np.float32], listing: Listing) -> Sequence[float | None]:
    if listing.p_values is None:
        return [None] * len(peaks)
    return _shortened(listing.p_values(peaks))


def _shortened(values: NDArray[np.floating]) -> list[float]:
    """Round to 7 significant digits, as many as a float32 has."""
    rounded: list[float] = shortened(values.astype(np.float64), 7).tolist()
    return rounded


def _rounded(values: NDArray[np.float64], decimals: int) -> list[float | None]:
    return [None if value != value else value for value in values.round(decimals).tolist()]


def multipolygons(located: GeoreferencedObjects) -> Iterator[Polygons]:
    """Group the rings of each object into polygons: outlines counter-clockwise, holes clockwise.

    Points are rounded as files have them.
    """
    points: Ring = located.rings.points.round(DECIMALS).tolist()
    rings = located.rings
    bounds = zip(rings.holes.tolist(), rings.starts.tolist(), rings.stops.tolist(), strict=True)
    counts = np.diff(rings.first, append=len(rings.starts)).tolist()
    for count, turn in zip(counts, located.clockwise.tolist(), strict=True):
        polygons: Polygons = []
        for hole, start, stop in islice(bounds, count):
            ring = points[start:stop]
            ring = [ring[0], *reversed(ring[1:]), ring[0]] if turn else [*ring, ring[0]]
            if hole:
                polygons[-1].append(ring)
            else:
                polygons.append([ring])
        yield polygons
