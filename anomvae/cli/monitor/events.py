"""``anomvae monitor events``: what lasts at the sites, and what people answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ...documents import to_json
from .. import options
from ..output import echo
from .arguments import config_arg, site_opt

if TYPE_CHECKING:
    from ...monitoring.answers import GivenAnswer
    from ...monitoring.decisions.event import Event


@click.command()
@config_arg
@site_opt
@click.option("--all", "closed", is_flag=True, help="Closed events, too.")
@options.json_opt
def events(config: str, site: str | None, closed: bool, as_json: bool) -> None:
    """List the open events of CONFIG: status, days, passes that agree, area, answer and its reason.

    \b
    Examples:
        anomvae monitor events watch.toml
        anomvae monitor events watch.toml --site harbour --all --json
    """
    from dataclasses import asdict

    from ...monitoring import events as events_of
    from ...monitoring.alerts import facts_of
    from ...monitoring.answers import given_answers
    from ...monitoring.config import read_monitoring

    state = read_monitoring(config).state
    found, answers = events_of(state, site=site, closed=closed), given_answers(state)
    if as_json:
        rows = [
            {**facts_of(event), "answers": [asdict(one) for one in answers[event.name]]}
            for event in found
        ]
        echo(to_json(rows, indent=2))
    elif found:
        echo("\n".join(", ".join(_parts(event, answers[event.name])) for event in found))
    else:
        echo("no events" if closed else _none_open(len(events_of(state, site=site, closed=True))))


def _none_open(closed: int) -> str:
    return "no open events" + (f"; {closed} closed, which --all lists" if closed else "")


def _parts(event: Event, answers: Sequence[GivenAnswer]) -> Iterator[str]:
    cluster = event.cluster
    area = "" if cluster.area_m2 is None else f" ({cluster.area_m2:.0f} m2)"
    yield f"{event.name}: {event.status}"
    yield f"{cluster.first} to {cluster.last}"
    yield f"{cluster.agreed} of {cluster.passes} passes"
    yield f"{cluster.area_px} pixels{area}"
    if event.closed is not None:
        yield f"closed {event.closed}: {event.reason}"
    if event.answer is not None:
        yield f"{event.answer} by {answers[-1].by}: {answers[-1].reason}"
