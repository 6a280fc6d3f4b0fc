"""Read objects files.

The file is GeoJSON (RFC 7946), a feature a line; the member ``anomvae`` of its first line is the
provenance.  Coordinates are longitude and latitude in WGS 84.  An object across the 180th meridian
is not cut there: its longitudes continue beyond 180 or -180.  Where a scene has no location on
Earth, coordinates are those of pixels (col, row), (0, 0) being its top left corner; the member
``coordinates`` of ``anomvae`` gives the kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from heapq import nlargest
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..documents import MAX_BYTES, read_json
from ..errors import ConfigError, FileError
from ..files import PathText, as_path
from ..notebooks import short
from .explanations import ObjectExplanation

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

CUT = "it is cut short, or was written again by another program"
DEGREES = "longitude, latitude (WGS 84)"
END = "\n]}"
FEATURE = '{"type": "Feature", '
ID = '"id": '
PROPERTIES = '"properties": '
RANK = '"rank": 1, '
"""In the first feature of a file in order of rank."""
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
    top: int | None = None
    """Number of objects of the largest margin that are kept; None: all."""
    explained: int = 0
    """Number of objects, the first, that are explained; 0 in files of earlier versions."""
    bands: tuple[str, ...] = field(default=(), repr=False)
    """Names of the bands of their spectra."""
    wavelengths: tuple[float | None, ...] = field(default=(), repr=False)
    """Centres of these bands, nm; None where it is not known."""

    def to_json(self) -> str:
        """Write the file's first line, up to its features."""
        provenance = json.dumps(asdict(self))
        return f'{{"type": "FeatureCollection", "anomvae": {provenance}, "features": ['


@dataclass(frozen=True)
class AnomalyObject:
    """An anomaly: flagged pixels that touch each other, by a side or a corner."""

    id: int
    """Number in the file, from 1: the rank; in files of earlier versions in reading order."""
    rank: int | None
    """1 = largest margin, equal ones in reading order of their first pixels.  Rank, margin and p
    are None in files of earlier versions."""
    area_px: int
    area_m2: float | None
    """Area on the WGS 84 ellipsoid, m2; None where the scene is not on Earth."""
    score_mean: float
    """Mean score of its pixels."""
    score_max: float
    """Highest score of its pixels."""
    margin: float | None
    """Highest score minus the threshold, > 0; in the unit of the score."""
    p: float | None
    """P-value of the highest score; also None where the rule of the threshold has none."""
    peak: tuple[int, int]
    """Row and column of the first pixel with the highest score."""
    centroid: tuple[float, float] | None
    """Mean of its pixels, in the file's coordinates; None where the CRS is not defined."""
    box: tuple[float, float, float, float] | None
    """West, south, east, north, or left, top, right, bottom; None where the CRS is not defined."""
    polygons: tuple[Polygon, ...] = field(repr=False)
    """Its outline along the sides of its pixels: polygons that touch at most at corners, each an
    outline and its holes; empty where the CRS is not defined."""
    explanation: ObjectExplanation | None = None
    """Why it is unusual; None where it is not explained: by `rethreshold`, which has no model, by
    baselines, beyond the strongest of very many objects, and in files of earlier versions."""


@dataclass(frozen=True, repr=False)
class Objects:
    """The objects of a scene, and where they come from."""

    provenance: Provenance
    items: tuple[AnomalyObject, ...]
    """In order of their ids: the largest margin first."""

    def table(self, *, spectra: bool = False) -> DataFrame:
        """Return a table of pandas: a row for each object, by its id, and a column for each number.

        What is not known is missing; ``spectra`` adds the arrays of each object as tuples.
        """
        from .tables import table_of

        return table_of(self, spectra=spectra)

    def to_geopandas(self) -> GeoDataFrame:
        """Return a table of geopandas: `table`, the outlines, and each spectrum as text.

        The text is a profile of EnMAP-Box (`anomvae.objects.tables`), so a GeoPackage of the table
        (``to_file("objects.gpkg")``) is a spectral library.  The CRS is that of longitude and
        latitude (OGC:CRS84), or None, and coordinates are columns and rows of the scene, where it
        is not on Earth.

        Raises
        ------
        ConfigError
            If geopandas is missing, which the extra ``vector`` installs.
        """
        from .tables import geotable_of

        return geotable_of(self)

    def __repr__(self) -> str:
        """Return one line."""
        about = self.provenance
        threshold = "" if about.threshold is None else f", threshold {about.threshold:.4g}"
        rule = f" ({short(about.threshold_rule)})" if about.threshold_rule else ""
        return f"Objects({short(about.scene or 'a scene')}: {len(self.items)}{threshold}{rule})"

    def _repr_html_(self) -> str:
        """Return the strongest objects as a table, for notebooks."""
        from .tables import html_of

        return html_of(self)


def read_objects(path: PathText) -> Objects:
    """Read an objects file, ``<stem>.objects.geojson``.

    Raises
    ------
    FileError
        If it cannot be read, or is no objects file.
    """
    with _opened(path) as (provenance, features):
        return Objects(provenance, tuple(map(_item, features)))


def read_strongest_objects(path: PathText, count: int) -> Objects:
    """Read the objects of the highest scores, highest first; in memory are at most ``count``.

    They are the first of a file, unless an earlier version wrote it in reading order.

    Raises
    ------
    FileError
        If the file cannot be read, or is no objects file.
    """
    with _opened(path) as (provenance, features):
        first = next(features, None)
        everything = () if first is None else chain((first,), features)
        if first is not None and RANK in first:
            strongest = list(islice(everything, count))
        else:
            strongest = nlargest(count, everything, key=_score_max)
        return Objects(provenance, tuple(map(_item, strongest)))


def read_object(path: PathText, number: int) -> tuple[Provenance, AnomalyObject]:
    """Read the object of an id, and where it comes from.

    Raises
    ------
    FileError
        If the file cannot be read, or is no objects file.
    ConfigError
        If no object has the id.
    """
    with _opened(path) as (provenance, features):
        numbers = 0
        for text in features:
            # The id comes first; most features are read no further.
            if json.JSONDecoder().raw_decode(text, _id_at(text))[0] == number:
                return provenance, _item(text)
            numbers += 1
    raise ConfigError(
        f"{as_path(path)} has {numbers} objects, none with the id {number}. Give the id of one."
    )


@contextmanager
def _opened(path: PathText) -> Iterator[tuple[Provenance, Iterator[str]]]:
    """Open an objects file; yield its provenance, and an iterator over its features, as text."""
    path = as_path(path)
    if not Path(path).exists():
        raise FileError(f"{path} does not exist. Check the path.")
    try:
        with Path(path).open(encoding="utf-8") as file:
            _require_end(file)
            lines = iter(lambda: file.readline(MAX_BYTES), "")
            yield _provenance(next(lines, "")), _features(lines)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise FileError(
            f"{path} is no file of objects as anomvae writes it ({type(error).__name__}: {error}). "
            f"Give a <scene>.objects.geojson."
        ) from error


def _require_end(file: TextIO) -> None:
    """Require the last line of a whole file, which who reads the strongest alone does not reach."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - len(END) - len("\n")))
    if not file.read().rstrip("\n").endswith(END):
        raise ValueError(CUT)
    file.seek(0)


def _provenance(line: str) -> Provenance:
    fields = read_json(line.rstrip("]}\n") + "]}")["anomvae"]
    return Provenance(**{name: _as_tuples(value) for name, value in fields.items()})


def _features(lines: Iterator[str]) -> Iterator[str]:
    """Yield the features of the lines behind the first, which end in ``]}``."""
    for line in lines:
        if not line.startswith(FEATURE):
            if line.strip() == "]}":
                return
            break
        yield line.rstrip(",\n")
    raise ValueError(CUT)


def _id_at(feature: str) -> int:
    return feature.index(ID) + len(ID)


def _score_max(feature: str) -> float:
    # Most features are read no further than this.
    start = feature.index(PROPERTIES) + len(PROPERTIES)
    return float(json.JSONDecoder().raw_decode(feature, start)[0]["score_max"])


def objects_digest(path: PathText) -> str | None:
    """Read the digest in a file's first line; None where anomvae did not write it."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            return _provenance(file.readline(MAX_BYTES)).digest
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _item(text: str) -> AnomalyObject:
    feature = read_json(text)
    values, geometry = feature["properties"], feature["geometry"]
    located = geometry is not None
    return AnomalyObject(
        **{name: values[name] for name in ("id", "area_px", "area_m2", "score_mean", "score_max")},
        **{name: values.get(name) for name in ("rank", "margin", "p")},  # earlier files lack them
        peak=(values["peak_row"], values["peak_col"]),
        centroid=(values["centroid_x"], values["centroid_y"]) if located else None,
        box=tuple(feature["bbox"]) if located else None,
        polygons=_as_tuples(geometry["coordinates"]) if located else (),
        explanation=ObjectExplanation.of(values),
    )


def _as_tuples(value: Any) -> Any:  # noqa: ANN401 - JSON
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
