"""Anomalies as objects: connected flagged pixels as features of a GeoJSON file.

`write_objects` (`geojson`) takes a scene as strips of rows (`strips`), finds the connected pixels
(`labelling`) and their outlines (`outlines`), computes longitude, latitude and area
(`georeferencing`), and writes features (`features`) in order of rank (`ranking`), on request also
into a GeoPackage (`geopackage`).  `read_objects`
(`items`) reads the file, and `pixels_of` (`membership`) finds the pixels of one object again.
"""

from .explanations import LeadingBand, ObjectExplanation, ObjectExplanations
from .footprint import Footprint, footprint
from .geojson import Explain, write_objects
from .geopackage import PackageFile, package_digest
from .georeferencing import mean_pixel_area
from .items import (
    AnomalyObject,
    Objects,
    Provenance,
    objects_digest,
    read_object,
    read_objects,
    read_strongest_objects,
)
from .membership import Membership, pixels_of, pixels_of_small
from .outlines import rings_of_mask
from .ranking import Listing
from .strips import ScoredTile

__all__ = [
    "AnomalyObject",
    "Explain",
    "Footprint",
    "LeadingBand",
    "Listing",
    "Membership",
    "ObjectExplanation",
    "ObjectExplanations",
    "Objects",
    "PackageFile",
    "Provenance",
    "ScoredTile",
    "footprint",
    "mean_pixel_area",
    "objects_digest",
    "package_digest",
    "pixels_of",
    "pixels_of_small",
    "read_object",
    "read_objects",
    "read_strongest_objects",
    "rings_of_mask",
    "write_objects",
]
