"""What a run would do: the scenes it would score, and what waits.  Nothing changes.

It works on a copy of the state in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import AnomvaeError
from .announcing import chosen_change
from .config import MonitorConfig
from .database import opened_copy
from .due import Agenda, Scheduler
from .problem import Problem, as_error
from .report import WaitingSummary, waiting_alerts
from .state import State


@dataclass(frozen=True)
class SitePreview:
    """What a run would do at a site."""

    site: str
    detector: str
    """The model file, or the configuration that is fitted to each scene."""
    due: tuple[str, ...]
    """Scenes to score, in their order."""
    again: int
    """Of them, those that were begun before."""
    known: int
    """Scenes not due."""
    alerts: tuple[str, ...]
    """Events of which a run that died left an alert to make, with their change."""
    notes: tuple[str, ...]
    """What of the source is no scene, or none yet."""
    errors: tuple[AnomvaeError, ...]
    """Why the site, or a part of its source, fails."""


@dataclass(frozen=True)
class Preview:
    """What a run would do."""

    sites: tuple[SitePreview, ...]
    waiting: tuple[WaitingSummary, ...]
    """Channels that have not taken all alerts."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What fails."""
        return tuple(
            Problem(each.site, None, error) for each in self.sites for error in each.errors
        )


def preview(config: MonitorConfig, now: datetime, *, backfill: bool = False) -> Preview:
    """Find out what a run would do.

    Raises
    ------
    FileError
        If the state cannot be read, or is of a newer version.
    """
    folder = Path(config.state)
    with opened_copy(folder) as database:
        state = State(database, folder, (0, 0))
        sites = []
        for site in config.site:
            scheduler = Scheduler(site, state, config.retry, config.result_folders, backfill)
            sites.append(_of_site(scheduler, now))
        return Preview(tuple(sites), tuple(waiting_alerts(database)))


def _of_site(scheduler: Scheduler, now: datetime) -> SitePreview:
    site, agenda, errors = scheduler.site, Agenda(), list[AnomvaeError]()
    try:
        agenda = scheduler.agenda(now)
    except Exception as error:
        errors.append(as_error(error, f"site {site.name}"))
    pending = (
        (event, chosen_change(event, site.alert))
        for event in scheduler.state.pending_events(site.name)
    )
    return SitePreview(
        site=site.name,
        detector=site.model or f"config {site.fitted_config}",
        due=tuple(each.scene.source for each in agenda.due),
        again=sum(each.tries > 0 for each in agenda.due),
        known=agenda.known,
        alerts=tuple(f"{event.name} {change}" for event, change in pending if change is not None),
        notes=tuple(notice.text for notice in agenda.notices),
        errors=(*agenda.errors, *errors),
    )
