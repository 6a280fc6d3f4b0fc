"""Alerts as JSON, text and GeoJSON: each is about one change of one event."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..documents import DocumentError, read_json, to_json
from .decisions.event import Event, EventChange
from .records import Alert
from .state import stamp

LARGEST_PICTURE = 4_000_000
"""Bytes of a picture that a message carries."""
VERSION = 2
"""Of the body: version 1 was about a scene, and had no ``version``."""


def alert_of(event: Event, change: EventChange, now: datetime) -> Alert:
    """Make the alert of a change of an event."""
    key, made = key_of(event, change), stamp(now)
    about = {"version": VERSION, "key": key, "change": change, "made": made}
    return Alert(key, event.site, made, to_json(about | facts_of(event)))


def key_of(event: Event, change: EventChange) -> str:
    """Return what identifies an alert: 16 hexadecimal digits of site, event and change.

    It is the same with any model and settings.  The scene that opened the event separates it from
    those of a state that was begun anew; each day on which an event continues is a change.
    """
    parts = [event.site, event.number, event.origin, change]
    if change is EventChange.CONTINUED:
        parts.append(event.cluster.last.isoformat())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def facts_of(event: Event) -> dict[str, Any]:
    """Return what is known of an event, as JSON describes it."""
    cluster, evidence = event.cluster, event.evidence
    return {
        "site": event.site,
        "event": event.name,
        "status": event.status,
        "first": cluster.first.isoformat(),
        "last": cluster.last.isoformat(),
        "confirmed": event.confirmed and event.confirmed.isoformat(),
        "closed": event.closed and event.closed.isoformat(),
        "reason": event.reason,
        "agreed": cluster.agreed,
        "passes": cluster.passes,
        "area_px": cluster.area_px,
        "area_m2": cluster.area_m2,
        "score_max": evidence.score_max,
        "margin": evidence.margin,
        "p": evidence.p,
        "bands": evidence.to_dict()["bands"],
        "answer": event.answer,
        "scene": evidence.scene,
        "day": evidence.day,
        "valid": evidence.valid,
        "flagged": evidence.flagged,
        "share": round(evidence.flagged / max(evidence.valid, 1), 6),
        "threshold": evidence.threshold,
        "objects": evidence.objects,
        "reasons": evidence.reasons,
        "in_domain": evidence.in_domain,
        "domain_reasons": evidence.doubts,
        "map": evidence.map,
        "quicklook": evidence.quicklook,
        "geometry": cluster.geometry,
    }


def body_of(alert: Alert) -> dict[str, Any]:
    """Read the body of an alert; raises `DocumentError` if that is not one object of JSON."""
    body = read_json(alert.body)
    if not isinstance(body, dict):
        raise DocumentError("the body of the alert is no object")
    return body


def title_of(alert: Alert) -> str:
    """Summarise an alert in one line, such as the subject of an e-mail."""
    body = body_of(alert)
    if "event" not in body:  # it waits since an earlier version
        return " ".join(f"{body['site']}: {body['share']:.2%} flagged in {body['scene']}".split())
    return " ".join(f"{body['event']} {body['change']}: {_extent(body)}".split())


def plain_text(alert: Alert) -> str:
    """Write an alert as plain text."""
    body = body_of(alert)
    about = (
        _scene_lines(body) if "event" not in body else [*_event_lines(body), *_scene_lines(body)]
    )
    return "\n".join([f"{title_of(alert)}.", "", *about, f"Key: {alert.key}", ""])


def picture_of(alert: Alert) -> Path | None:
    """Return the picture of an alert; None where it has none, is gone, or is too large to send."""
    path = body_of(alert).get("quicklook")
    if not isinstance(path, str) or not os.path.isfile(path):
        return None
    return Path(path) if os.path.getsize(path) <= LARGEST_PICTURE else None


def _extent(body: dict[str, Any]) -> str:
    area = "" if body["area_m2"] is None else f" ({body['area_m2']:.0f} m2)"
    return f"{body['area_px']} pixels{area} since {body['first']}"


def _event_lines(body: dict[str, Any]) -> Iterator[str]:
    if body["reason"] is None:
        yield (
            f"{body['agreed']} of the last {body['passes']} valid passes show it, the last one on "
            f"{body['last']}."
        )
    else:
        yield f"Closed on {body['closed']}: {body['reason']}. It was last found on {body['last']}."
    if body["margin"] is not None:
        p = "" if body["p"] is None else f", p = {body['p']:.2g}"
        yield f"Its highest score lies {body['margin']:.4g} above the threshold{p}."
    if body["bands"]:
        yield f"Bands: {', '.join(map(_band, body['bands']))}."


def _band(band: dict[str, Any]) -> str:
    sign = "higher" if band["residual"] > 0 else "lower"
    return f"{band['band']} {sign} than expected ({band['share']:.0%} of the score)"


def _scene_lines(body: dict[str, Any]) -> Iterator[str]:
    threshold = "unknown" if body["threshold"] is None else f"{body['threshold']:.4g}"
    yield (
        f"Scene {body['scene']}: {body['flagged']} of {body['valid']} valid pixels lie above "
        f"{threshold}."
    )
    if reasons := body.get("domain_reasons"):
        yield f"In domain: {body['in_domain']}: {'; '.join(reasons)}."
    yield f"Map: {body['map']}"


def feature_collection(alerts: Sequence[Alert]) -> str:
    """Write alerts as GeoJSON: a feature for each event, as its newest alert describes it.

    An event across the 180th meridian is not cut: its longitudes continue beyond 180 or -180.
    """
    bodies = {body["event"]: body for body in map(body_of, alerts) if "event" in body}
    features = [
        {"type": "Feature", "id": name, "geometry": body.pop("geometry"), "properties": body}
        for name, body in bodies.items()
    ]
    return to_json({"type": "FeatureCollection", "features": features}) + "\n"
