"""Options of what is written about a scene: fields of `ScoreOptions`."""

from __future__ import annotations

from dataclasses import fields
from functools import wraps
from typing import Any

import click

from .lazy import importing
from .options import Command

min_area_opt = click.option(
    "--min-area",
    type=int,
    default=1,
    show_default=True,
    help="Pixels of the smallest object that the objects file lists.",
)
top_opt = click.option(
    "--top",
    type=int,
    metavar="N",
    help="List only the N objects that lie furthest above the threshold.  [default: all]",
)
p_values_opt = click.option(
    "--p-values",
    is_flag=True,
    help="Write a map of p-values, too; for gaussian, conformal, fdr and quantile.",
)
sensitivity_opt = click.option(
    "--sensitivity",
    is_flag=True,
    help="Report how much of a pixel an object must fill to be found in the scene.",
)
explain_opt = click.option(
    "--explain",
    is_flag=True,
    help="Write a map of why each pixel scores as it does, too: leading band, its residual, and "
    "the share of each term.",
)
gpkg_opt = click.option(
    "--gpkg",
    is_flag=True,
    help="Write the objects as a GeoPackage, too, in the coordinates of the scene, with a style.",
)
stac_opt = click.option(
    "--stac",
    is_flag=True,
    help="Write a STAC item of the scene and its results, too.",
)
only_opt = click.option(
    "--only",
    type=click.Choice(["score"]),
    help="Leave the terms of the score out of the map, which is then a quarter of the size.",
)
compress_opt = click.option(
    "--compress",
    default="zstd",
    show_default=True,
    metavar="zstd|lerc:E",
    help="How the map is compressed; lerc:1e-3 rounds its numbers by at most .001.",
)
overwrite_opt = click.option("--overwrite", is_flag=True, help="Replace results of other settings.")


def result_options(command: Command) -> Command:
    """Add the options of every command that scores; it takes them as ``score_options``.

    Options of the command itself that are fields of `ScoreOptions`, such as ``--tile``, are in it.
    """

    @wraps(command)
    def with_results(*arguments: Any, **chosen: Any) -> Any:  # noqa: ANN401 - click's
        with importing():
            from ..mapping import ScoreOptions

        own = [field.name for field in fields(ScoreOptions) if field.name in chosen]
        made = ScoreOptions(**{name: chosen.pop(name) for name in own})
        return command(*arguments, score_options=made, **chosen)

    what = (stac_opt, gpkg_opt, explain_opt, sensitivity_opt, p_values_opt, top_opt, min_area_opt)
    for option in (overwrite_opt, compress_opt, only_opt, *what):
        with_results = option(with_results)
    return with_results
