"""Anomalies as objects: flagged pixels that touch, as features of a GeoJSON file.

`write_objects` (`geojson`) looks at a scene strip by strip (`strips`): which pixels are connected
(`labelling`), along which lines they end (`outlines`), where that is on Earth and how much of it
(`places`), in which words (`features`).  `read_objects` (`items`) reads the file again.
"""

from .geojson import require_min_area, write_objects
from .items import AnomalyObject, Objects, Provenance, objects_digest, read_objects
from .strips import ScoredTile

__all__ = [
    "AnomalyObject",
    "Objects",
    "Provenance",
    "ScoredTile",
    "objects_digest",
    "read_objects",
    "require_min_area",
    "write_objects",
]
