"""One pass over all sites: what is new is scored, recorded and told, and the pass ends.

Who calls it decides when; the state decides what.  A scene's row says done only after its
deliverables are on disk, in the transaction that also holds the alert about it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TextIO

from ..errors import AnomvaeError, NotDelivered
from .channels import Channel, DeliveryFailed, Feed, Mail, StdoutChannel, Webhook
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
    """What a run takes from the outside."""

    run: str
    """Id of the run, different for each."""
    now: Callable[[], datetime]
    """The clock; its times know their zone."""
    environment: Mapping[str, str]
    """Where secrets are."""
    stream: TextIO
    """Where alerts are printed."""
    scoring: Callable[[SiteConfig], Scoring] = scoring_of
    """Loads the detector of a site."""


@dataclass(frozen=True)
class Pass:
    """What a run did."""

    done: int
    """Scenes that were scored."""
    known: int
    """Scenes that were done before, or wait for another try."""
    alerts: int
    """Alerts that were made."""
    problems: tuple[Problem, ...]
    """What failed."""

    @property
    def failed(self) -> int:
        """Scenes that failed."""
        return sum(problem.scene is not None for problem in self.problems)

    @property
    def code(self) -> int:
        """Exit code: that of all problems, if they have one in common, else 5."""
        codes = {problem.code for problem in self.problems}
        return 0 if not codes else codes.pop() if len(codes) == 1 else NotDelivered.exit_code

    @property
    def lines(self) -> list[str]:
        """What failed, in a line each; scenes of a site that its model does not fit in one."""
        misfits: dict[str | None, list[Problem]] = {}
        lines = []
        for problem in self.problems:
            if problem.misfit:
                misfits.setdefault(problem.site, []).append(problem)
            else:
                lines.append(str(problem))
        for site, group in misfits.items():
            more = f" (so do {len(group) - 1} more)" if len(group) > 1 else ""
            lines.append(f"{site}: {group[0].error}{more}")
        return lines


def run_once(config: MonitorConfig, around: RunEnvironment) -> Pass:
    """Score the scenes that are new, tell of what is unusual, and end.

    Parameters
    ----------
    config : MonitorConfig
        From `anomvae.config.read_monitoring`.
    around : RunEnvironment
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
    with only_run(folder, around.run, around.now()), opened_state(folder) as state:
        return _Run(config, around, state).whole()


@dataclass(frozen=True)
class _Run:
    """A run that holds the lock."""

    config: MonitorConfig
    around: RunEnvironment
    state: State

    def whole(self) -> Pass:
        """Run from the first note in the state to the last."""
        start = time.perf_counter()
        self.state.begin_run(self.around.run, self.around.now())
        log.info("run began")
        try:
            done = self._work()
        except KeyboardInterrupt:
            self.state.end_run(self.around.run, self.around.now(), INTERRUPTED)
            log.warning("run interrupted")
            raise
        return self._told(done, time.perf_counter() - start)

    def _work(self) -> Pass:
        """Send what waits; look at each site, and send what it gives; say what could not be."""
        outbox, channels = self._outbox, self.channels
        tell = partial(outbox.send, channels, self.around.now)
        tell()
        sites = [self._site(site, channels, tell) for site in self.config.site]
        tell()
        problems = [problem for site in sites for problem in site.problems]
        problems += self._undelivered(outbox, channels)
        problems += self._missing_feed(channels)
        return Pass(
            done=sum(site.done for site in sites),
            known=sum(site.known for site in sites),
            alerts=sum(site.alerts for site in sites),
            problems=tuple(problems),
        )

    def _site(self, site: SiteConfig, channels: list[Channel], tell: Callable[[], int]) -> SitePass:
        looked = SitePass(
            site=site,
            state=self.state,
            retry=self.config.retry,
            now=self.around.now,
            channels=tuple(channel.name for channel in channels),
            aside=tuple(Path(other.out) for other in self.config.site),
        )
        looked.run(self.around.scoring, tell)
        return looked

    @property
    def _outbox(self) -> Outbox:
        return Outbox(self.state.database, self.config.alerts.retry)

    @property
    def channels(self) -> list[Channel]:
        """Everyone who is told."""
        alerts, secrets = self.config.alerts, self.around.environment
        found: list[Channel] = [StdoutChannel(self.around.stream)] if alerts.stdout else []
        if alerts.feed is not None:
            listed = partial(latest, self.state.database, alerts.feed.alerts)
            found.append(Feed(alerts.feed.path, listed))
        found += [Webhook(each, secrets) for each in alerts.webhook]
        return found + [Mail(each, secrets) for each in alerts.mail]

    def _undelivered(self, outbox: Outbox, channels: list[Channel]) -> list[Problem]:
        problems = []
        for channel in channels:
            waiting = outbox.waiting(channel.name)
            if waiting:
                told = (
                    f"{waiting} alerts wait for {channel.name!r}: {outbox.why(channel.name)}. They "
                    f"are kept, and a later run sends them."
                )
                problems.append(Problem(None, None, NotDelivered(told)))
        return problems

    def _missing_feed(self, channels: list[Channel]) -> list[Problem]:
        """Write the feed where it is missing: an empty one says that nothing was unusual."""
        for channel in channels:
            if isinstance(channel, Feed) and not Path(channel.path).exists():
                try:
                    channel.write()
                except DeliveryFailed as error:
                    return [Problem(None, None, NotDelivered(str(error)))]
        return []

    def _told(self, done: Pass, seconds: float) -> Pass:
        """Write down how the run ended, for those who watch it."""
        config, now = self.config.health, self.around.now()
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
        self.state.end_run(self.around.run, now, done.code, alerts=done.alerts, **counts)
        log.info("run ended", extra={"facts": {**counts, "alerts": done.alerts, "code": done.code}})
        if done.code == 0:
            send_heartbeat(config, self.around.environment)
        return done
