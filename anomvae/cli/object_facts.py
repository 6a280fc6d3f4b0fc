"""What ``anomvae info`` prints of an objects file: its origin, and the strongest objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..addresses import displayed
from ..names import one_line

if TYPE_CHECKING:
    from ..objects import AnomalyObject

LISTED = 20
"""Objects that the text lists; JSON has all."""
SUFFIX = ".objects.geojson"
LAYER = ".objects.gpkg"
"""Objects for a GIS."""
LEFT = "leading bands, by how many sigma of the noise"
"""The column that is aligned to the left."""


def object_facts(path: str) -> dict[str, Any]:
    """Return where objects come from, and each of them without outline and spectra."""
    from ..objects import read_objects

    objects = read_objects(path)
    about = objects.provenance
    return {
        "objects": displayed(path),
        "scene": about.scene,
        "threshold": about.threshold,
        "rule": about.threshold_rule,
        "listed": len(objects.items),
        "items": list(map(_item, objects.items)),
    }


def object_lines(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what is printed above the list."""
    names = ("objects", "scene", "threshold", "rule", "listed")
    return {name: facts[name] for name in names}


def object_list(facts: dict[str, Any]) -> list[str]:
    """Return the list as lines of text, the strongest object first."""
    rows = list(map(_cells, facts["items"][:LISTED]))
    if not rows:
        return []
    header = [name for name in rows[0] if any(row[name] for row in rows)]
    columns = [[name, *(row[name] for row in rows)] for name in header]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(
            cell.ljust(width) if column[0] == LEFT else cell.rjust(width)
            for cell, width, column in zip(cells, widths, columns, strict=True)
        ).rstrip()
        for cells in zip(*columns, strict=True)
    ]
    more = len(facts["items"]) - LISTED
    return ["", *lines, *([f"and {more} more"] if more > 0 else [])]


def _item(item: AnomalyObject) -> dict[str, Any]:
    why = item.explanation
    names = ("id", "area_px", "area_m2", "score_mean", "score_max", "margin", "p")
    return {
        **{name: getattr(item, name) for name in names},
        "peak": list(item.peak),
        "centroid": item.centroid and list(item.centroid),
        "leading": [] if why is None else [band._asdict() for band in why.leading],
    }


def _cells(item: dict[str, Any]) -> dict[str, str]:
    row, col = item["peak"]
    bands = (f"{one_line(one['band'])} {one['residual']:+.1f}" for one in item["leading"])
    return {
        "id": str(item["id"]),
        "pixels": str(item["area_px"]),
        "highest score": f"{item['score_max']:.4g}",
        "at row,col": f"{row},{col}",
        LEFT: ", ".join(bands),
    }
