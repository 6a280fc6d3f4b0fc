"""One pass over all sites: score and record new scenes, send alerts, and end.

The caller decides when, the state decides what.  A scene becomes done only after its deliverables
are on disk, in the transaction that also stores its alert.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TextIO

from ..errors import AnomvaeError, NotDelivered
from .channels import Channel, DeliveryFailed, Environment, Feed, Mail, StdoutChannel, Webhook
from .config import MonitorConfig, SiteConfig
from .health import RunMetrics, send_heartbeat, write_metrics
from .lock import only_run
from .outbox import Outbox, latest
from .scoring import Scoring, scoring_of
from .site import Problem, SitePass
from .state import State, opened_state

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
    """Environment variables, which hold the secrets."""
    stream: TextIO
    """Stream for alerts, such as stdout."""
    scoring: Callable[[SiteConfig], Scoring] = scoring_of
    """Loads the detector of a site."""


@dataclass(frozen=True)
class Pass:
    """Result of a run."""

    done: int
    """Scenes scored."""
    known: int
    """Scenes not due: done before, or waiting for another try."""
    alerts: int
    """Alerts made."""
    problems: tuple[Problem, ...]
    """What failed."""

    @property
    def failed(self) -> int:
        """Scenes that failed."""
        return sum(problem.scene is not None for problem in self.problems)

    @property
    def code(self) -> int:
        """Exit code: that of the problems if they share one, else 5; 0 without problems."""
        codes = {problem.code for problem in self.problems}
        return 0 if not codes else codes.pop() if len(codes) == 1 else NotDelivered.exit_code

    @property
    def messages(self) -> list[str]:
        """A line for each problem; one for all scenes of a site that do not fit its model."""
        misfits: dict[str | None, list[Problem]] = {}
        messages = []
        for problem in self.problems:
            if problem.misfit:
                misfits.setdefault(problem.site, []).append(problem)
            else:
                messages.append(str(problem))
        for site, group in misfits.items():
            more = f" (so do {len(group) - 1} more)" if len(group) > 1 else ""
            messages.append(f"{site}: {group[0].error}{more}")
        return messages


def run_once(config: MonitorConfig, environment: RunEnvironment) -> Pass:
    """Score new scenes, send alerts of unusual ones, and end.

    Parameters
    ----------
    config : MonitorConfig
        From `anomvae.monitoring.config.read_monitoring`.
    environment : RunEnvironment
        Clock, secrets, stdout.

    Returns
    -------
    Pass

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
        outbox, channels = self._outbox, self.channels
        deliver = partial(outbox.send, channels, self.environment.now)
        deliver()
        sites = [self._site(site, deliver) for site in self.config.site]
        deliver()
        problems = [problem for site in sites for problem in site.problems]
        problems += self._undelivered(outbox, channels)
        problems += self._missing_feed(channels)
        return Pass(
            done=sum(site.done for site in sites),
            known=sum(site.known for site in sites),
            alerts=sum(site.alerts for site in sites),
            problems=tuple(problems),
        )

    def _site(self, site: SiteConfig, deliver: Callable[[], int]) -> SitePass:
        site_pass = SitePass(
            site=site,
            state=self.state,
            retry=self.config.retry,
            now=self.environment.now,
            channels=tuple(channel.name for channel in self.channels),
            aside=tuple(Path(other.out) for other in self.config.site),
        )
        site_pass.run(self.environment.scoring, deliver)
        return site_pass

    @property
    def _outbox(self) -> Outbox:
        return Outbox(self.state.database, self.config.alerts.retry)

    @property
    def channels(self) -> list[Channel]:
        """All channels that get alerts."""
        alerts, secrets = self.config.alerts, self.environment.variables
        channels: list[Channel] = [StdoutChannel(self.environment.stream)] if alerts.stdout else []
        if alerts.feed is not None:
            newest = partial(latest, self.state.database, alerts.feed.alerts)
            channels.append(Feed(alerts.feed.path, newest))
        channels += [Webhook(config, secrets) for config in alerts.webhook]
        return channels + [Mail(config, secrets) for config in alerts.mail]

    def _undelivered(self, outbox: Outbox, channels: list[Channel]) -> list[Problem]:
        problems = []
        for channel in channels:
            waiting = outbox.waiting(channel.name)
            if waiting:
                reason = outbox.last_error(channel.name)
                message = (
                    f"{waiting} alerts wait for {channel.name!r}: {reason}. They are kept, and a "
                    f"later run sends them."
                )
                problems.append(Problem(None, None, NotDelivered(message)))
        return problems

    def _missing_feed(self, channels: list[Channel]) -> list[Problem]:
        """Write the feed if it is missing, so that readers find a file."""
        for channel in channels:
            if isinstance(channel, Feed) and not Path(channel.path).exists():
                try:
                    channel.write()
                except DeliveryFailed as error:
                    return [Problem(None, None, NotDelivered(str(error)))]
        return []

    def _ended(self, done: Pass, seconds: float) -> Pass:
        """Record the end of the run in metrics, state, log and heartbeat."""
        config, now = self.config.health, self.environment.now()
        if config.prometheus is not None:
            outbox = self._outbox
            waiting = {channel.name: outbox.waiting(channel.name) for channel in self.channels}
            names = tuple(site.name for site in self.config.site)
            metrics = RunMetrics(now, seconds, done.code == 0, names, waiting)
            try:
                write_metrics(config.prometheus, self.state.database, metrics)
            except AnomvaeError as error:
                problem = Problem(None, None, error)
                done = Pass(done.done, done.known, done.alerts, (*done.problems, problem))
        counts = {"done": done.done, "failed": done.failed, "known": done.known}
        self.state.end_run(self.environment.run, now, done.code, alerts=done.alerts, **counts)
        log.info("run ended", extra={"facts": {**counts, "alerts": done.alerts, "code": done.code}})
        if done.code == 0:
            send_heartbeat(config, self.environment.variables)
        return done
