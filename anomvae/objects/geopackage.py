"""Write the objects of a scene as a GeoPackage, in the coordinates of the scene.

The file is written row by row in one transaction of SQLite: memory does not grow with the objects.
Fields are the properties of the objects file; spectra are profiles as text (`tables`).  Without a
coordinate reference system coordinates are those that the transform gives; without a transform
(col, -row), (0, 0) being the top left corner of the scene: as QGIS shows such a raster.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..documents import read_json
from ..errors import NotWritten
from ..files import writing
from ..names import printable
from ..parallel import Progress, quiet
from ..pixels.grid import IDENTITY, Grid
from ..raster import Georeference
from ..raster.crs import named_crs
from . import geopackage_tables as tables
from .explanations import SPECTRA
from .geopackage_geometry import Points, Polygons, geometries_of, system_of
from .items import Provenance
from .tables import COUNTS, columns, profile

AT_ONCE = 1024
"""Rows that are written at a time."""
WKT_1 = ("PROJCS", "GEOGCS", "GEOCCS", "COMPD_CS", "LOCAL_CS", "VERT_CS")
"""Starts of definitions that the core of the format takes; others are WKT 2."""
PIXELS = "column, minus row of the scene: it has no location"
OWN = "coordinates of the scene, whose coordinate reference system is not known"


@dataclass(frozen=True)
class PackageFile:
    """A GeoPackage that is to be written."""

    path: Path
    """The file, in a staging folder."""
    title: str
    """What the objects are of, for people."""
    style: str
    """The style of the layer, QML."""
    progress: Progress = quiet
    """Called as objects are written."""


class PackageWriter:
    """The rows of a GeoPackage while they are written."""

    def __init__(
        self,
        database: sqlite3.Connection,
        grid: Grid,
        wavelengths: tuple[float | None, ...],
        report: Callable[[int], None],
    ) -> None:
        """Write rows into an open database, and report how many there are.

        ``wavelengths`` are those of the spectra; empty: there are none.
        """
        self._database, self._grid, self._wavelengths = database, grid, wavelengths
        self._report = report
        self._columns = column_types(explained=bool(wavelengths))
        self._rows: list[tuple[Any, ...]] = []
        self._outlines: list[Polygons] = []
        self.box = np.array([np.inf, np.inf, -np.inf, -np.inf])
        """Box of all objects: xmin, ymin, xmax, ymax."""
        fields = "".join(f", {name} {kind}" for name, kind in self._columns.items())
        database.execute(
            f"CREATE TABLE {tables.LAYER} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "
            f"{tables.GEOMETRY} MULTIPOLYGON{fields})"
        )
        database.execute(
            f"CREATE VIRTUAL TABLE {tables.INDEX} USING rtree(id, minx, maxx, miny, maxy)"
        )

    def add(self, properties: dict[str, Any], outline: Polygons) -> None:
        """Add an object: its properties as the objects file has them, and its outline."""
        for name in SPECTRA:
            if name in properties:
                properties[name] = profile(properties[name], self._wavelengths)
        row = map(properties.get, self._columns)
        # SQLite takes UTF-8 alone, and a name may be anything.
        texts = [printable(value) if isinstance(value, str) else value for value in row]
        self._rows.append((properties["id"], *texts))
        self._outlines.append(outline)
        if len(self._rows) == AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if not self._rows:
            return
        boxes, geometries = geometries_of(self._grid, self._outlines)
        self.box[:2] = np.minimum(self.box[:2], boxes[:, :2].min(axis=0))
        self.box[2:] = np.maximum(self.box[2:], boxes[:, 2:].max(axis=0))
        rows = [
            (number, geometry, *rest)
            for (number, *rest), geometry in zip(self._rows, geometries, strict=True)
        ]
        names = ", ".join(["fid", tables.GEOMETRY, *self._columns])
        _insert(self._database, f"{tables.LAYER} ({names})", rows)
        numbers = [row[0] for row in rows]
        places = zip(numbers, *boxes[:, [0, 2, 1, 3]].T.tolist(), strict=True)
        _insert(self._database, tables.INDEX, list(places))
        self._report(numbers[-1])
        self._rows, self._outlines = [], []


@contextmanager
def package(
    file: PackageFile, where: Georeference, provenance: Provenance, count: int
) -> Iterator[PackageWriter]:
    """Yield what writes so many objects of a scene, in order of rank, into a new GeoPackage.

    Raises
    ------
    NotWritten
        If the file cannot be written.
    """
    with _writing(file.path), closing(sqlite3.connect(file.path, isolation_level=None)) as database:
        for setting in ("journal_mode = OFF", "synchronous = OFF"):  # it is new, and synced whole
            database.execute(f"PRAGMA {setting}").close()
        database.execute("BEGIN")
        for statement in tables.TABLES.split(";"):
            database.execute(statement)

        def report(done: int) -> None:
            file.progress("objects", done, count)

        writer = PackageWriter(database, where.grid, provenance.wavelengths, report)
        yield writer
        writer.flush()
        _describe_systems(database, where.grid)
        _describe(database, file, writer.box, where.grid, provenance)
        database.execute("COMMIT")


def package_digest(path: Path) -> str | None:
    """Read the digest of a GeoPackage; None where anomvae did not write it."""
    query = "SELECT metadata FROM gpkg_metadata WHERE md_standard_uri = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute(query, (tables.METADATA_URI,)).fetchone()
            digest = read_json(found[0])["digest"] if found else None
            return digest if isinstance(digest, str) else None
    except (sqlite3.Error, ValueError, KeyError, TypeError):
        return None


def column_types(*, explained: bool) -> dict[str, str]:
    """Return the fields and their types; those of explanations only where objects have some."""
    names = [*columns(), *SPECTRA]
    if not explained:
        names = names[: names.index("centroid_y") + 1]
    return {name: _type_of(name) for name in names}


def _type_of(name: str) -> str:
    if name in COUNTS:
        return "INTEGER"
    return "TEXT" if name in SPECTRA or name.startswith("band_") else "REAL"


def _describe(
    database: sqlite3.Connection,
    file: PackageFile,
    box: Points,
    grid: Grid,
    provenance: Provenance,
) -> None:
    """Fill the tables about the layer, once all its rows are there."""
    layer, geometry, changed, system = (
        *(tables.LAYER, tables.GEOMETRY, tables.CHANGED),
        system_of(grid),
    )
    about = f"{printable(file.title)}; {_coordinates(grid)}"
    sides = box.tolist() if np.isfinite(box).all() else [None] * 4
    style = ("", "", layer, geometry, "anomvae", file.style, "", 1, "", "", None)
    rows: dict[str, list[tuple[Any, ...]]] = {
        "gpkg_contents": [
            (layer, "features", layer, about, changed, *sides, system),
            ("layer_styles", "attributes", "layer_styles", "", changed, *[None] * 5),
        ],
        "gpkg_geometry_columns": [(layer, geometry, "MULTIPOLYGON", system, 0, 0)],
        "gpkg_extensions": [*tables.EXTENSIONS],
        "gpkg_metadata": [
            (1, "dataset", tables.METADATA_URI, "application/json", json.dumps(asdict(provenance)))
        ],
        "gpkg_metadata_reference": [("table", layer, None, None, changed, 1, None)],
        "layer_styles": [(1, *style, changed)],
    }
    for table, values in rows.items():
        _insert(database, table, values)
    for name, text in tables.TRIGGERS.items():
        database.execute(f"CREATE TRIGGER {tables.INDEX}_{name} {text}")
    for name, value in (
        ("application_id", tables.APPLICATION_ID),
        ("user_version", tables.VERSION),
    ):
        database.execute(f"PRAGMA {name} = {value}")


def _describe_systems(database: sqlite3.Connection, grid: Grid) -> None:
    """Fill the table of systems: those that every file has, and that of the scene."""
    number = system_of(grid)
    rows: list[tuple[Any, ...]] = [*tables.SYSTEMS]
    own = number not in {row[1] for row in rows}
    first = not own or grid.crs.startswith(WKT_1)
    if own:
        name = grid.crs.split('"')[1] if '"' in grid.crs else "of the scene"
        definition = grid.crs if first else "undefined"
        owner = "EPSG" if grid.epsg else "NONE"
        rows.append((name, number, owner, number, definition, "of the scene"))
    more = "" if first else tables.WKT_2_COLUMN
    database.execute(tables.SYSTEMS_TABLE.format(more=more))
    if not first:
        texts = {tables.GEOGRAPHIC: _wgs_84(), number: grid.crs}
        rows = [(*row, texts.get(row[1], "undefined")) for row in rows]
        _insert(database, "gpkg_extensions", [tables.WKT_2])
    _insert(database, "gpkg_spatial_ref_sys", rows)


def _insert(database: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * len(rows[0]))
    database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _wgs_84() -> str:
    """Return WGS 84 as WKT 2."""
    return str(named_crs("EPSG:4326").to_wkt(version="WKT2_2019"))


def _coordinates(grid: Grid) -> str:
    if grid.crs:
        return "coordinates of the scene"
    return OWN if grid.transform != IDENTITY else PIXELS


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the operating system into a `NotWritten`."""
    try:
        with writing(path):
            yield
    except sqlite3.Error as error:
        raise NotWritten(
            f"{path} cannot be written: {error}. Choose a place that is writable and has free "
            f"space."
        ) from error
