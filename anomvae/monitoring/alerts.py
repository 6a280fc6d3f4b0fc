"""What is worth telling of a scene, and how it is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import AlertRule
from .state import Alert, Key, stamp

if TYPE_CHECKING:
    from ..outputs import MapResult

log = logging.getLogger(__name__)

MOST_OBJECTS = 20  # that an alert lists, the highest scores first
MOST_CORNERS = 200  # of an outline in an alert; a longer one is told by its box


@dataclass(frozen=True)
class ObjectTold:
    """A connected anomaly, as an alert tells of it."""

    area_px: int
    """Pixels."""
    area_m2: float | None
    """Square metres, where the grid is located."""
    score_max: float
    """Highest score, nats."""
    score_mean: float
    """Mean score, nats."""
    geometry: Mapping[str, Any] | None
    """GeoJSON in WGS 84: its outline, or the box around a long one; None if nowhere on Earth."""


def objects_path(result: MapResult) -> Path:
    """Say where a scene's objects lie, if they were looked for: beside its map."""
    return result.outputs.folder / f"{result.outputs.stem}.objects.geojson"


def read_objects(path: Path) -> list[ObjectTold] | None:
    """Read the objects of a scene, highest score first; None where there is no file of them."""
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        # Where a scene does not say where it lies the file has "crs": null, and pixel coordinates.
        found = [_object(feature, "crs" not in document) for feature in document["features"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("objects not read", extra={"facts": {"file": path, "error": repr(error)}})
        return None
    return sorted(found, key=lambda known: -known.score_max)


def _object(feature: Mapping[str, Any], located: bool) -> ObjectTold:
    properties = feature["properties"]
    return ObjectTold(
        area_px=properties["area_px"],
        area_m2=properties.get("area_m2"),
        score_max=properties["score_max"],
        score_mean=properties["score_mean"],
        geometry=_short(feature["geometry"]) if located and feature["geometry"] else None,
    )


def is_unusual(rule: AlertRule, result: MapResult, objects: Sequence[ObjectTold] | None) -> bool:
    """Decide whether someone is told of a scene.

    Where objects were not looked for, as many flagged pixels as the smallest ones have count.
    """
    share = result.flagged / max(result.valid, 1)
    if rule.min_share is not None and share >= rule.min_share:
        return True
    if objects is None:
        return result.flagged >= rule.min_objects * rule.min_area_px
    return sum(each.area_px >= rule.min_area_px for each in objects) >= rule.min_objects


def alert_of(
    key: Key,
    result: MapResult,
    objects: Sequence[ObjectTold] | None,
    rule: AlertRule,
    now: datetime,
) -> Alert | None:
    """Write the alert of a scene; none where it is not unusual."""
    if not is_unusual(rule, result, objects):
        return None
    large = [each for each in objects or () if each.area_px >= rule.min_area_px]
    body = {
        "key": key.digest,
        "place": key.place,
        "scene": key.scene,
        "scored": stamp(now),
        "valid": result.valid,
        "flagged": result.flagged,
        "share": round(result.flagged / max(result.valid, 1), 6),
        "threshold": result.threshold.value,
        "highest": result.quantiles.get("1"),
        "objects": None if objects is None else len(large),
        "largest_objects": [asdict(each) for each in large[:MOST_OBJECTS]],
        "map": str(result.path),
        "model": key.model,
        "settings": key.settings,
    }
    return Alert(key.digest, key.place, stamp(now), json.dumps(body))


def headline(alert: Alert) -> str:
    """Tell an alert in a few words."""
    body = json.loads(alert.body)
    count = body["objects"]
    what = f"{body['flagged']} pixels" if count is None else f"{count} objects"
    text = f"{body['place']}: {what}, {body['share']:.2%} flagged in {body['scene']}"
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
    return "\n".join([*lines, *_object_lines(body["largest_objects"]), f"Key: {alert.key}", ""])


def feature_collection(alerts: Sequence[Alert]) -> str:
    """Write alerts as GeoJSON: a feature for each object, or one without a place on Earth."""
    features = [feature for alert in alerts for feature in _features(json.loads(alert.body))]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def _features(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    objects = body.pop("largest_objects")
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


def _short(geometry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace a long outline by the box around it."""
    corners = list(_corners(geometry["coordinates"]))
    if len(corners) <= MOST_CORNERS:
        return geometry
    (west, east), (south, north) = ((min(axis), max(axis)) for axis in zip(*corners, strict=True))
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _corners(part: Sequence[Any]) -> Iterator[tuple[float, float]]:
    if part and isinstance(part[0], int | float):
        yield part[0], part[1]
        return
    for inner in part:
        yield from _corners(inner)
