"""How a watch is watched: a line for all that happens, figures for Prometheus, a heartbeat."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..files import write_atomically
from .channels import DeliveryFailed, Environment, secret_of
from .config import HealthConfig
from .state import stamp
from .web import CallFailed, call

log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """Formats a record as a JSON line: time, level, run, what happened, and the facts about it.

    Facts are what the record was given as ``extra={"facts": {...}}``.
    """

    def __init__(self, run: str) -> None:
        """Begin the log of a run."""
        super().__init__()
        self.run = run

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line."""
        line = {
            "time": stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "run": self.run,
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@dataclass(frozen=True)
class Figures:
    """What a run tells Prometheus."""

    now: datetime
    """When the run ended."""
    seconds: float
    """How long it took."""
    success: bool
    """Whether nothing failed."""
    places: tuple[str, ...]
    """Names of the places that are watched."""
    waiting: Mapping[str, int]
    """Alerts that each channel has not taken yet."""


def write_metrics(path: str, database: sqlite3.Connection, figures: Figures) -> None:
    """Write the textfile of the node exporter, whole or not at all.

    Raises
    ------
    NotWritten
        If it cannot be written.
    """
    lines = [*_run_lines(database, figures), *_scene_lines(database, figures.places)]
    lines += _metric(
        "alerts_waiting",
        "Alerts that a channel has not taken yet.",
        [({"channel": name}, count) for name, count in figures.waiting.items()],
    )
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def beat(config: HealthConfig, environment: Environment) -> None:
    """Call the heartbeat, if there is one; that it cannot be reached is only logged.

    Who waits for it raises the alarm when it does not come, whatever the reason.
    """
    if config.heartbeat is None and config.heartbeat_env is None:
        return
    try:
        url = config.heartbeat or secret_of(environment, str(config.heartbeat_env))
        call(url, timeout=config.timeout)
    except (CallFailed, DeliveryFailed) as error:
        log.warning("heartbeat not sent", extra={"facts": {"reason": str(error)}})


def _run_lines(database: sqlite3.Connection, figures: Figures) -> Iterator[str]:
    yield from _metric(
        "last_run_timestamp_seconds", "When the last run ended.", [({}, figures.now)]
    )
    success = figures.now if figures.success else last_success(database)
    if success is not None:
        told = "When the last run without failures ended."
        yield from _metric("last_success_timestamp_seconds", told, [({}, success)])
    yield from _metric("run_seconds", "How long the last run took.", [({}, figures.seconds)])


def _scene_lines(database: sqlite3.Connection, places: Iterable[str]) -> Iterator[str]:
    counts, shares = [], []
    for place in places:
        rows = database.execute(
            "SELECT status, count(*) FROM scenes WHERE place = ? GROUP BY status", (place,)
        )
        found = {"done": 0, "failed": 0, "new": 0, "replaced": 0} | dict(map(tuple, rows))
        counts += [({"place": place, "status": name}, count) for name, count in found.items()]
        newest = database.execute(
            "SELECT flagged * 1.0 / max(valid, 1) FROM scenes WHERE place = ? AND status = 'done' "
            "ORDER BY finished DESC, rowid DESC LIMIT 1",
            (place,),
        ).fetchone()
        shares += [] if newest is None else [({"place": place}, newest[0])]
    yield from _metric("scenes", "Scenes by what became of them.", counts)
    yield from _metric("flagged_share", "Share of valid pixels flagged, newest scene.", shares)


def last_success(database: sqlite3.Connection) -> datetime | None:
    """Tell when the last run without failures ended."""
    row = database.execute("SELECT max(ended) FROM runs WHERE code = 0").fetchone()
    return None if row[0] is None else datetime.fromisoformat(row[0])


def _metric(
    name: str, told: str, values: Iterable[tuple[Mapping[str, str], float | datetime]]
) -> Iterator[str]:
    yield f"# HELP anomvae_monitor_{name} {told}"
    yield f"# TYPE anomvae_monitor_{name} gauge"
    for labels, value in values:
        # Names are letters, digits, '.', '-' and '_': nothing to escape.
        inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
        number = value.timestamp() if isinstance(value, datetime) else value
        yield f"anomvae_monitor_{name}{f'{{{inner}}}' if inner else ''} {number:.15g}"
