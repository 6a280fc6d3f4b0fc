"""Objects as an objects file tells them.

The file is GeoJSON (RFC 7946), a feature a line; its first line says, in the member ``anomvae``,
how it was made.  Coordinates are longitude and latitude in WGS 84.  An object across the 180th
meridian is not cut there: its longitudes run on beyond 180 or -180, so that it stays one outline
everywhere.  Where a scene does not say where it lies they are pixel coordinates (col, row), (0, 0)
being its top left corner, and the member ``coordinates`` of ``anomvae`` says so.
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
    """What a file of objects was made from."""

    version: str
    """Of anomvae."""
    digest: str
    """Tells detector, settings and input apart; the same in the maps and in the summary."""
    scene: str
    """Name of the scene, without its folder."""
    detector: str
    """Identity of the detector."""
    threshold: float | None
    """The cut-off, nats; None where the map does not say."""
    threshold_rule: str
    """How it was chosen."""
    min_area: int
    """Smaller objects are left out, pixels."""
    coordinates: str
    """What coordinates are: `DEGREES` or `PIXELS`."""

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
    """Pixels."""
    area_m2: float | None
    """Area on the WGS 84 ellipsoid, m2; None where the scene does not say where it lies."""
    score_mean: float
    """Mean score of its pixels, nats."""
    score_max: float
    """Highest score of its pixels, nats."""
    peak: tuple[int, int]
    """Row and column of the first pixel that has it."""
    centroid: tuple[float, float] | None
    """Mean place of its pixels, in the file's coordinates; None where its CRS does not reach."""
    box: tuple[float, float, float, float] | None
    """West, south, east, north, or left, top, right, bottom; None where its CRS does not reach."""
    polygons: tuple[Polygon, ...]
    """Its outline along the sides of its pixels: polygons that touch at most at corners, each an
    outline and its holes; empty where its CRS does not reach."""


@dataclass(frozen=True)
class Objects:
    """The objects of a scene."""

    provenance: Provenance
    """What they were made from."""
    items: tuple[AnomalyObject, ...]
    """In order of their ids."""


def read_objects(path: str | Path) -> Objects:
    """Read the objects that anomvae wrote for a scene.

    Parameters
    ----------
    path : path
        A ``<stem>.objects.geojson``.

    Returns
    -------
    Objects

    Raises
    ------
    FileError
        If it cannot be read, or is no such file.
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
    told, geometry = feature["properties"], feature["geometry"]
    return AnomalyObject(
        id=told["id"],
        area_px=told["area_px"],
        area_m2=told["area_m2"],
        score_mean=told["score_mean"],
        score_max=told["score_max"],
        peak=(told["peak_row"], told["peak_col"]),
        centroid=None if geometry is None else (told["centroid_x"], told["centroid_y"]),
        box=None if geometry is None else tuple(feature["bbox"]),
        polygons=() if geometry is None else _deep(geometry["coordinates"]),
    )


def _deep(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Turn lists within lists into tuples."""
    return tuple(map(_deep, value)) if isinstance(value, list) else value
