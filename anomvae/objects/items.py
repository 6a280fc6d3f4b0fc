"""Read objects files.

The file is GeoJSON (RFC 7946), a feature a line; the member ``anomvae`` of its first line is the
provenance.  Coordinates are longitude and latitude in WGS 84.  An object across the 180th meridian
is not cut there: its longitudes continue beyond 180 or -180.  Where a scene has no location on
Earth, coordinates are those of pixels (col, row), (0, 0) being its top left corner; the member
``coordinates`` of ``anomvae`` gives the kind.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import FileError

DEGREES = "longitude, latitude (WGS 84)"
PIXELS = "column, row of the scene (pixels, from its top left corner; not degrees)"

Ring = tuple[tuple[float, float], ...]
Polygon = tuple[Ring, ...]


@dataclass(frozen=True)
class Provenance:
    """Where the objects of a file come from."""

    version: str
    """Of anomvae."""
    digest: str
    """Of detector, settings and input; the same in the maps and in the summary."""
    scene: str
    """Name of the scene, without its folder."""
    detector: str
    """Identity of the detector."""
    threshold: float | None
    """Nats; None where the maps have none."""
    threshold_rule: str
    min_area: int
    """Smaller objects are dropped, pixels."""
    coordinates: str
    """Kind of coordinates: `DEGREES` or `PIXELS`."""

    def to_json(self) -> str:
        """Write the file's first line, up to its features."""
        provenance = json.dumps(asdict(self))
        return f'{{"type": "FeatureCollection", "anomvae": {provenance}, "features": ['


@dataclass(frozen=True)
class AnomalyObject:
    """An anomaly: flagged pixels that touch each other, by a side or a corner."""

    id: int
    """From 1, in reading order of the first pixel."""
    area_px: int
    area_m2: float | None
    """Area on the WGS 84 ellipsoid, m2; None where the scene is not on Earth."""
    score_mean: float
    """Mean score of its pixels."""
    score_max: float
    """Highest score of its pixels."""
    peak: tuple[int, int]
    """Row and column of the first pixel with the highest score."""
    centroid: tuple[float, float] | None
    """Mean of its pixels, in the file's coordinates; None where the CRS is not defined."""
    box: tuple[float, float, float, float] | None
    """West, south, east, north, or left, top, right, bottom; None where the CRS is not defined."""
    polygons: tuple[Polygon, ...]
    """Its outline along the sides of its pixels: polygons that touch at most at corners, each an
    outline and its holes; empty where the CRS is not defined."""


@dataclass(frozen=True)
class Objects:
    """The objects of a scene, and where they come from."""

    provenance: Provenance
    items: tuple[AnomalyObject, ...]
    """In order of their ids."""


def read_objects(path: str | Path) -> Objects:
    """Read an objects file, ``<stem>.objects.geojson``.

    Raises
    ------
    FileError
        If it cannot be read, or is no objects file.
    """
    if not Path(path).exists():
        raise FileError(f"{path} does not exist. Check the path.")
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        items = tuple(_item(feature) for feature in data["features"])
        return Objects(Provenance(**data["anomvae"]), items)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise FileError(
            f"{path} is no file of objects as anomvae writes it ({type(error).__name__}: {error}). "
            f"Give a <scene>.objects.geojson."
        ) from error


def objects_digest(path: str | Path) -> str | None:
    """Read the digest in a file's first line; None where anomvae did not write it."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            line = file.readline(100_000)
        return str(json.loads(line.rstrip("]}\n") + "]}")["anomvae"]["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _item(feature: Any) -> AnomalyObject:  # noqa: ANN401 - JSON
    values, geometry = feature["properties"], feature["geometry"]
    located = geometry is not None
    return AnomalyObject(
        **{name: values[name] for name in ("id", "area_px", "area_m2", "score_mean", "score_max")},
        peak=(values["peak_row"], values["peak_col"]),
        centroid=(values["centroid_x"], values["centroid_y"]) if located else None,
        box=tuple(feature["bbox"]) if located else None,
        polygons=_as_tuples(geometry["coordinates"]) if located else (),
    )


def _as_tuples(value: Any) -> Any:  # noqa: ANN401 - JSON
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
