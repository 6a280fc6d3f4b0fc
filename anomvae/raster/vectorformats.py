"""Formats of vector files that pyogrio opens: GDAL goes by the content of a file, not by its name.

Some of its drivers, for files of a few lines of text, fetch addresses and read other files, and
pyogrio takes no list of drivers.  So a file must begin as the format of its suffix does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import RasterError

HEAD = 8192
"""Bytes that decide the format; GDAL looks at the first 1024."""
MISLEADING = re.compile(rb"<(OGR|GDAL)")
"""Roots of documents that name their data elsewhere; GDAL finds them anywhere in the head."""
PROLOGUE = rb"(?:\xef\xbb\xbf)?\s*+(?:(?><\?.*?\?>)\s*+|(?><!--.*?-->)\s*+)*+"


@dataclass(frozen=True)
class Format:
    """A format of vector files."""

    name: str
    start: re.Pattern[bytes]
    """How its files begin."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of GDAL that keep it from fetching anything."""


FORMATS = {
    ".gpkg": Format("GeoPackage", re.compile(rb"SQLite format 3\x00")),
    ".shp": Format("Shapefile", re.compile(rb"\x00\x00\x27\x0a")),
    ".fgb": Format("FlatGeobuf", re.compile(rb"fgb")),
    ".parquet": Format("GeoParquet", re.compile(rb"PAR1")),
    ".geojsonl": Format("GeoJSON in lines", re.compile(rb"\s*\x1e?\s*\{")),
    ".kml": Format("KML", re.compile(PROLOGUE + rb"<(?:\w+:)?kml[\s>]", re.DOTALL)),
    ".gml": Format(
        "GML",
        re.compile(PROLOGUE + rb"<(?:[\w-]+:)?\w*Collection[\s>]", re.DOTALL),
        {"DOWNLOAD_SCHEMA": "NO"},
    ),
}
"""Formats by suffix, in lower case."""


def format_of(path: str | Path) -> Format:
    """Return the format of a file, which begins as its suffix promises.

    Raises
    ------
    RasterError
        When it does not, or the suffix is unknown.
    OSError
        When the file cannot be read.
    """
    known = FORMATS.get(Path(path).suffix.lower())
    if known is None:
        raise RasterError(
            f"{path} is no vector file by its suffix. Known: {', '.join(FORMATS)}, .geojson."
        )
    with Path(path).open("rb") as file:
        head = file.read(HEAD)
    if not known.start.match(head) or MISLEADING.search(head):
        raise RasterError(
            f"{path} cannot be read as {known.name}, which its suffix means: its content is of "
            f"another format, which may name other files. Convert it first (ogr2ogr)."
        )
    return known
