"""``anomvae monitor``: one pass over new scenes, and reports of earlier passes."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..documents import to_json
from . import options
from .output import csv_text, echo
from .streams import note

if TYPE_CHECKING:
    from ..monitoring import Overview

SHORT_COLUMNS = ["site", "source", "status", "finished", "valid", "flagged", "objects", "error"]
config_arg = click.argument("config")


def _renamed_to_site(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("--place is now called --site.")


@click.group()
def monitor() -> None:
    """Watch sites: score each new scene once, and send alerts of unusual ones.

    \b
    CONFIG is a TOML file; configs/monitor.toml is a commented example:
        anomvae monitor run watch.toml       # from cron, systemd or Airflow
        anomvae monitor status watch.toml
        anomvae monitor history watch.toml --csv > scenes.csv
    """


@monitor.command()
@config_arg
@options.verbose_opt
def run(config: str) -> None:
    """Make one pass over the sites of CONFIG, and end.

    Alerts are printed on stdout, a JSON line each; failures on stderr, a line each.
    """
    from datetime import UTC, datetime
    from uuid import uuid4

    from ..monitoring import RunEnvironment, run_once
    from ..monitoring.config import read_monitoring

    watch, run_id = read_monitoring(config), uuid4().hex[:12]
    environment = RunEnvironment(run_id, lambda: datetime.now(UTC), os.environ, sys.stdout)
    with _logged(watch.health.log, run_id):
        done = run_once(watch, environment)
    for message in done.messages:
        note(f"Error: {message}")
    if done.code:
        raise SystemExit(done.code)


@monitor.command()
@config_arg
@options.json_opt
def status(config: str, as_json: bool) -> None:
    """Show the watch of CONFIG: last run, sites, failed scenes, waiting alerts."""
    from dataclasses import asdict

    from ..monitoring import overview
    from ..monitoring.config import read_monitoring

    summary = overview(read_monitoring(config).state)
    echo(to_json(asdict(summary), indent=2) if as_json else "\n".join(_status(summary)))


@monitor.command()
@config_arg
@click.option("--site", help="Only this site.")
@click.option("--place", hidden=True, expose_value=False, callback=_renamed_to_site)
@click.option("-n", "--last", type=click.IntRange(1), help="Only this number of scenes.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@options.json_opt
def history(config: str, site: str | None, last: int | None, as_csv: bool, as_json: bool) -> None:
    """List the scenes of CONFIG and their results, the latest first."""
    from ..monitoring import history as scene_history
    from ..monitoring.config import read_monitoring

    if as_csv and as_json:
        raise click.UsageError("Give either --csv or --json, not both.")
    rows = scene_history(read_monitoring(config).state, site=site, last=last)
    if as_json:
        echo(to_json(json.loads(rows.to_json(orient="records")), indent=2))
    elif as_csv:
        echo(csv_text(rows), nl=False)
    elif len(rows):
        short = rows[SHORT_COLUMNS].astype(object)
        echo(short.where(short.notna(), "").to_string(index=False, max_colwidth=60))
    else:
        echo("no scenes")


@contextmanager
def _logged(path: str | None, run_id: str) -> Iterator[None]:
    """Log every event to a file as a JSON line; on stderr only with ``-v``."""
    from ..errors import AnomvaeError
    from ..files import writing
    from ..monitoring.health import JsonFormatter

    with writing(Path(path or os.devnull)):
        if path is not None and Path(path).is_fifo():
            # Fails where nobody reads the pipe; to open it otherwise would wait.
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        handler = _LossyFileHandler(path or os.devnull, encoding="utf-8")
    handler.setFormatter(JsonFormatter(run_id))
    whole, watch = logging.getLogger("anomvae"), logging.getLogger("anomvae.monitoring")
    watch.propagate = whole.level < logging.WARNING
    watch.setLevel(min(whole.level, logging.INFO))
    logs = [whole] if watch.propagate else [whole, watch]
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
        watch.propagate = True
        handler.close()


class _LossyFileHandler(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line, as on a full disk: the run goes on."""


def _status(summary: Overview) -> Iterator[str]:
    run = summary.last_run
    if summary.owner is not None:
        yield f"at work: {summary.owner}"
    if run is not None:
        end = "no end is known" if run.ended is None else f"ended {run.ended} with code {run.code}"
        yield (
            f"last run: began {run.began}, {end}; {run.done} scored, {run.failed} failed, "
            f"{run.known} known, {run.alerts} alerts"
        )
    yield f"last success: {summary.last_success or 'never'}"
    for site in summary.sites:
        newest = "" if site.newest is None else f", newest {site.newest}"
        begun = f", {site.begun} begun" if site.begun else ""
        yield f"{site.site}: {site.done} done, {site.failed} failed{begun}{newest}"
    for failure in summary.failures:
        again = "given up" if failure.next_try is None else f"again from {failure.next_try}"
        yield f"failed: {failure.site}: {failure.source}, {failure.tries} tries, {again}"
        yield f"  {failure.error}"
    for waiting in summary.waiting:
        yield f"waiting: {waiting.waiting} alerts for {waiting.channel}: {waiting.error}"
