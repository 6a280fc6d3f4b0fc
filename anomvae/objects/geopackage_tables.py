"""The tables of a GeoPackage (OGC 12-128r18, version 1.3) that holds one layer of objects.

What programs demand: the tables of systems, contents and geometry columns; the R-tree of the layer
with its triggers; metadata; and ``layer_styles``, from which QGIS takes the style.
"""

from __future__ import annotations

LAYER, GEOMETRY = "objects", "geom"
"""Names of the layer, and of its column of geometries."""
APPLICATION_ID, VERSION = 0x47504B47, 10300  # "GPKG"
CHANGED = "1970-01-01T00:00:00.000Z"
"""The time of the last change, which the format demands: results have no times in them, so that a
run repeats to the bit."""
METADATA_URI = "https://github.com/anomvae/objects"
"""Marks the metadata that anomvae writes."""
UNDEFINED, GEOGRAPHIC = -1, 4326
"""Numbers of systems: Cartesian coordinates of an unknown system, and WGS 84."""
FIRST_OWN = 100_000
"""Number of a system without a code."""

WGS_84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]'
)
SYSTEMS = (
    ("Undefined Cartesian SRS", UNDEFINED, "NONE", UNDEFINED, "undefined", "Cartesian"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "geographic"),
    ("WGS 84", GEOGRAPHIC, "EPSG", GEOGRAPHIC, WGS_84, "longitude, latitude"),
)
"""The systems that every file has."""

SYSTEMS_TABLE = """
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL,
    definition TEXT NOT NULL,
    description TEXT{more}
)
"""
TABLES = """
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY,
    data_type TEXT NOT NULL,
    identifier TEXT UNIQUE,
    description TEXT DEFAULT '',
    last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    min_x DOUBLE,
    min_y DOUBLE,
    max_x DOUBLE,
    max_y DOUBLE,
    srs_id INTEGER,
    CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL,
    column_name TEXT NOT NULL,
    geometry_type_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL,
    z TINYINT NOT NULL,
    m TINYINT NOT NULL,
    CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
    CONSTRAINT uk_gc_table_name UNIQUE (table_name),
    CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
    CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
);
CREATE TABLE gpkg_extensions (
    table_name TEXT,
    column_name TEXT,
    extension_name TEXT NOT NULL,
    definition TEXT NOT NULL,
    scope TEXT NOT NULL,
    CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
);
CREATE TABLE gpkg_metadata (
    id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL,
    md_scope TEXT NOT NULL DEFAULT 'dataset',
    md_standard_uri TEXT NOT NULL,
    mime_type TEXT NOT NULL DEFAULT 'text/xml',
    metadata TEXT NOT NULL DEFAULT ''
);
CREATE TABLE gpkg_metadata_reference (
    reference_scope TEXT NOT NULL,
    table_name TEXT,
    column_name TEXT,
    row_id_value INTEGER,
    timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    md_file_id INTEGER NOT NULL,
    md_parent_id INTEGER,
    CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
    CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id)
);
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256),
    f_table_schema TEXT(256),
    f_table_name TEXT(256),
    f_geometry_column TEXT(256),
    styleName TEXT(30),
    styleQML TEXT,
    styleSLD TEXT,
    useAsDefault BOOLEAN,
    description TEXT,
    owner TEXT(30),
    ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
);
"""

SPEC = "http://www.geopackage.org/spec130/#extension_"
EXTENSIONS = (
    (LAYER, GEOMETRY, "gpkg_rtree_index", f"{SPEC}rtree", "write-only"),
    ("gpkg_metadata", None, "gpkg_metadata", f"{SPEC}metadata", "read-write"),
    ("gpkg_metadata_reference", None, "gpkg_metadata", f"{SPEC}metadata", "read-write"),
)
WKT_2_COLUMN = ",\n    definition_12_063 TEXT NOT NULL"
WKT_2 = (
    "gpkg_spatial_ref_sys",
    "definition_12_063",
    "gpkg_crs_wkt",
    f"{SPEC}crs_wkt",
    "read-write",
)
"""The extension for systems that WKT 1 cannot define, and its column."""

INDEX = f"rtree_{LAYER}_{GEOMETRY}"
BOX = ", ".join(f"ST_{side}(NEW.{GEOMETRY})" for side in ("MinX", "MaxX", "MinY", "MaxY"))
HAS, LACKS = (
    f"(NEW.{GEOMETRY} NOTNULL AND NOT ST_IsEmpty(NEW.{GEOMETRY}))",
    f"(NEW.{GEOMETRY} ISNULL OR ST_IsEmpty(NEW.{GEOMETRY}))",
)
PUT = f"INSERT OR REPLACE INTO {INDEX} VALUES (NEW.fid, {BOX});"
DROP = f"DELETE FROM {INDEX} WHERE id = OLD.fid;"
MOVED = f"AFTER UPDATE OF {GEOMETRY} ON {LAYER} WHEN OLD.fid = NEW.fid"
RENUMBERED = f"AFTER UPDATE ON {LAYER} WHEN OLD.fid != NEW.fid"
TRIGGERS = {
    "insert": f"AFTER INSERT ON {LAYER} WHEN {HAS} BEGIN {PUT} END",
    "update1": f"{MOVED} AND {HAS} BEGIN {PUT} END",
    "update2": f"{MOVED} AND {LACKS} BEGIN {DROP} END",
    "update3": f"{RENUMBERED} AND {HAS} BEGIN {DROP} {PUT} END",
    "update4": f"{RENUMBERED} AND {LACKS} "
    f"BEGIN DELETE FROM {INDEX} WHERE id IN (OLD.fid, NEW.fid); END",
    "delete": f"AFTER DELETE ON {LAYER} WHEN OLD.{GEOMETRY} NOT NULL BEGIN {DROP} END",
}
"""What keeps the index right while another program edits the layer; made once it is filled."""
