"""The scenes of a site in a span of days: those that the state has done, and those offered.

A finished scene keeps its maps where the detector and the settings of the site made them; a rule of
thresholds and the size of objects may differ, for they follow from the maps.  Any other scene that
the source offers is scored anew, into a temporary folder.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path

from ...pixels.dates import date_of
from ..config import SiteConfig
from ..decisions.registration import DISPLACED
from ..digests import model_digest, settings_digest
from ..sources import FoundScene


@dataclass(frozen=True)
class Span:
    """Days from the first to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    def __contains__(self, day: date) -> bool:
        """Return whether a day lies in it."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        """Return both days."""
        return f"{self.first} to {self.last}"


@dataclass(frozen=True)
class ArchivedScene(FoundScene):
    """A scene of a span."""

    day: date | None = None
    """Day of the acquisition."""
    map: Path | None = None
    """Its finished anomaly map; None: it is to be scored."""
    flags_differ: bool = False
    """Whether the map was decided by another threshold than the site's."""
    displaced: str | None = None
    """Why it lay beside other scenes of its site when it was scored; None: it did not."""

    @property
    def date(self) -> date | None:
        """Day of the acquisition."""
        return self.day


@dataclass(frozen=True)
class Archive:
    """The scenes of a site in a span."""

    scenes: tuple[ArchivedScene, ...]
    """In the order of acquisition: day, then name."""
    undated: int
    """Scenes without a known day, which no span holds."""
    gone: tuple[str, ...]
    """Names of scenes of the span whose results are missing, or of other settings, and which the
    source no longer offers."""
    known: Span | None
    """From the first scene to the last one, of whatever day; None: there is none with a date."""


@dataclass(frozen=True)
class _Done:
    """A row of a finished scoring."""

    scene: str
    source: str
    model: str
    settings: str
    taken: str | None
    map: str
    reasons: str | None

    @property
    def displaced(self) -> str | None:
        """Why it lay beside other scenes."""
        reasons = json.loads(self.reasons or "[]")
        return next((one for one in reasons if one.endswith(DISPLACED)), None)


def archive_of(
    site: SiteConfig,
    configured: SiteConfig,
    offered: Sequence[FoundScene],
    database: sqlite3.Connection | None,
    span: Span,
) -> Archive:
    """Collect the scenes of a site in a span.

    Parameters
    ----------
    site : SiteConfig
        The site as it is replayed.
    configured : SiteConfig
        The site as the watch has it.
    offered : sequence of FoundScene
        The scenes of the source, each once.
    database : Connection, optional
        The state; None: there is none yet.
    span : Span
        The days.
    """
    rows = defaultdict[str, list[_Done]](list)
    for row in () if database is None else _done(database, site.name):
        rows[row.source].append(row)
    sources = {scene.source: scene for scene in offered if scene.fault is None}
    fitting, scenes, gone = _Fitting.of(site, configured), [], []
    undated, days = 0, []
    for source in sorted({*sources, *rows}):
        scene = fitting.newest(sources.get(source), rows[source])
        day = scene.day if isinstance(scene, ArchivedScene) else _day(source, rows[source])
        undated += day is None
        days += [] if day is None else [day]
        if day is not None and day in span:
            scenes += [] if scene is None else [scene]
            gone += [source] if scene is None else []
    ordered = sorted(scenes, key=lambda each: (str(each.day), each.source))
    known = Span(min(days), max(days)) if days else None
    return Archive(tuple(ordered), undated, tuple(gone), known)


@dataclass(frozen=True)
class _Fitting:
    """Which results can be replayed."""

    model: str
    settings: Mapping[str, bool]
    """Digests of settings, and whether maps of them are to be decided by another threshold."""

    @classmethod
    def of(cls, site: SiteConfig, configured: SiteConfig) -> _Fitting:
        """Take results of a site as it is, or as it is but for threshold and size of objects."""
        settings = {}
        for threshold in (configured.threshold, site.threshold):
            for area in (configured.alert.min_area_px, site.alert.min_area_px):
                alert = replace(site.alert, min_area_px=area)
                like = replace(site, threshold=threshold, alert=alert)
                settings[settings_digest(like)] = threshold != site.threshold
        return cls(model_digest(site), settings)

    def newest(self, offered: FoundScene | None, rows: Sequence[_Done]) -> ArchivedScene | None:
        """Return a scene with its newest results that fit; None if it has none, nor is offered."""
        for row in reversed(rows):
            if self._fits(row) and (offered is None or offered.identity == row.scene):
                day = _day(row.source, [row])
                return ArchivedScene(
                    identity=row.scene,
                    source=row.source,
                    read=(),
                    day=offered.date if day is None and offered is not None else day,
                    map=Path(row.map),
                    flags_differ=self.settings[row.settings],
                    displaced=row.displaced,
                )
        if offered is None:
            return None
        known = {each.name: getattr(offered, each.name) for each in fields(offered)}
        return ArchivedScene(**known, day=offered.date)

    def _fits(self, row: _Done) -> bool:
        same = row.model == self.model and row.settings in self.settings
        return same and Path(row.map).exists()


def _done(database: sqlite3.Connection, site: str) -> Iterator[_Done]:
    rows = database.execute(
        "SELECT scene, source, model, settings, taken, map, reasons FROM scenes "
        "WHERE site = ? AND status = 'done' AND map IS NOT NULL ORDER BY finished, rowid",
        (site,),
    )
    return (_Done(*row) for row in rows)


def _day(source: str, rows: Sequence[_Done]) -> date | None:
    taken = next((row.taken for row in reversed(rows) if row.taken), None)
    return date_of(source) if taken is None else date.fromisoformat(taken)
