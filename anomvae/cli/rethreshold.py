"""``anomvae rethreshold``: flags of finished maps by another threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, result_options
from .outcomes import ANOMALY_FOUND, report

if TYPE_CHECKING:
    from ..raster import Access


@click.command()
@click.argument("maps", metavar="MAP|DIR...", nargs=-1, required=True)
@click.option(
    "--threshold",
    "rule",
    metavar="RULE",
    required=True,
    help="As for score, but conformal and fdr, which need scores that no map holds.",
)
@click.option(
    "-o",
    "--out",
    "folder",
    metavar="DIR",
    help="Folder for the results.  [default: that of each map]",
)
@result_options.min_area_opt
@result_options.top_opt
@result_options.p_values_opt
@result_options.gpkg_opt
@result_options.stac_opt
@result_options.overwrite_opt
@options.fail_on_anomaly_opt
@options.json_opt
@options.access_options
@options.verbose_opt
def rethreshold(  # noqa: PLR0913 - one argument per option
    maps: tuple[str, ...],
    rule: str,
    folder: str | None,
    min_area: int,
    top: int | None,
    p_values: bool,
    gpkg: bool,
    stac: bool,
    overwrite: bool,
    fail_on_anomaly: bool,
    as_json: bool,
    access: Access,
) -> None:
    """Make flags, objects, quick look and summary of each MAP anew, by another threshold.

    A MAP is a <scene>.anomaly.tif; of a DIR, all that lie in it, but not in folders below.  Neither
    model nor scene is needed: the rule is applied to the scores of the map, as detect does.

    The results replace those beside the map, which stays as it is; with -o they go to another
    folder, with a copy of the map.

    \b
    Examples:
        anomvae rethreshold maps/ --threshold log-sigma:4
        anomvae rethreshold maps/scene.anomaly.tif --threshold budget:500 -o strict/
    """
    from ..mapping import ScoreOptions, maps_in, rethreshold_maps

    chosen = ScoreOptions(
        min_area=min_area,
        top=top,
        p_values=p_values,
        gpkg=gpkg,
        stac=stac,
        overwrite=overwrite,
    )
    found = maps_in(maps)
    with options.progress_bar() as progress:
        outcomes = rethreshold_maps(found, rule, folder, chosen, access=access, progress=progress)
        results = report(outcomes, len(found), chosen, as_json=as_json, noun="maps")
    if fail_on_anomaly and any(result.flagged for result in results):
        raise SystemExit(ANOMALY_FOUND)
