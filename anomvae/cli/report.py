"""``anomvae report``: results of scenes as one page of HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options
from .output import echo

if TYPE_CHECKING:
    from ..raster import Access


@click.command()
@click.argument("results", metavar="DIR|MAP...", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE.html",
    help="Page to write, or to make anew.",
)
@click.option("--labels", metavar="FILE", help="Labels of the only scene: metrics and curves.")
@click.option(
    "--baselines",
    default="rx",
    show_default=True,
    metavar="NAMES|none",
    help="Baselines to measure by the labels, too: rx, rrx, local-rx, crd, pca, iforest.",
)
@click.option(
    "-m", "--model", metavar="FILE", help="The model that scored the scenes: its card and training."
)
@click.option(
    "--model-id",
    metavar="ID",
    help="Of results of several models, take those of the one whose identity begins like this; "
    "any: all, although their scores do not compare.",
)
@options.replace_opt
@options.access_options
@options.verbose_opt
def report(  # noqa: PLR0913 - one argument per option
    results: tuple[str, ...],
    out: str,
    labels: str | None,
    baselines: str,
    model: str | None,
    model_id: str | None,
    overwrite: bool,
    access: Access,
) -> None:
    """Write results as one page, which opens in a browser without a network or a server.

    A DIR holds what score or detect wrote, of one scene or many, or folders of that; a MAP is a
    <scene>.anomaly.tif.  The page has the scene with scores, flags and objects as a map to zoom,
    the histogram of scores with a threshold to drag, the objects with their spectra, what the
    threshold promises, and the facts of the run; of several scenes first an overview.

    \b
    Examples:
        anomvae report maps/ -o report.html
        anomvae report maps/ -o report.html -m coast.safetensors
        anomvae report maps/scene.anomaly.tif -o scene.html --labels labels.tif
    """
    from ..reporting import report as write_report

    with options.progress_bar() as progress:
        page = write_report(
            results,
            out,
            labels=labels,
            baselines=options.baseline_names(baselines),
            model=model,
            model_id=model_id,
            overwrite=overwrite,
            access=access,
            progress=progress,
        )
    echo(f"{page.path}  {page.headline}")
