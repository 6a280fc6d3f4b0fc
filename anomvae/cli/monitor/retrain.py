"""``anomvae monitor retrain``: a successor of a site's model, and what it would change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ...documents import to_json
from .. import options
from ..lazy import importing
from ..output import echo
from .arguments import config_arg

if TYPE_CHECKING:
    from ...monitoring.successors import Accepted, SceneEffect, Successor


@click.command()
@config_arg
@click.argument("site")
@click.option(
    "-n",
    "--last",
    type=click.IntRange(3),
    metavar="N",
    help="Train on the newest N normal scenes only.",
)
@click.option(
    "--compare",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="The newest N scenes are scored by both models.",
)
@click.option(
    "--with-anomalous",
    is_flag=True,
    help="Also train on scenes with anomalies, without what is flagged in them.",
)
@click.option("--accept", is_flag=True, help="Put the successor in service from now on.")
@options.seed_opt
@options.json_opt
def retrain(  # noqa: PLR0913 - one argument per option
    config: str,
    site: str,
    last: int | None,
    compare: int,
    with_anomalous: bool,
    accept: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Train a successor of SITE's model on its normal scenes, and print what it would change.

    It has the configuration of the model.  Flagged pixels and those of open events do not count.
    It is written beside the model, as MODEL.successor.safetensors.  --accept puts it in service,
    or the one that lies there; the model is kept under a name with the day.

    \b
    Examples:
        anomvae monitor retrain watch.toml harbour
        anomvae monitor retrain watch.toml harbour --accept
    """
    from dataclasses import asdict

    with importing():
        from datetime import UTC, datetime
        from uuid import uuid4

        from ...monitoring.config import read_monitoring
        from ...monitoring.retraining import retraining
        from ...monitoring.successors import RetrainOptions

    watch = read_monitoring(config)
    with retraining(watch, site, uuid4().hex[:12], lambda: datetime.now(UTC)) as work:
        successor = accepted = None
        if not (accept and work.waiting and last is None):
            with options.progress_bar() as progress:
                successor = work.train(
                    RetrainOptions(last, compare, seed, with_anomalous), progress
                )
        if accept:
            accepted = work.accept()
    if as_json:
        done = {
            "successor": None if successor is None else asdict(successor),
            "accepted": None if accepted is None else asdict(accepted),
        }
        echo(to_json(done, indent=2))
    else:
        lines = [] if successor is None else list(_described(successor))
        lines += (
            _put_in_service(accepted)
            if accepted
            else [f"`anomvae monitor retrain {config} {site} --accept` puts it in service."]
        )
        echo("\n".join(lines))


def _described(made: Successor) -> Iterator[str]:
    width = max(len("scene"), *(len(one.source) for one in made.compared)) if made.compared else 5
    yield f"{'':{width}}  {'flagged %':>16}  {'objects':>14}  {'drift, 1 = limit':>16}"
    halves = f"{'before':>7} {'after':>8}"
    yield f"{'scene':{width}}  {halves}  {'before':>6} {'after':>7}  {halves}"
    for one in made.compared:
        b, a = one.before, one.after
        yield (
            f"{one.source:{width}}  {100 * b.flagged:7.2f} {100 * a.flagged:8.2f}  "
            f"{b.objects:6} {a.objects:7}  {_level(b):>7} {_level(a):>8}"
        )
    yield f"threshold: {made.before:.4g} before, {made.after:.4g} after ({made.rule})"
    yield (
        f"{made.path}: trained on {made.pixels} pixels of {len(made.scenes)} scenes, "
        f"{made.scenes[0]} to {made.scenes[-1]}, without {made.excluded} that are flagged or of "
        f"an event"
    )


def _level(figures: SceneEffect) -> str:
    return "-" if figures.drift is None else f"{figures.drift:.2f}"


def _put_in_service(done: Accepted) -> Iterator[str]:
    yield (
        f"{done.model} is in service for scenes that arrive from now on; the one before is "
        f"{done.kept}. Scenes that are done stay as they are."
    )
    if done.also:
        yield f"It serves {', '.join(done.also)}, too: the file is the same."
