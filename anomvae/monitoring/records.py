"""What the state keeps: keys, statuses and results of scenes, alerts, files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """Identity of a scoring: each is done once."""

    site: str
    scene: str
    model: str
    """Digest of the model file."""
    settings: str
    """Digest of the settings of the site."""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits: the key of the alert, and a part of the folder's name."""
        text = json.dumps([self.site, self.scene, self.model, self.settings])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class SceneStatus:
    """Status of a scene, and the times it was begun (``tries``)."""

    status: str
    """``new``, ``done``, ``failed`` or ``replaced``."""
    tries: int
    started: str
    """When it was begun last, UTC."""
    next_try: str | None
    """When a failed scene is due again, UTC; None: never."""


@dataclass(frozen=True)
class SceneResult:
    """Result of scoring a scene: the columns of the table that are described in `database`."""

    pixels: int
    valid: int
    flagged: int
    objects: int
    threshold: float
    quantiles: Mapping[str, float]
    seconds: float
    map: str
    masked: int = 0
    missing: int = 0
    taken: str | None = None
    """Day of the acquisition, ISO 8601; None: unknown."""
    outcome: str | None = None
    """See `decisions.outcomes.Outcome`; None: not assessed."""
    reasons: tuple[str, ...] = ()
    """Of the outcome, in clauses."""
    drift: str | None = None
    """From the training reference, JSON; None: not measured."""


@dataclass(frozen=True)
class Alert:
    """An alert about a scene."""

    key: str
    """Identifies the alert, so that a receiver can drop a copy."""
    site: str
    made: str
    """When its scene was scored, UTC."""
    body: str
    """JSON, one line."""


@dataclass(frozen=True)
class FileRecord:
    """A local file at its last scan."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Last change, ns since 1970."""
    since: str
    """First scan with this size and time, UTC."""
    digest: str | None = None
    """Of its content; None until it is stable."""
