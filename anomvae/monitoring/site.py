"""A pass over one site: score each scene that is due, decide about it, and record both."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import (
    AnomvaeError,
    BrokenEnvironment,
    FileError,
    LockHeld,
    NotWritten,
    RasterError,
)
from ..names import fitted
from ..parallel import Progress, quiet
from .announcing import announced
from .config import RetryConfig, SiteConfig
from .date_history import DateHistory, with_flags
from .decisions.candidates import UnusableAreas
from .decisions.decision import Decision, Recorded, decide
from .decisions.drift import drift_warning, recorded_drift, why_no_drift
from .decisions.event import open_clusters
from .decisions.outcomes import Outcome, short_history
from .decisions.passes import ScenePass
from .decisions.persistence import is_behind, stage
from .decisions.registration import displaced_scene, references
from .due import DueScene, Schedule
from .notices import Report, SourceNotice, reported
from .pictures import EventPictures
from .problem import MISFITS, Problem, as_error
from .records import Key, SceneResult
from .scoring import Scoring
from .sources import FoundScene
from .state import State, stamp

if TYPE_CHECKING:
    from ..mapping import MapResult

log = logging.getLogger(__name__)

UNREACHABLE = 3
"""Scenes in a row that cannot be read from a server until the others wait for the next pass."""
ANSWERED = re.compile(r"HTTP response code: 4(?!08|29)\d\d")
"""GDAL's words for an answer about one file, such as that it is missing: its server is reached."""


class ScoredScene(NamedTuple):
    """A scene that is scored and decided about, but not recorded."""

    scene: FoundScene
    result: MapResult
    decision: Decision
    now: datetime
    """When it was scored."""


@dataclass
class SitePass:
    """A pass over a site, with its counts so far."""

    site: SiteConfig
    state: State
    retry: RetryConfig
    now: Callable[[], datetime]
    channels: tuple[str, ...]
    """Names of the channels that get alerts."""
    schedule: Schedule
    """Which scenes are due."""
    displaced: Callable[[SiteConfig, FoundScene, Iterable[FoundScene]], str | None] = (
        displaced_scene
    )
    """Returns why a scene lies beside others of its site; None if it does not."""
    progress: Progress = quiet
    """Called before each scene, see `RunEnvironment`."""
    done: int = 0
    """Scenes scored."""
    known: int = 0
    """Scenes not due."""
    alerts: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What an operator should know and is no failure."""
    reports: list[str] = field(default_factory=list)
    """Those that are new, and may mean that something is set up wrongly."""
    unread: int = 0
    """Scenes in a row that could not be read from a server."""
    date_history: DateHistory | None = None
    """Scenes in the order of their dates, for a model that compares dates."""
    passes: Sequence[ScenePass] = ()
    """Comparable scenes, in the order of acquisition."""
    offered: Mapping[str, FoundScene] = field(default_factory=dict, repr=False)
    """Scenes that the source offers, by their names."""

    def run(self, scoring: Callable[[SiteConfig], Scoring]) -> None:
        """Score the due scenes, and make alerts; an error of the site ends this pass alone."""
        late = self.schedule.backfill or not self.state.caught_up(self.site.name)
        try:
            self._score_all(scoring)
            self.state.catch_up(self.site.name, self.now())
        except Exception as error:
            ours = as_error(error, f"site {self.site.name}")
            self._add_problem(Problem(self.site.name, None, ours))
        self._announce(catching_up=late)

    def _score_all(self, scoring: Callable[[SiteConfig], Scoring]) -> None:
        self._mend_map()
        due = self._due()
        for each in due:
            if each.scene.fault is not None:
                self.state.begin(each.key, each.scene.source, self.now())
                self._failed(each, FileError(each.scene.fault))
        if faultless := [each for each in due if each.scene.fault is None]:
            self.passes = self.state.passes(self.site.name)
            score = scoring(self.site)
            for number, each in enumerate(faultless):
                self.progress(self.site.name, number, len(faultless))
                self._score(score, each)
            if self.done:
                self._warn_of_drift()

    def _mend_map(self) -> None:
        """Bring the site's map up to date where a run died before it published it."""
        if is_behind(self.site) and (passes := self.state.passes(self.site.name)):
            name = self.site.name
            known = open_clusters(self.state.events(name))
            number = self.state.next_event(name)
            with stage(self.site, passes, next_number=number, known=known) as staged:
                staged.publish()
            for text in staged.notes:
                self._note(text, Report.IF_NEW)

    def _due(self) -> list[DueScene]:
        """Return the scenes that are due; note the others."""
        agenda = self.schedule.agenda(self.now())
        for error in agenda.errors:
            self._add_problem(Problem(self.site.name, None, error))
        self.notes += [notice.text for notice in agenda.notices]
        self.reports += reported(self.state, self.site.name, agenda.notices)
        for each in agenda.given_up:
            self._give_up(each)
        self.known += agenda.known
        self.date_history = agenda.date_history
        self.offered = agenda.offered
        return agenda.due

    def _score(self, score: Scoring, due: DueScene) -> None:
        """Score a scene, decide about it, and record both."""
        self.state.begin(due.key, due.scene.source, self.now())
        try:
            scored = self._scored(score, due.scene, due.key)
        except KeyboardInterrupt:
            self.state.requeue(due.key, self.now())
            raise
        except Exception as error:
            self._failed(due, as_error(error, due.scene.source))
            return
        with scored.decision:
            if scored.scene.changed:  # the map belongs to neither the old state nor the new one
                self.state.requeue(due.key, self.now())
            else:
                self._finish(due.key, scored)

    def _scored(self, score: Scoring, scene: FoundScene, key: Key) -> ScoredScene:
        """Score a scene, and decide about it, given what is recorded of the site."""
        if self.date_history is not None:
            scene = replace(scene, before=self._dates_before(scene))
        result, now = score(scene, self._folder(scene, key)), self.now()
        as_pass = ScenePass(key, scene.source, scene.date, stamp(now), result.path)
        events, number = self.state.events(key.site), self.state.next_event(key.site)
        recorded = Recorded(self.passes, events, number)
        others = partial(self.state.passes, key.site, (Outcome.NOT_COMPARABLE,))
        compared = references(as_pass, self.passes, others, self.offered)
        decision = decide(
            self.site, as_pass, result, recorded, partial(self._against, scene, compared)
        )
        return ScoredScene(scene, result, decision, now)

    def _against(self, scene: FoundScene, compared: Iterable[FoundScene]) -> str | None:
        """Return why a scene is not comparable, beyond its verdict; None: it is."""
        short = short_history(self.site, len(scene.before))
        return short or self.displaced(self.site, scene, compared)

    def _dates_before(self, scene: FoundScene) -> tuple[FoundScene, ...]:
        """Return the earlier dates that a scene is compared with; note if there are fewer."""
        assert self.date_history is not None
        before, wanted = self.date_history.before(scene), self.site.dates - 1
        if len(before) < wanted:
            facts = {"site": self.site.name, "scene": scene.source, "dates": len(before)}
            log.info("fewer dates before", extra={"facts": {**facts, "wanted": wanted}})
        return before if self.site.model is not None else with_flags(before, self.passes)

    def _finish(self, key: Key, scored: ScoredScene) -> None:
        """Record all in one transaction; then the map of the site gets its name."""
        result, decision = scored.result, scored.decision
        record = SceneResult.of(result, decision, scored.scene.date)
        self.state.finish(key, record, scored.now, events=decision.events)
        if decision.staged is not None:
            decision.staged.publish()
        self.passes = decision.passes
        self.done, self.unread = self.done + 1, 0
        if self.date_history is not None:
            self.date_history.readable.add(key.scene)
        facts: dict[str, object] = {"flagged": result.flagged, "valid": result.valid}
        facts |= {"seconds": result.seconds, "outcome": record.outcome}
        facts |= {"reasons": list(record.reasons)} if record.reasons else {}
        log.info("scene done", extra={"facts": {**_facts(key), **facts}})
        self._note_doubts(decision, result)

    def _note_doubts(self, decision: Decision, result: MapResult) -> None:
        """Note what the decision could not rest on, once a pass."""
        for text in () if decision.staged is None else decision.staged.notes:
            self._note(text, Report.IF_NEW)
        if result.verdict is None:
            self._note(
                "the model keeps no figures of its training scenes: masks and rules alone decide "
                "about outcomes. Train it anew with this version."
            )
        if result.drift is None and self.site.model is not None:
            for text in why_no_drift(self.site.model):
                self._note(text)

    def _warn_of_drift(self) -> None:
        """Report that the scenes drift away from the training scenes, if they do."""
        scenes = recorded_drift(self.state.database, self.site.name)
        warning = drift_warning(scenes, self.site.drift)
        if warning is not None:
            self.reports.append(f"{self.site.name}: {warning}")
            log.warning("drift", extra={"facts": {"site": self.site.name, "drift": warning}})

    def _announce(self, *, catching_up: bool) -> None:
        """Make the alerts of what this pass, and earlier ones that died, changed about events."""
        pending = self.state.pending_events(self.site.name)
        if not pending:
            return
        made = announced(
            pending,
            self.site.alert,
            self.now(),
            catching_up=catching_up,
            pictured=EventPictures(self.site, self.offered).with_picture,
        )
        self.alerts += self.state.announce(made.events, made.alerts, self.channels)
        if made.unsent:
            self._note(made.unsent)

    def _failed(self, due: DueScene, error: AnomvaeError) -> None:
        """Record a failure of a scene; one of disk, server or environment ends the site's pass."""
        now, scene, key, tries = self.now(), due.scene, due.key, due.tries + 1
        if scene.vanished:
            self.state.requeue(key, now)
            log.info("scene vanished", extra={"facts": _facts(key)})
            return
        if isinstance(error, NotWritten | LockHeld | BrokenEnvironment | UnusableAreas):
            self.state.requeue(key, now, str(error))
            raise error
        last = isinstance(error, MISFITS) or tries >= self.retry.tries
        again = None if last else now + timedelta(seconds=self.retry.wait(tries))
        self.state.fail(key, str(error), now, next_try=again)
        self._add_problem(Problem(self.site.name, scene.source, error))
        if scene.remote and isinstance(error, RasterError):
            self.unread = 0 if ANSWERED.search(str(error)) else self.unread + 1
        if self.unread == UNREACHABLE:  # each may have taken minutes
            raise FileError(
                f"{UNREACHABLE} scenes in a row cannot be read from their server. The "
                f"others wait for the next run."
            )

    def _give_up(self, due: DueScene) -> None:
        error = FileError(
            f"The process ended {due.tries} times while this scene was scored. Score it by hand "
            f"(anomvae score), and check whether memory suffices."
        )
        self.state.fail(due.key, str(error), self.now(), next_try=None)
        self._add_problem(Problem(self.site.name, due.scene.source, error))

    def _folder(self, scene: FoundScene, key: Key) -> Path:
        """Return the scene's own folder, which no other result shares."""
        stem = Path(scene.source).stem.lstrip(".") or "scene"
        return Path(self.site.out) / f"{fitted(stem, 100)}-{key.digest[:8]}"

    def _note(self, text: str, report: Report = Report.NEVER) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self.reports += reported(self.state, self.site.name, [SourceNotice(text, report)])

    def _add_problem(self, problem: Problem) -> None:
        self.problems.append(problem)
        facts = {"site": problem.site, "scene": problem.scene, "error": str(problem.error)}
        log.error("failed", extra={"facts": facts})


def _facts(key: Key) -> dict[str, object]:
    return {"site": key.site, "scene": key.scene}
