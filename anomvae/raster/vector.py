"""Polygons of a vector file.

This module reads GeoJSON; pyogrio, which the extra ``vector`` installs, reads other formats.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..documents import DocumentError, content_of, read_json
from ..errors import RasterError
from ..names import printable
from .vectorformats import format_of

GEOJSON = {".geojson", ".json"}

FARTHEST = 1e10
"""Largest coordinate, in units of any coordinate reference system: the Earth has 4e7 m around."""

LONGITUDE_LATITUDE = "EPSG:4326"
"""Coordinate reference system of GeoJSON without the member ``crs`` (RFC 7946)."""


Ring = NDArray[np.float64]
"""Corners of a linear ring, axes (corner, coordinate)."""


@dataclass(frozen=True)
class Outlines:
    """Polygons of a file."""

    polygons: list[list[Ring]]
    """The rings of each polygon, in units of ``crs``: the outline, then its holes."""
    crs: str
    """Coordinate reference system; empty when unknown."""


def read_outlines(path: str | Path) -> Outlines:
    """Read the polygons of a vector file; points and lines are ignored.

    Raises
    ------
    RasterError
        When the file cannot be read, or holds no polygon.
    """
    if not Path(path).exists():
        raise RasterError(f"{path} does not exist. Check the path.")
    document, crs = _geojson(path) if Path(path).suffix.lower() in GEOJSON else _converted(path)
    try:
        polygons = [list(map(_ring, rings)) for rings in _polygons(document)]
        crs = _declared(document) if crs is None else crs
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise _not_geojson(path, printable(repr(error))[:200]) from error
    rings = [ring for polygon in polygons for ring in polygon]
    if not rings:
        raise RasterError(f"{path} holds no polygon. Draw polygons, and save them there.")
    if any(ring.ndim != 2 or ring.shape[0] < 4 or ring.shape[1] != 2 for ring in rings):
        raise _not_geojson(path, "a ring is not made of four or more pairs of coordinates")
    return Outlines(polygons, crs)


def _ring(corners: Any) -> Ring:  # noqa: ANN401 - JSON
    """Return the corners of a ring; raises `ValueError` for what is no coordinate."""
    pairs = [corner[:2] for corner in corners]
    kinds = {type(value) for pair in pairs for value in pair}
    if not kinds <= {int, float}:  # numpy takes "1" and true for numbers
        raise ValueError("a coordinate is no number")
    ring = np.array(pairs, float)
    if ring.size and np.abs(ring).max() > FARTHEST:
        raise ValueError(f"a coordinate lies beyond {FARTHEST:g}")
    return ring


def _geojson(path: str | Path) -> tuple[Any, None]:
    try:
        return read_json(content_of(path)), None
    except DocumentError as error:
        raise _not_geojson(path, str(error)) from error
    except OSError as error:
        raise RasterError(f"{path} cannot be read: {error.strerror or error}.") from error


def _not_geojson(path: str | Path, why: str) -> RasterError:
    return RasterError(f"{path} is not valid GeoJSON: {why}. Export it again (ogr2ogr -f GeoJSON).")


def _polygons(node: Any) -> Iterator[list[Any]]:  # noqa: ANN401 - JSON
    """Yield the polygons in GeoJSON, each a list of linear rings."""
    match node["type"]:
        case "FeatureCollection":
            for feature in node["features"]:
                yield from _polygons(feature)
        case "GeometryCollection":
            for geometry in node["geometries"]:
                yield from _polygons(geometry)
        case "Feature" if node["geometry"]:
            yield from _polygons(node["geometry"])
        case "Polygon" if node["coordinates"]:
            yield node["coordinates"]
        case "MultiPolygon":
            yield from filter(None, node["coordinates"])


def _declared(document: Any) -> str:  # noqa: ANN401 - JSON
    """Read the member ``crs`` of GeoJSON before RFC 7946, which GDAL still writes."""
    declared = document.get("crs")
    return str(declared["properties"]["name"]) if declared else LONGITUDE_LATITUDE


def _converted(path: str | Path) -> tuple[Any, str]:
    """Convert any vector file to GeoJSON with pyogrio, in the coordinates of the file."""
    try:
        from pyogrio import raw
    except ImportError as error:
        raise RasterError(
            f"{path} is no GeoJSON; other vector formats need pyogrio, which is missing. "
            f'Run: pip install "anomvae[vector]", or convert it (ogr2ogr -f GeoJSON).'
        ) from error
    try:
        options = format_of(path).options
        metadata, _, geometries, _ = raw.read(path, columns=[], **options)
        if geometries is None:  # a table without a column of geometries
            return {"type": "FeatureCollection", "features": []}, ""
        geometries = geometries[[geometry is not None for geometry in geometries]]
        text = io.BytesIO()
        raw.write(
            text,
            geometries,
            field_data=[],
            fields=[],
            driver="GeoJSON",
            geometry_type=metadata["geometry_type"],
            crs=metadata["crs"] or LONGITUDE_LATITUDE,  # only a label here
        )
    except RasterError:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        raise RasterError(
            f"{path} cannot be read: {error}. Give a vector file with polygons."
        ) from error
    try:
        return read_json(text.getvalue()), metadata["crs"] or ""
    except DocumentError as error:
        raise RasterError(
            f"{path} cannot be read: {error}. Give a vector file with polygons."
        ) from error
