"""What the state keeps: keys, statuses and results of scenes, alerts, files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..mapping import MapResult
    from .decisions.decision import Decision


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
        """Sixteen hexadecimal digits: a part of the name of its folder."""
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
    in_domain: str | None = None
    """The verdict about the scene: ``yes``, ``doubtful`` or ``no``; None: none."""
    doubts: tuple[str, ...] = ()
    """Reasons of the verdict, in clauses."""
    drift: str | None = None
    """From the training reference, JSON; None: not measured."""

    @classmethod
    def of(cls, result: MapResult, decision: Decision, taken: date | None) -> SceneResult:
        """Return what is kept of a scored scene and the decision about it."""
        names = ("pixels", "valid", "masked", "missing", "flagged", "objects", "seconds")
        verdict, assessment = result.verdict, decision.assessment
        return cls(
            **{name: getattr(result, name) for name in names},
            threshold=result.threshold.value,
            quantiles=result.quantiles,
            map=str(result.path),
            taken=None if taken is None else taken.isoformat(),
            outcome=assessment.outcome,
            reasons=assessment.reasons,
            in_domain=None if verdict is None else verdict.in_domain,
            doubts=() if verdict is None else verdict.reasons,
            drift=decision.drift,
        )


@dataclass(frozen=True)
class Alert:
    """An alert about an event."""

    key: str
    """Identifies the alert, so that a receiver can drop a copy."""
    site: str
    made: str
    """When it was made, UTC."""
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


@dataclass(frozen=True)
class Notice:
    """What the last run found out about a site as a whole."""

    site: str
    level: str
    """``error``: why its pass ended early, or parts of its source are not listed; or ``note``."""
    text: str
    """One line."""
