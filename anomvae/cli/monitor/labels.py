"""``anomvae monitor labels``: what people answered, as labels for ``anomvae evaluate``."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from .. import options
from ..output import echo
from .arguments import config_arg

if TYPE_CHECKING:
    from ...monitoring.labels import LabelCounts


@click.command()
@config_arg
@click.argument("site")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    help="Labels to write: .tif on the grid of the site, or .geojson.",
)
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only events that last on this day are anomalous: the date of the scene to evaluate.",
)
@options.replace_opt
def labels(config: str, site: str, out: str, day: datetime | None, overwrite: bool) -> None:
    """Write what people answered about events of SITE as labels.

    Ground of acknowledged events is anomalous; that of rejected ones is normal, as is all without
    an event; under events that are muted or not answered it is unknown.

    \b
    Example:
        anomvae monitor labels watch.toml harbour --on 2024-06-01 -o labels.tif
        anomvae evaluate harbour_2024-06-01.tif maps/*/*2024-06-01.anomaly.tif --labels labels.tif
    """
    from ...monitoring.config import read_monitoring
    from ...monitoring.labels import write_labels

    watch = read_monitoring(config)
    chosen = watch.site_called(site)
    options.require_writable(out, overwrite, [config])
    echo(_line(out, write_labels(chosen, watch.state, out, _date(day))))


def _date(day: datetime | None) -> date | None:
    return None if day is None else day.date()


def _line(path: str, counts: LabelCounts) -> str:
    events = (
        f"events: {counts.acknowledged} acknowledged, {counts.rejected} rejected, "
        f"{counts.unknown} muted or not answered"
    )
    if counts.pixels is None:
        return f"{path}: {events}"
    pixels = ", ".join(
        f"{counts.pixels[value]} {name}"
        for name, value in (("anomalous", 1), ("normal", 0), ("unknown", 255))
    )
    return f"{path}: {events}; pixels: {pixels}"
