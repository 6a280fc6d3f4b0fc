"""The STAC item of a scored scene: where and when it is, its deliverables, what it is derived from.

Extensions: proj, raster, classification, processing and file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from .. import __version__
from ..documents import to_json
from ..objects import footprint, mean_pixel_area
from ..pixels.flag_classes import NO_DATA, hex_of
from ..raster import UNLIMITED, Georeference, OpenScene, open_raster
from ..raster.crs import crs_of
from ..raster.gdal import session
from ..raster.products.stac_item import OWN as MADE_BY
from .deliverables import ITEM_KEY, STYLE_END, TITLES, Deliverables, item_of
from .flagging import FLAGS
from .layer_styles import unit_of
from .result import MapResult
from .stac import (
    CLASSIFICATION,
    FILE,
    GEOJSON,
    JSON,
    PROCESSING,
    PROJECTION,
    RASTER,
    VERSION,
    file_facts,
    href_of,
    quoted,
    times_of,
)

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
MEDIA = {
    ".tif": COG,
    ".geojson": GEOJSON,
    ".gpkg": "application/geopackage+sqlite3",
    ".qml": "text/xml",
    ".png": "image/png",
    ".json": JSON,
}
"""Media types by the ends of names."""
ASSETS = {
    "anomaly.tif": ("score", "data"),
    "explanation.tif": ("explanation", "data"),
    "flags.tif": ("flags", "data"),
    "pvalues.tif": ("p_values", "data"),
    "objects.geojson": ("objects", "data"),
    "objects.gpkg": ("objects_gpkg", "data"),
    "png": ("quicklook", "overview"),
    "json": ("summary", "metadata"),
}
"""Key and role of each asset, by the ends of names."""
SAMPLING = {"Area": "area", "Point": "point"}


@dataclass(frozen=True)
class SceneFacts:
    """What an item states about a scene beside its results."""

    where: Georeference
    """Shape and location."""
    day: date | None = None
    """Day of its acquisition; None: not known."""
    sources: tuple[str, ...] = ()
    """Names of the rasters that it is derived from."""
    model: str | None = None
    """The file of the model; None: not known."""

    @classmethod
    def of(cls, opened: OpenScene) -> SceneFacts:
        """Return the facts of an open scene: of its newest date."""
        return cls(opened.georeference, opened.scene.dates[-1].date, opened.names)


def item_text(
    result: MapResult, facts: SceneFacts, made: Callable[[Path], Path], before: Path | None = None
) -> str:
    """Return the item of a result as JSON.

    Parameters
    ----------
    result : MapResult
        The result; its summary is not yet written.
    facts : SceneFacts
        About its scene.
    made : callable
        Returns where a deliverable lies while it is made.
    before : path, optional
        An item of the same map, whose date and sources hold where the facts have none.
    """
    earlier = {} if before is None else item_of(before)
    outline = footprint(facts.where)
    links = _links(result, facts, earlier.get("links", []))
    times = times_of(facts.day)
    if facts.day is None and earlier:
        times = {name: earlier["properties"].get(name) for name in times}
    item = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [PROJECTION, RASTER, CLASSIFICATION, PROCESSING, FILE],
        "id": result.files.stem,
        "geometry": None if outline is None else outline.geometry,
        **({} if outline is None else {"bbox": list(outline.box)}),
        "properties": {**times, **_properties(result, facts.where)},
        "links": links,
        "assets": _assets(result, facts.where, made),
    }
    return to_json(item, indent=2) + "\n"


def _links(
    result: MapResult, facts: SceneFacts, earlier: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the links to sources and to the model; those of an earlier item where it has more."""
    named = [("derived_from", name, "scored scene") for name in facts.sources]
    if facts.model is not None:
        named.append(("model", facts.model, f"detector {result.detector}"))
    links = []
    for relation, name, title in named:
        # A detector is saved once its scene is scored.
        href = href_of(name, result.files.folder, existing=relation != "model")
        if href is not None:
            kind = {"type": GEOJSON} if href.endswith(".json") else {}
            links.append({"rel": relation, "href": href, **kind, "title": title})
    known = {link["rel"] for link in links}
    return links + [link for link in earlier if link["rel"] not in known]


def _properties(result: MapResult, where: Georeference) -> dict[str, Any]:
    threshold = result.threshold
    return {
        "description": f"Anomalies of {result.files.stem}, found by anomvae",
        "processing:software": {"anomvae": __version__},
        "processing:lineage": (
            f"Detector {result.detector or 'fitted to the scene'}; {result.meaning or 'score'}; "
            f"threshold {threshold.value:.6g} ({threshold.rule})"
        ),
        ITEM_KEY: result.digest,
        MADE_BY: result.detector,
        "anomvae:threshold": threshold.value,
        "anomvae:threshold_rule": threshold.rule,
        "anomvae:pixels": {
            "valid": result.valid,
            "flagged": result.flagged,
            "masked": result.masked,
            "missing": result.missing,
        },
        "anomvae:objects": result.objects,
        **_projection(where),
    }


def _projection(where: Georeference) -> dict[str, Any]:
    grid = where.grid
    fields: dict[str, Any] = {"proj:shape": list(grid.shape)}
    if grid.located:
        fields["proj:transform"] = list(grid.transform)
        corners = [(row, col) for row in (0, grid.shape[0]) for col in (0, grid.shape[1])]
        xs, ys = zip(*(grid.at(*corner) for corner in corners), strict=True)
        fields["proj:bbox"] = [min(xs), min(ys), max(xs), max(ys)]
    fields["proj:code"] = f"EPSG:{grid.epsg}" if grid.epsg else None
    if grid.crs and not grid.epsg:
        with session():
            fields["proj:wkt2"] = str(crs_of(grid.crs).to_wkt(version="WKT2_2019"))
    return fields


def _assets(
    result: MapResult, where: Georeference, made: Callable[[Path], Path]
) -> dict[str, dict[str, Any]]:
    files = result.files
    shared = {"raster:sampling": SAMPLING.get(where.area_or_point, "area")}
    area = mean_pixel_area(where)
    if area is not None:
        shared["raster:spatial_resolution"] = round(area**0.5, 6)
    assets: dict[str, dict[str, Any]] = {}
    for path in result.written:
        if path == files.item:
            continue
        key, title, role = _named(path, files)
        asset: dict[str, Any] = {
            "href": f"./{quoted(path.name)}",
            "type": MEDIA[path.suffix],
            "title": title,
        }
        asset["roles"] = [role]
        if path != files.summary:  # which holds how long the run took
            asset |= file_facts(made(path))
        if path.suffix == ".tif":
            asset |= shared | {"bands": _bands(path, result, made(path))}
        assets[key] = asset
    return assets


def _named(path: Path, files: Deliverables) -> tuple[str, str, str]:
    """Return key, title and role of the asset of a deliverable."""
    end = path.name.removeprefix(f"{files.stem}.")
    if end.endswith(STYLE_END):
        layer = end.removesuffix(STYLE_END)
        return f"style_{layer}", f"Style of QGIS of {layer}", "style"
    key, role = ASSETS[end]
    return key, TITLES[end], role


def _bands(path: Path, result: MapResult, made: Path) -> list[dict[str, Any]]:
    if path == result.files.flags:
        classes = [
            {
                "value": one.value,
                "name": one.name.replace(" ", "_"),
                "description": one.name,
                "color_hint": hex_of(one.colour)[1:].upper(),
                **({"nodata": True} if one.value == NO_DATA else {}),
            }
            for one in FLAGS
        ]
        named = {"name": "flags", "data_type": "uint8", "nodata": NO_DATA}
        return [named | {"classification:classes": classes}]
    with open_raster(made, access=UNLIMITED) as dataset:
        names = dataset.bands.names
    unit = unit_of(result.meaning) if path == result.files.scores else ""
    bands: list[dict[str, Any]] = [
        {"name": name, "data_type": "float32", "nodata": "nan", **({"unit": unit} if unit else {})}
        for name in names
    ]
    if path == result.files.scores and result.quantiles:
        bands[0]["statistics"] = {
            "minimum": result.quantiles["0"],
            "maximum": result.quantiles["1"],
            "valid_percent": round(100 * result.valid / result.pixels, 6),
        }
    return bands
