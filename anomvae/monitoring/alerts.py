"""What is worth telling of a scene, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .config import AlertRule
from .state import Alert, Key, stamp

if TYPE_CHECKING:
    from ..mapping import MapResult
    from ..objects import AnomalyObject

MOST_OBJECTS = 20  # that an alert lists, the highest scores first
MOST_CORNERS = 200  # of an outline in an alert; a longer one is told by its box


def is_unusual(rule: AlertRule, result: MapResult) -> bool:
    """Decide whether someone is told of a scene, of which only large enough objects were kept."""
    share = result.flagged / max(result.valid, 1)
    if rule.min_share is not None and share >= rule.min_share:
        return True
    return result.objects >= rule.min_objects


def alert_of(key: Key, result: MapResult, rule: AlertRule, now: datetime) -> Alert | None:
    """Write the alert of a scene; none where it is not unusual.

    Raises
    ------
    FileError
        If the scene's objects cannot be read.
    """
    if not is_unusual(rule, result):
        return None
    body = {
        "key": key.digest,
        "site": key.site,
        "scene": key.scene,
        "scored": stamp(now),
        "valid": result.valid,
        "flagged": result.flagged,
        "share": round(result.flagged / max(result.valid, 1), 6),
        "threshold": result.threshold.value,
        "highest": result.quantiles.get("1"),
        "objects": result.objects,
        "strongest_objects": _strongest(result),
        "map": str(result.path),
        "model": key.model,
        "settings": key.settings,
    }
    return Alert(key.digest, key.site, stamp(now), json.dumps(body))


def _strongest(result: MapResult) -> list[dict[str, Any]]:
    """Tell the objects of a scene that have the highest scores."""
    from ..objects import read_objects
    from ..objects.items import DEGREES

    objects = read_objects(result.files.objects)
    located = objects.provenance.coordinates == DEGREES
    ordered = sorted(objects.items, key=lambda each: -each.score_max)
    return [
        {
            "area_px": each.area_px,
            "area_m2": each.area_m2,
            "score_max": each.score_max,
            "score_mean": each.score_mean,
            "geometry": _geometry(each) if located else None,
        }
        for each in ordered[:MOST_OBJECTS]
    ]


def _geometry(each: AnomalyObject) -> dict[str, Any] | None:
    """Draw an object in WGS 84: its outline, or the box around a long one; None if nowhere."""
    if each.box is None:
        return None
    if sum(len(ring) for polygon in each.polygons for ring in polygon) <= MOST_CORNERS:
        return {"type": "MultiPolygon", "coordinates": each.polygons}
    west, south, east, north = each.box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def headline(alert: Alert) -> str:
    """Tell an alert in a few words."""
    body = json.loads(alert.body)
    what = f"{body['objects']} objects, {body['share']:.2%} flagged"
    text = f"{body['site']}: {what} in {body['scene']}"
    return " ".join(text.split())  # a mail's subject is one line


def told(alert: Alert) -> str:
    """Tell an alert in plain text."""
    body = json.loads(alert.body)
    lines = [
        f"{headline(alert)}.",
        "",
        f"Scored at {body['scored']}; {body['flagged']} of {body['valid']} valid pixels lie above "
        f"{body['threshold']:.4g}.",
        f"Map: {body['map']}",
        "",
    ]
    return "\n".join([*lines, *_object_lines(body["strongest_objects"]), f"Key: {alert.key}", ""])


def feature_collection(alerts: Sequence[Alert]) -> str:
    """Write alerts as GeoJSON: a feature for each object, or one without a place on Earth.

    An object across the 180th meridian is not cut: its longitudes run on beyond 180 or -180.
    """
    features = [feature for alert in alerts for feature in _features(json.loads(alert.body))]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def _features(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    objects = body.pop("strongest_objects")
    for number, each in enumerate(objects or [{"geometry": None}], start=1):
        yield {
            "type": "Feature",
            "id": f"{body['key']}-{number}",
            "geometry": each.pop("geometry"),
            "properties": {**body, **each},
        }


def _object_lines(objects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in objects:
        area = "" if each["area_m2"] is None else f" ({each['area_m2']:.0f} m2)"
        yield f"- {each['area_px']} pixels{area}, score up to {each['score_max']:.4g}"
