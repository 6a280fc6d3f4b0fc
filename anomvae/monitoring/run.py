"""One pass over all sites: score and record new scenes, send alerts, and end.

The caller decides when, the state decides what.  A scene becomes done only after its deliverables
are on disk, in the transaction that also stores its alert.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TextIO

from ..errors import AnomvaeError, NotDelivered
from ..names import one_line
from ..parallel import Progress, quiet
from .channels import Channel, Environment, Feed, Mail, StdoutChannel, Webhook
from .config import MonitorConfig, SiteConfig
from .due import Scheduler
from .health import RunMetrics, send_heartbeat, write_metrics
from .lock import only_run
from .messenger import Messenger
from .outbox import Outbox, latest
from .problem import Problem, as_error, code_of, messages
from .records import Notice
from .scoring import Scoring, scoring_of
from .site import SitePass
from .state import State, opened_state
from .web import DeliveryFailed

log = logging.getLogger(__name__)

INTERRUPTED = 130


@dataclass(frozen=True)
class RunEnvironment:
    """Everything that a run takes from its surroundings."""

    run: str
    """Unique id of the run."""
    now: Callable[[], datetime]
    """The clock; its times have a time zone."""
    variables: Environment
    stream: TextIO
    """Stream for alerts, such as stdout."""
    scoring: Callable[[SiteConfig], Scoring] = scoring_of
    """Loads the detector of a site."""
    backfill: bool = False
    """Whether scenes that are done with another model or other settings are scored again."""
    progress: Progress = quiet
    """Called before each scene with the site, and how many of its due scenes are tried and due."""


@dataclass(frozen=True)
class Pass:
    """Result of a run."""

    done: int
    """Scenes scored."""
    known: int
    """Scenes not due: done before, or waiting for another try."""
    alerts: int
    problems: tuple[Problem, ...]
    notes: tuple[Notice, ...] = ()
    """What an operator should know, and is no failure."""
    reports: tuple[str, ...] = ()
    """What is new of that, and may mean that something is set up wrongly, a line each."""

    @property
    def notices(self) -> list[Notice]:
        """All that concerns a site as a whole: why it failed, and the notes."""
        errors = (
            Notice(problem.site, "error", one_line(str(problem.error)))
            for problem in self.problems
            if problem.site is not None and problem.scene is None
        )
        return [*errors, *self.notes]

    @property
    def failed(self) -> int:
        """Scenes that failed."""
        return sum(problem.scene is not None for problem in self.problems)

    @property
    def code(self) -> int:
        """Exit code, see `problem.code_of`."""
        return code_of(self.problems)

    @property
    def messages(self) -> list[str]:
        """Lines for the problems, see `problem.messages`."""
        return messages(self.problems)


def run_once(config: MonitorConfig, environment: RunEnvironment) -> Pass:
    """Score new scenes, send alerts of events, and end.

    Raises
    ------
    LockHeld
        If another run is at work.
    FileError
        If the state cannot be read or written, or is of a newer version.
    """
    folder = Path(config.state)
    lock = only_run(folder, environment.run, environment.now())
    with lock, opened_state(folder) as state:
        return _Run(config, environment, state).execute()


@dataclass(frozen=True)
class _Run:
    """A run that holds the lock."""

    config: MonitorConfig
    environment: RunEnvironment
    state: State

    def execute(self) -> Pass:
        """Make the pass, and record its begin and end."""
        start = time.perf_counter()
        self.state.begin_run(self.environment.run, self.environment.now())
        log.info("run began")
        try:
            done = self._work()
        except KeyboardInterrupt:
            self.state.end_run(self.environment.run, self.environment.now(), INTERRUPTED)
            log.warning("run interrupted")
            raise
        return self._ended(done, time.perf_counter() - start)

    def _work(self) -> Pass:
        """Send waiting alerts, make the pass of each site, and collect the problems."""
        deliver = partial(self.outbox.send, self.channels, self.environment.now)
        deliver()
        sites = [self._site(site, deliver) for site in self.config.site]
        problems = [problem for site in sites for problem in site.problems]
        failures = [*self._undelivered(), *_missing_feed(self.channels)]
        problems += [Problem(None, None, NotDelivered(failure)) for failure in failures]
        return Pass(
            done=sum(site.done for site in sites),
            known=sum(site.known for site in sites),
            alerts=sum(site.alerts for site in sites),
            problems=tuple(problems),
            notes=tuple(
                Notice(each.site.name, "note", text) for each in sites for text in each.notes
            ),
            reports=tuple(report for site in sites for report in site.reports),
        )

    def _site(self, site: SiteConfig, deliver: Callable[[], int]) -> SitePass:
        site_pass = SitePass(
            site=site,
            state=self.state,
            retry=self.config.retry,
            now=self.environment.now,
            channels=tuple(channel.name for channel in self.channels),
            schedule=self._schedule(site),
            progress=self.environment.progress,
        )
        site_pass.run(self.environment.scoring)
        deliver()
        return site_pass

    def _schedule(self, site: SiteConfig) -> Scheduler:
        retry, backfill = self.config.retry, self.environment.backfill
        return Scheduler(site, self.state, retry, self.config.result_folders, backfill)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.state.database, self.config.alerts.retry)

    @cached_property
    def channels(self) -> list[Channel]:
        alerts, secrets = self.config.alerts, self.environment.variables
        channels: list[Channel] = [StdoutChannel(self.environment.stream)] if alerts.stdout else []
        if alerts.feed is not None:
            newest = partial(latest, self.state.database, alerts.feed.alerts)
            channels.append(Feed(alerts.feed.path, newest))
        channels += [Webhook(config, secrets) for config in alerts.webhook]
        channels += [Mail(config, secrets) for config in alerts.mail]
        return channels + [Messenger(config, secrets) for config in alerts.apprise]

    def _undelivered(self) -> Iterator[str]:
        for name, waiting in self._waiting().items():
            if waiting:
                alerts = "alert waits" if waiting == 1 else "alerts wait"
                yield (
                    f"{waiting} {alerts} for {name!r}; the last try failed: "
                    f"{self.outbox.last_error(name)}. A later run tries again."
                )

    def _waiting(self) -> dict[str, int]:
        return {channel.name: self.outbox.waiting(channel.name) for channel in self.channels}

    def _ended(self, done: Pass, seconds: float) -> Pass:
        """Record the end of the run in metrics, state, log and heartbeat."""
        config, now = self.config.health, self.environment.now()
        if config.prometheus is not None:
            names = tuple(site.name for site in self.config.site)
            drift = {site.name: site.drift for site in self.config.site}
            metrics = RunMetrics(now, seconds, done.code == 0, names, self._waiting(), drift)
            try:
                write_metrics(config.prometheus, self.state.database, metrics)
            except AnomvaeError as error:
                done = replace(done, problems=(*done.problems, Problem(None, None, error)))
        counts = {"done": done.done, "failed": done.failed, "known": done.known}
        self.state.note(done.notices)
        self.state.end_run(self.environment.run, now, done.code, alerts=done.alerts, **counts)
        log.info("run ended", extra={"facts": {**counts, "alerts": done.alerts, "code": done.code}})
        if done.code == 0:
            send_heartbeat(config, self.environment.variables)
        return replace(done, reports=(*done.reports, *self._page_failure()))

    def _page_failure(self) -> Iterator[str]:
        """Bring the pages up to date, if there are any; yield why that failed.

        A pass that found something does not fail because of a picture of it.
        """
        if self.config.pages is None:
            return
        from .pages import write_pages

        try:
            write_pages(self.config, self.config.pages.dir)
        except Exception as error:
            failure = as_error(error, "the pages")
            log.warning("pages not written", extra={"facts": {"error": str(failure)}})
            yield f"the pages are not up to date: {failure}"


def _missing_feed(channels: list[Channel]) -> Iterator[str]:
    """Write the feed if it is missing, so that readers find a file; yield why that failed."""
    for channel in channels:
        if isinstance(channel, Feed) and not Path(channel.path).exists():
            try:
                channel.write()
            except DeliveryFailed as error:
                yield str(error)
