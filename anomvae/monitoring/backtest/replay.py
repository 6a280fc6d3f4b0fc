"""Replay the scenes of a site in the order of acquisition, a pass for each, as a watch makes them.

The passes are those of `anomvae.monitoring.site`, over a state and a persistence map in a temporary
folder; their clock shows noon of the day of acquisition.  What people answered does not count:
whether an event that they rejected would be an alert is what a replay shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

from ...parallel import Progress, quiet
from ..config import RetryConfig, SiteConfig
from ..date_history import DateHistory
from ..decisions.event import Event
from ..decisions.outcomes import COMPARABLE
from ..due import Agenda, DueScene
from ..event_records import read_events
from ..records import Key
from ..site import SitePass
from ..state import State, opened_state
from .archive import ArchivedScene
from .results import Results

ONCE = RetryConfig(tries=1)
SERVES = "backtest"
"""What stands for the digests of model and settings."""
FAILED = "failed"


@dataclass(frozen=True)
class Replay:
    """What passes over the scenes of a site did."""

    outcomes: Mapping[str, int]
    """Number of scenes of each outcome, and of those that ``failed``."""
    days: tuple[date, ...]
    """Days of the comparable scenes, in order."""
    events: tuple[Event, ...]
    alerts: int
    errors: tuple[str, ...]
    """Why scenes failed."""


@dataclass(frozen=True)
class _Only:
    """The agenda of a pass over one scene."""

    due: DueScene
    date_history: DateHistory | None
    backfill: bool = False

    def agenda(self, now: datetime) -> Agenda:
        """Return the scene, which is due whenever it is asked for."""
        return Agenda([self.due], date_history=self.date_history)


def replay(
    site: SiteConfig,
    scenes: Sequence[ArchivedScene],
    results: Results,
    folder: Path,
    rule: str | None = None,
    progress: Progress = quiet,
) -> Replay:
    """Make the passes over the scenes of a site, in an empty folder; ``rule`` decides their maps.

    Raises
    ------
    AnomvaeError
        If the passes could not be made, whatever the scene.
    """
    alone = replace(site, out=str(folder / "out"))
    errors: list[str] = []
    with opened_state(folder) as state:
        state.serve(site.name, SERVES, SERVES, datetime.min.replace(tzinfo=UTC))
        state.catch_up(site.name, datetime.min.replace(tzinfo=UTC))  # so that each scene is news
        for done, scene in enumerate(scenes, start=1):
            errors += _replayed(alone, scene, results, rule, state)
            progress("scenes", done, len(scenes))
        return _replay_of(state, site.name, tuple(errors))


def _replayed(
    site: SiteConfig,
    scene: ArchivedScene,
    results: Results,
    rule: str | None,
    state: State,
) -> list[str]:
    """Make the pass over a scene; return why it failed."""
    noon = datetime.combine(scene.day or date.min, time(12), UTC)
    due = DueScene(scene, Key(site.name, scene.identity, SERVES, SERVES), 0)
    only = _Only(due, results.history_for(scene))
    made = SitePass(site, state, ONCE, lambda: noon, (), only, lambda *_: scene.displaced)
    made.run(lambda _: lambda found, _: results.of(replace(scene, before=found.before), rule))
    for problem in made.problems:
        if problem.scene is None:
            raise problem.error
    return [str(problem) for problem in made.problems]


def _replay_of(state: State, site: str, errors: tuple[str, ...]) -> Replay:
    rows = state.database.execute("SELECT coalesce(outcome, ?), taken FROM scenes", (FAILED,))
    scenes = [tuple(row) for row in rows]
    (alerts,) = state.database.execute("SELECT count(*) FROM alerts").fetchone()
    return Replay(
        outcomes=Counter(outcome for outcome, _ in scenes),
        days=tuple(sorted(date.fromisoformat(day) for one, day in scenes if one in COMPARABLE)),
        events=tuple(read_events(state.database, site)),
        alerts=alerts,
        errors=errors,
    )
