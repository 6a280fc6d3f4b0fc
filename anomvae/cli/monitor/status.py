"""``anomvae monitor status``: what the last run did, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ...documents import to_json
from .. import options
from ..output import echo
from .arguments import config_arg

if TYPE_CHECKING:
    from ...monitoring import Overview


@click.command()
@config_arg
@options.json_opt
def status(config: str, as_json: bool) -> None:
    """Show the watch of CONFIG: last run, sites and their events, failures, waiting alerts."""
    from dataclasses import asdict

    from ...monitoring import overview
    from ...monitoring.config import read_monitoring
    from ...monitoring.drift_report import drift_lines

    watch = read_monitoring(config)
    summary, drift = overview(watch.state), drift_lines(watch)
    if as_json:
        echo(to_json({**asdict(summary), "drift": drift}, indent=2))
    else:
        echo("\n".join([*_status(summary), *(f"drift: {line}" for line in drift)]))


def _status(summary: Overview) -> Iterator[str]:
    run = summary.last_run
    if summary.owner is not None:
        yield f"at work: {summary.owner}"
    if run is not None:
        end = "no end is known" if run.ended is None else f"ended {run.ended} with code {run.code}"
        yield (
            f"last run: began {run.began}, {end}; {run.done} scored, {run.failed} failed, "
            f"{run.known} known; alerts: {run.alerts}"
        )
    yield f"last success: {summary.last_success or 'never'}"
    for site in summary.sites:
        newest = "" if site.newest is None else f"; last scored {site.newest}"
        begun = f", {site.begun} begun" if site.begun else ""
        yield f"{site.site}: {site.done} done, {site.failed} failed{begun}{newest}"
        yield (
            f"  {site.normal} normal, {site.anomalous} anomalous, {site.not_comparable} not "
            f"comparable; open events: {site.provisional} provisional, {site.confirmed} confirmed"
        )
    for notice in summary.notices:
        kind = "site failed" if notice.level == "error" else "note"
        yield f"{kind}: {notice.site}: {notice.text}"
    for failure in summary.failures:
        again = "given up" if failure.next_try is None else f"again from {failure.next_try}"
        yield f"failed: {failure.site}: {failure.source}, {failure.tries} tries, {again}"
        yield f"  {failure.error}"
    for waiting in summary.waiting:
        yield f"alerts that wait for {waiting.channel}: {waiting.waiting}; {waiting.error}"
