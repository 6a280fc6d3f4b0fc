"""``anomvae monitor run``: one pass over new scenes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import options
from ..lazy import importing
from ..output import echo
from ..streams import note
from .arguments import config_arg

if TYPE_CHECKING:
    from datetime import datetime

    from ...monitoring.config import MonitorConfig


@click.command()
@config_arg
@click.option("--dry-run", is_flag=True, help="Print what a run would do, and do nothing.")
@click.option(
    "--backfill",
    is_flag=True,
    help="Score again what is done with another model or other settings.",
)
@options.verbose_opt
def run(config: str, dry_run: bool, backfill: bool) -> None:
    """Make one pass over the sites of CONFIG, and end.

    Alerts are printed on stdout, a JSON line each; failures on stderr, a line each.  A changed
    model scores the scenes that arrive from then on, unless --backfill is given.
    """
    with importing():
        from datetime import UTC, datetime
        from uuid import uuid4

        from ...monitoring import RunEnvironment, run_once
        from ...monitoring.config import read_monitoring
        from ...parallel import quiet

    watch, run_id = read_monitoring(config), uuid4().hex[:12]
    if dry_run:
        _preview(watch, datetime.now(UTC), backfill=backfill)
        return
    environment = RunEnvironment(
        *(run_id, lambda: datetime.now(UTC), os.environ, sys.stdout),
        backfill=backfill,
        progress=_show if sys.stderr.isatty() else quiet,
    )
    with _logged(watch.health.log, run_id):
        done = run_once(watch, environment)
    everything = logging.getLogger("anomvae").isEnabledFor(logging.INFO)  # with -v
    every = (f"{one.site}: {one.text}" for one in done.notes)
    for line in every if everything else done.reports:
        note(f"Note: {line}")
    for message in done.messages:
        note(f"Error: {message}")
    if done.code:
        raise SystemExit(done.code)


def _show(site: str, done: int, total: int) -> None:
    """Show at which scene of a site the run is; a bar would lie across the lines of alerts."""
    note(f"{site}: scene {done + 1} of {total}")


def _preview(watch: MonitorConfig, now: datetime, *, backfill: bool) -> None:
    """Print what a run would do."""
    from ...monitoring.preview import preview
    from ...monitoring.problem import code_of

    found = preview(watch, now, backfill=backfill)
    for site in found.sites:
        again = f", {site.again} of them again" if site.again else ""
        echo(
            f"{site.site}: {len(site.due)} to score with {site.detector}{again}; {site.known} known"
        )
        for line in (*site.due, *(f"alert: {alert}" for alert in site.alerts)):
            echo(f"  {line}")
        for line in site.notes:
            echo(f"  note: {line}")
    for each in found.waiting:
        alerts = "alert waits" if each.waiting == 1 else "alerts wait"
        echo(f"{each.waiting} {alerts} for {each.channel}: {each.error}")
    for problem in found.problems:
        note(f"Error: {problem}")
    if found.problems:
        raise SystemExit(code_of(found.problems))


@contextmanager
def _logged(path: str | None, run_id: str) -> Iterator[None]:
    """Log every event to a file as a JSON line; on stderr only with ``-v``.

    What is logged of a scene that is not like the training scenes is the reason of its outcome.
    """
    from ...errors import AnomvaeError
    from ...files import writing
    from ...monitoring.health import JsonFormatter

    with writing(Path(path or os.devnull)):
        if path is not None and Path(path).is_fifo():
            # Fails where nobody reads the pipe; to open it otherwise would wait.
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        handler = _LossyFileHandler(path or os.devnull, encoding="utf-8")
    handler.setFormatter(JsonFormatter(run_id))
    whole, watch = logging.getLogger("anomvae"), logging.getLogger("anomvae.monitoring")
    own = watch, logging.getLogger("anomvae.mapping.verdict")
    watch.setLevel(min(whole.level, logging.INFO))
    for log in own:
        log.propagate = whole.level < logging.WARNING
    logs = [whole] if watch.propagate else [whole, *own]
    for log in logs:
        log.addHandler(handler)
    try:
        yield
    except AnomvaeError as error:
        watch.error("run refused", extra={"facts": {"error": str(error)}})
        raise
    finally:
        for log in logs:
            log.removeHandler(handler)
        for log in own:
            log.propagate = True
        handler.close()


class _LossyFileHandler(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line, as on a full disk: the run goes on."""
