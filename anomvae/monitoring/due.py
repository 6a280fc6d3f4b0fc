"""What a pass over a site has to do: list its scenes, and select those that are due.

A scene that is done under any model and settings is known: a changed model or changed settings
score the scenes that arrive from then on.  A backfill scores, with the present ones, all that they
have not scored.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from ..errors import AnomvaeError
from .config import RetryConfig, SiteConfig
from .date_history import DateHistory
from .digests import model_digest, settings_digest
from .folder import Scan
from .listing import listed_source
from .notices import SourceNotice
from .records import Key, SceneStatus
from .scoring import access_of
from .sources import FoundScene
from .state import State, is_over

log = logging.getLogger(__name__)

UNKNOWN = SceneStatus("new", 0, "", None)
"""Status of a scene that the state does not know."""


@dataclass(frozen=True)
class DueScene:
    """A scene to score."""

    scene: FoundScene
    key: Key
    tries: int
    """Times it was begun before."""


@dataclass
class Agenda:
    """The scenes of a site at the begin of a pass."""

    due: list[DueScene] = field(default_factory=list)
    """New ones in the order of acquisition, then those begun longest ago."""
    given_up: list[DueScene] = field(default_factory=list)
    """At which the process died too often."""
    known: int = 0
    """Scenes not due."""
    errors: list[AnomvaeError] = field(default_factory=list)
    """Why parts of the source could not be listed."""
    offered: dict[str, FoundScene] = field(default_factory=dict)
    """All scenes by their names."""
    notices: list[SourceNotice] = field(default_factory=list)
    """What of the source is no scene, or none yet."""
    date_history: DateHistory | None = None
    """Scenes in the order of their dates, for a model that compares dates."""


class Schedule(Protocol):
    """What decides which scenes of a site are due."""

    @property
    def backfill(self) -> bool:
        """Whether scenes that are done with another model or other settings are due."""

    def agenda(self, now: datetime) -> Agenda:
        """Return the scenes that are due."""


@dataclass(frozen=True)
class Scheduler:
    """Selects the scenes of a site that are due."""

    site: SiteConfig
    state: State
    retry: RetryConfig
    aside: tuple[Path, ...] = ()
    """Folders of results, which hold no scenes."""
    backfill: bool = False
    """Whether scenes that are done with another model or other settings are due."""

    def agenda(self, now: datetime) -> Agenda:
        """List the scenes, and select those that are due; record what serves the site."""
        model, settings = model_digest(self.site), settings_digest(self.site)
        self.state.serve(self.site.name, model, settings, now)
        statuses = self.state.scene_statuses(self.site.name, model, settings)
        done = {scene for scene, status in statuses.items() if status.status == "done"}
        known = done if self.backfill else self.state.done_scenes(self.site.name)
        agenda = Agenda()
        offered = self._following(self._offered(agenda, now), known, agenda)
        ordered = sorted(offered, key=lambda scene: _order(scene, statuses))
        for scene in ordered:
            status = statuses.get(scene.identity, UNKNOWN)
            key = Key(self.site.name, scene.identity, model, settings)
            due = DueScene(scene, key, status.tries)
            if scene.identity in known:
                agenda.known += 1
            elif status.status == "new" and status.tries >= self.retry.tries:
                agenda.given_up.append(due)
            elif _is_due(status, now, self.retry):
                agenda.due.append(due)
            else:
                agenda.known += 1
        return agenda

    def _offered(self, agenda: Agenda, now: datetime) -> list[FoundScene]:
        """List the scenes of the source, each once; note what is none, and cannot be listed."""
        site, state = self.site, self.state
        listing = listed_source(site, lambda: state.file_records(site.name), now, self.aside)
        if isinstance(listing, Scan) and (listing.records or listing.missing):
            state.record_files(site.name, listing.records, listing.missing)
        agenda.errors += listing.errors
        agenda.notices += listing.notices
        agenda.offered = {scene.source: scene for scene in listing.scenes if scene.fault is None}
        return listing.scenes

    def _following(
        self, offered: list[FoundScene], done: set[str], agenda: Agenda
    ) -> list[FoundScene]:
        """Without the first of its dates, where a model compares dates."""
        if self.site.dates == 1:
            return offered
        faulty = [scene for scene in offered if scene.fault is not None]
        faultless = [scene for scene in offered if scene.fault is None]
        access = access_of(self.site)
        warp = self.site.grid == "warp"
        agenda.date_history = DateHistory(self.site.dates, faultless, set(done), access, warp)
        followers = agenda.date_history.followers
        agenda.known += len(faultless) - len(followers)
        if len(faultless) == 1 and not followers:
            agenda.notices.append(SourceNotice(f"{faultless[0].source} waits for a second date"))
        return followers + faulty


def _order(scene: FoundScene, statuses: dict[str, SceneStatus]) -> tuple[str, date, str]:
    """Order new scenes by date and name, without a date as they are listed; then those begun."""
    day, begun = scene.date, statuses.get(scene.identity, UNKNOWN).started
    return (begun, date.max, "") if day is None else (begun, day, scene.source)


def _is_due(status: SceneStatus, now: datetime, retry: RetryConfig) -> bool:
    if status.status in {"new", "replaced"}:  # replaced by a scene that is no longer offered
        return True
    again = status.next_try
    return status.status == "failed" and again is not None and is_over(again, now, retry.longest)
