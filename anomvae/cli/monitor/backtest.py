"""``anomvae monitor backtest``: what a watch would have done with an archive, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ...documents import to_json
from .. import options
from ..output import echo
from ..streams import note
from .arguments import config_arg, site_opt

if TYPE_CHECKING:
    from ...monitoring.backtest import Outlook, SiteBacktest

LEGEND = (
    "days, passes: median from the first exceedance of an event to its confirmation; closed: of "
    "those confirmed"
)
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@config_arg
@click.option("--from", "first", type=DAY, required=True, help="First day of the archive.")
@click.option("--to", "last", type=DAY, required=True, help="Last day.")
@site_opt
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the sites, as in alert.min_area_px=25.",
)
@click.option("--as-is", is_flag=True, help="Leave out the rules that are changed one at a time.")
@options.json_opt
@options.verbose_opt
def backtest(
    config: str,
    first: datetime,
    last: datetime,
    site: str | None,
    settings: tuple[str, ...],
    as_is: bool,
    as_json: bool,
) -> None:
    """Replay an archive through the watch of CONFIG, and through its rules changed one at a time.

    Finished scenes are not scored again, others are, into a temporary folder.  State, results and
    alerts of the watch stay as they are.

    \b
    Examples:
        anomvae monitor backtest watch.toml --from 2023-01-01 --to 2023-12-31
        anomvae monitor backtest watch.toml --from 2023-01-01 --to 2023-12-31 --site harbour \\
            --set alert.confirm="3 of 4" --set threshold=log-sigma:4
    """
    from dataclasses import asdict
    from datetime import UTC

    from ...errors import ScenesFailed
    from ...monitoring.backtest import Span, backtest_sites

    if last < first:
        raise click.UsageError(f"--from {first:%Y-%m-%d} lies after --to {last:%Y-%m-%d}.")
    span = Span(first.date(), last.date())
    with options.progress_bar() as progress:
        sites = backtest_sites(
            config,
            span,
            datetime.now(UTC),
            only=site,
            settings=settings,
            vary=not as_is,
            progress=progress,
        )
    if as_json:
        echo(to_json([asdict(each) for each in sites], indent=2))
    else:
        echo("\n\n".join("\n".join(_report(each)) for each in sites))
    for each in sites:
        for problem in each.problems:
            note(f"Error: {each.site}: {problem}")
    if any(each.problems for each in sites):
        raise SystemExit(ScenesFailed.exit_code)


def _report(found: SiteBacktest) -> Iterator[str]:
    now = found.outlooks[0]
    yield (
        f"{found.site}, {found.first} to {found.last}: {found.scenes} scenes: {now.normal} normal, "
        f"{now.anomalous} anomalous, {now.not_comparable} not comparable, {now.failed} failed"
    )
    yield ""
    answered = now.acknowledged + now.rejected > 0
    yield from _table([_titles(answered), *(_row(each, answered) for each in found.outlooks)])
    yield ""
    yield from map(str, found.advice)
    yield LEGEND
    yield from found.notes


def _titles(answered: bool) -> tuple[str, ...]:
    titles = ("", "alerts", "a month", "opened", "confirmed", "closed", "days", "passes")
    return (*titles, "acknowledged", "rejected") if answered else titles


def _row(each: Outlook, answered: bool) -> tuple[str, ...]:
    delay = (
        "-" if value is None else f"{value:g}" for value in (each.delay_days, each.delay_passes)
    )
    cells = (
        each.change,
        f"{each.alerts}",
        f"{each.alerts_per_month:.2f}",
        *map(str, (each.opened, each.confirmed, each.closed)),
        *delay,
    )
    answers = f"{each.hits} of {each.acknowledged}", f"{each.false_alarms} of {each.rejected}"
    return (*cells, *answers) if answered else cells


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows with their columns aligned, the first one on the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *cells])
