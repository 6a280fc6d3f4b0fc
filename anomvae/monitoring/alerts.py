"""Alerts as JSON, text and GeoJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..documents import DocumentError, read_json, to_json
from .records import Alert, Key
from .state import stamp

if TYPE_CHECKING:
    from ..mapping import MapResult
    from ..objects import AnomalyObject

MOST_OBJECTS = 20  # in an alert, the largest margin first
MOST_CORNERS = 200  # of an outline in an alert; a longer one is replaced by its box


def alert_of(key: Key, result: MapResult, now: datetime) -> Alert:
    """Make the alert of an anomalous scene; raises those of its objects file."""
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
        "in_domain": None if result.verdict is None else result.verdict.in_domain,
        "domain_reasons": [] if result.verdict is None else list(result.verdict.reasons),
        "objects": result.objects,
        "strongest_objects": _strongest(result),
        "map": str(result.path),
        "model": key.model,
        "settings": key.settings,
    }
    return Alert(key.digest, key.site, stamp(now), to_json(body))


def _strongest(result: MapResult) -> list[dict[str, Any]]:
    from ..objects import read_strongest_objects
    from ..objects.items import DEGREES

    objects = read_strongest_objects(result.files.objects, MOST_OBJECTS)
    located = objects.provenance.coordinates == DEGREES
    names = ("area_px", "area_m2", "score_max", "score_mean", "margin", "p")
    return [
        {name: getattr(item, name) for name in names}
        | {"geometry": _geometry(item) if located else None}
        for item in objects.items
    ]


def _geometry(item: AnomalyObject) -> dict[str, Any] | None:
    """Return an object's outline, or the box around a long one, WGS 84; None if it has none."""
    if item.box is None:
        return None
    if sum(len(ring) for polygon in item.polygons for ring in polygon) <= MOST_CORNERS:
        return {"type": "MultiPolygon", "coordinates": item.polygons}
    west, south, east, north = item.box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def body_of(alert: Alert) -> dict[str, Any]:
    """Read the body of an alert; raises `DocumentError` if that is not one object of JSON."""
    body = read_json(alert.body)
    if not isinstance(body, dict):
        raise DocumentError("the body of the alert is no object")
    return body


def title_of(alert: Alert) -> str:
    """Summarise an alert in one line, such as the subject of an e-mail."""
    body = body_of(alert)
    counts = f"{body['objects']} objects, {body['share']:.2%} flagged"
    return " ".join(f"{body['site']}: {counts} in {body['scene']}".split())


def plain_text(alert: Alert) -> str:
    """Write an alert as plain text."""
    body = body_of(alert)
    threshold = "unknown" if body["threshold"] is None else f"{body['threshold']:.4g}"
    lines = [
        f"{title_of(alert)}.",
        "",
        f"Scored at {body['scored']}; {body['flagged']} of {body['valid']} valid pixels lie above "
        f"{threshold}.",
        f"Map: {body['map']}",
        *_doubts(body),
        "",
    ]
    for item in body["strongest_objects"]:
        area = "" if item["area_m2"] is None else f" ({item['area_m2']:.0f} m2)"
        lines.append(f"- {item['area_px']} pixels{area}, score up to {item['score_max']:.4g}")
    return "\n".join([*lines, f"Key: {alert.key}", ""])


def _doubts(body: dict[str, Any]) -> Iterator[str]:
    if reasons := body.get("domain_reasons"):  # alerts of earlier versions have none
        yield f"In domain: {body['in_domain']}: {'; '.join(reasons)}."


def feature_collection(alerts: Sequence[Alert]) -> str:
    """Write alerts as GeoJSON: a feature for each object, or one without a geometry if none.

    An object across the 180th meridian is not cut: its longitudes continue beyond 180 or -180.
    """
    features = [feature for alert in alerts for feature in _features(body_of(alert))]
    return to_json({"type": "FeatureCollection", "features": features}) + "\n"


def _features(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    objects = body.pop("strongest_objects")
    for number, item in enumerate(objects or [{"geometry": None}], start=1):
        yield {
            "type": "Feature",
            "id": f"{body['key']}-{number}",
            "geometry": item.pop("geometry"),
            "properties": {**body, **item},
        }
