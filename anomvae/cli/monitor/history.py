"""``anomvae monitor history``: every scene and its result."""

from __future__ import annotations

import json

import click

from ...documents import to_json
from .. import options
from ..output import csv_text, echo
from .arguments import config_arg, site_opt

SHORT_COLUMNS = [
    "site",
    "source",
    "status",
    "outcome",
    "finished",
    "flagged",
    "objects",
    "drift_level",
    "why",
]


def _renamed_to_site(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("--place is now called --site.")


@click.command()
@config_arg
@site_opt
@click.option("--place", hidden=True, expose_value=False, callback=_renamed_to_site)
@click.option("-n", "--last", type=click.IntRange(1), help="Only this number of scenes.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@options.json_opt
def history(config: str, site: str | None, last: int | None, as_csv: bool, as_json: bool) -> None:
    """List the scenes of CONFIG and their results, the latest first."""
    from ...monitoring import history as scene_history
    from ...monitoring.config import read_monitoring

    if as_csv and as_json:
        raise click.UsageError("Give either --csv or --json, not both.")
    rows = scene_history(read_monitoring(config).state, site=site, last=last)
    if as_json:
        echo(to_json(json.loads(rows.to_json(orient="records")), indent=2))
    elif as_csv:
        echo(csv_text(rows), nl=False)
    elif len(rows):
        rows["why"] = rows["error"].fillna(rows["reasons"])
        short = rows.round({"drift_level": 2})[SHORT_COLUMNS].astype(object)
        echo(short.where(short.notna(), "").to_string(index=False, max_colwidth=60))
    else:
        echo("no scenes")
