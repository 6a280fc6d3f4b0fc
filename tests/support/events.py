"""Events made by hand."""

from datetime import date
from pathlib import Path

from anomvae.monitoring.decisions.event import Band, Cluster, Event, EventStatus, Evidence
from anomvae.monitoring.decisions.passes import ScenePass
from anomvae.monitoring.records import Key

OUTLINE = {
    "type": "Polygon",
    "coordinates": [[[14, 50], [14.1, 50], [14.1, 50.1], [14, 50.1], [14, 50]]],
}


def cluster(number=1, **fields):
    """Make a cluster of 3 x 4 pixels that two of three passes show."""
    usual = {"first": date(2025, 6, 1), "last": date(2025, 6, 9), "agreed": 2, "passes": 3}
    usual |= {
        "area_px": 12,
        "confirmed_px": 12,
        "tested_px": 12,
        "area_m2": 1200.0,
        "geometry": OUTLINE,
    }
    return Cluster(**{"number": number, "box": (4, 6, 10, 13)} | usual | fields)


def evidence(**fields):
    """Make the evidence of a scene that shows an event."""
    usual = {"scene": "site_2025-06-09.tif", "day": "2025-06-09", "map": "maps/a.anomaly.tif"}
    usual |= {"quicklook": "maps/a.png", "valid": 90, "flagged": 27, "threshold": 4.0}
    usual |= {"objects": 3, "reasons": ("3 objects of 9 pixels or more",), "in_domain": "yes"}
    usual |= {"doubts": (), "score_max": 9.5, "margin": 5.5, "p": 1e-4}
    return Evidence(**usual | {"bands": (Band("nir", 842.0, 12.0, 0.7),)} | fields)


def event(number=1, status="confirmed", site="harbour", **fields):
    """Make an event."""
    usual = {"cluster": cluster(number), "origin": "a.tif@1", "evidence": evidence()}
    return Event(**{"site": site, "status": EventStatus(status)} | usual | fields)


def scene_pass(day, source=None, model="m"):
    """Make a pass of a day of June 2025."""
    source = source or f"site_2025-06-{day:02}.tif"
    key = Key("harbour", f"{source}@1", model, "s")
    return ScenePass(key, source, date(2025, 6, day), "2025-06-30T00:00", Path(source))
