"""Health of a watch: a log of JSON lines, metrics for Prometheus, a heartbeat."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..addresses import concealed
from ..documents import to_json
from ..files import write_atomically
from .channels import Environment, secret_of
from .config import HealthConfig
from .database import last_success
from .decisions.drift import recorded_drift
from .decisions.event import EventStatus
from .decisions.outcomes import Outcome
from .rule_tables import DriftConfig
from .state import stamp
from .web import DeliveryFailed, call

log = logging.getLogger(__name__)

SCENE_STATUSES = ("done", "failed", "new", "replaced")


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON line: time, level, run, event, and ``extra={"facts": {...}}``."""

    def __init__(self, run: str) -> None:
        """Make the formatter of a run."""
        super().__init__()
        self.run = run

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        facts = {"event": record.getMessage(), **getattr(record, "facts", {})}
        if record.exc_info:
            facts["trace"] = self.formatException(record.exc_info)
        line = {
            "time": stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "run": self.run,
            **{name: _plain(value) for name, value in facts.items()},
        }
        return to_json(line)


def _plain(value: object) -> object:
    """Return a value for JSON; a text without the secrets of addresses in it."""
    return value if isinstance(value, int | float | list | None) else concealed(str(value))


@dataclass(frozen=True)
class RunMetrics:
    """Metrics of a run for Prometheus."""

    ended: datetime
    seconds: float
    success: bool
    sites: tuple[str, ...]
    """Names of the configured sites."""
    waiting: Mapping[str, int]
    """Alerts that each channel has not taken yet."""
    drift: Mapping[str, DriftConfig] = field(default_factory=dict)
    """Limits of the drift of sites."""


def write_metrics(path: str, database: sqlite3.Connection, run: RunMetrics) -> None:
    """Write the textfile of the node exporter; raises `NotWritten`, which leaves the old one."""
    waiting = [({"channel": name}, count) for name, count in run.waiting.items()]
    lines = [
        *_metric("last_run_timestamp_seconds", "When the last run ended.", [({}, run.ended)]),
        *_metric("run_seconds", "How long the last run took.", [({}, run.seconds)]),
        *_scene_lines(database, run.sites),
        *_drift_lines(database, run.drift),
        *_metric("alerts_waiting", "Alerts that a channel has not taken yet.", waiting),
    ]
    before = last_success(database)
    if run.success or before is not None:
        success = run.ended if run.success else datetime.fromisoformat(str(before))
        text = "When the last run without failures ended."
        lines += _metric("last_success_timestamp_seconds", text, [({}, success)])
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def send_heartbeat(config: HealthConfig, environment: Environment) -> None:
    """Call the heartbeat address if configured; a failure is only logged.

    The service behind it raises the alarm when a heartbeat is missing.
    """
    if config.heartbeat is None and config.heartbeat_env is None:
        return
    try:
        url = config.heartbeat or secret_of(environment, str(config.heartbeat_env))
        call(url, timeout=config.timeout)
    except DeliveryFailed as error:
        log.warning("heartbeat not sent", extra={"facts": {"reason": str(error)}})


def _scene_lines(database: sqlite3.Connection, sites: Iterable[str]) -> Iterator[str]:
    counts, shares, outcomes, events = [], [], [], []
    for site in sites:
        counts += _counted(database, "status", SCENE_STATUSES, "scenes", site)
        newest = database.execute(
            "SELECT flagged * 1.0 / max(valid, 1) FROM scenes WHERE site = ? AND status = 'done' "
            "ORDER BY finished DESC, rowid DESC LIMIT 1",
            (site,),
        ).fetchone()
        shares += [] if newest is None else [({"site": site}, newest[0])]
        outcomes += _counted(database, "outcome", Outcome, "scenes", site)
        events += _counted(database, "status", EventStatus, "events", site)
    yield from _metric("scenes", "Scenes by status.", counts)
    yield from _metric("scene_outcomes", "Scenes that are done, by outcome.", outcomes)
    yield from _metric("events", "Events by status.", events)
    yield from _metric("flagged_share", "Share of valid pixels flagged, newest scene.", shares)


def _counted(
    database: sqlite3.Connection, column: str, values: Iterable[str], table: str, site: str
) -> list[tuple[dict[str, str], float]]:
    """Count the rows of a site by the values of a column."""
    rows = database.execute(
        f"SELECT {column}, count(*) FROM {table} WHERE site = ? GROUP BY {column}", (site,)
    )
    found = dict(map(tuple, rows))
    return [({"site": site, column: str(value)}, found.get(value, 0)) for value in values]


def _drift_lines(database: sqlite3.Connection, sites: Mapping[str, DriftConfig]) -> Iterator[str]:
    """Yield the drift of the newest scene of each site that has any."""
    levels, indexes, distances = [], [], []
    for site, limits in sites.items():
        newest = recorded_drift(database, site)[-1:]
        levels += [({"site": site}, scene.level(limits)) for scene in newest]
        for part in newest[0].drift.parts if newest else ():
            of = {"site": site, "of": "scores" if part.name == "scores" else "bands"}
            indexes.append((of, part.psi))
            distances.append((of, part.ks))
    yield from _metric("drift", "Drift of the newest scene; above 1 it exceeds a limit.", levels)
    yield from _metric("drift_psi", "Population-stability index, newest scene.", indexes)
    text = "Kolmogorov-Smirnov distance, newest scene; below 0: values are lower."
    yield from _metric("drift_ks", text, distances)


def _metric(
    name: str, description: str, values: Iterable[tuple[Mapping[str, str], float | datetime]]
) -> Iterator[str]:
    yield f"# HELP anomvae_monitor_{name} {description}"
    yield f"# TYPE anomvae_monitor_{name} gauge"
    for labels, value in values:
        # Names are letters, digits, '.', '-' and '_': nothing to escape.
        inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
        number = value.timestamp() if isinstance(value, datetime) else value
        yield f"anomvae_monitor_{name}{f'{{{inner}}}' if inner else ''} {number:.15g}"
