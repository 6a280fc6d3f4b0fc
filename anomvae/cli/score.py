"""``anomvae score``: write the deliverables of new scenes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from . import options
from .lazy import importing
from .outcomes import ANOMALY_FOUND, report, require_in_domain
from .result_options import result_options

if TYPE_CHECKING:
    from ..mapping import ScoreOptions


@click.command()
@options.scenes_arg
@click.option("-m", "--model", required=True, help="Model file.")
@options.folder_opt
@options.threshold_opt
@options.pixel_options
@options.radiometry_opt
@click.option("--tile", type=int, help="Side of a tile, pixels.  [default: by memory]")
@result_options
@options.dates_opt
@click.option(
    "--threads", type=int, help="Tiles scored at a time.  [default: as many as cores, at most 4]"
)
@click.option(
    "--workers", type=int, help="Processes that score, in addition to this one, which writes."
)
@click.option("--dask", metavar="ADDRESS|local", help="Score on the workers of a Dask cluster.")
@click.option(
    "--strict-domain",
    is_flag=True,
    help="Exit with 4 if a scene is not like the training scenes; its results are written.",
)
@options.fail_on_anomaly_opt
@options.json_opt
@options.device_opt
@options.engine_opt
@options.access_options
@options.verbose_opt
def score(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    folder: str,
    rule: str | None,
    dates: str,
    workers: int | None,
    dask: str | None,
    strict_domain: bool,
    fail_on_anomaly: bool,
    as_json: bool,
    device: str | None,
    engine: str | None,
    score_options: ScoreOptions,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Score SCENES and write map, flags, objects, quick look and summary of each.

    SCENES are products, rasters, folders of them, or patterns in quotes.  Results are named after
    the product; those that are up to date are kept.  --threshold chooses the threshold anew from
    the scores of normal pixels that the model holds.

    --workers and --dask distribute whole scenes where there are enough of them, else the tiles of
    each.  The maps are the same.  Workers open the scenes by the names given here.

    \b
    Examples:
        anomvae score 2025/*.tif -m coast.safetensors -o maps/
        anomvae score archive/ -m fields.safetensors -o maps/
        anomvae score new.tif -m coast.safetensors -o maps/ --threshold quantile:0.0001
        anomvae score 2025-0[1-6]*.tif -m fields.safetensors -o maps/  # a family of dates: one map
        anomvae score archive/*.tif -m coast.safetensors -o maps/ --workers 8
    """
    with importing():
        from ..detector import Detector
        from ..fitting import require_compared
        from ..mapping import score_scenes
        from ..raster import Selection, scenes_of

    score_options = replace(score_options, model_path=model)
    with options.open_workers(workers, dask) as mapper, options.progress_bar() as progress:
        detector = Detector.load(model, threshold=rule, device=device, engine=engine)
        require_compared(dates, compares_dates=detector.compares_dates, family=detector.card.family)
        closed = scenes_of(
            scenes, Selection(dates=dates, **chosen), one_site=detector.compares_dates
        )
        outcomes = score_scenes(
            detector, closed, folder, score_options, progress=progress, mapper=mapper
        )
        results = report(outcomes, len(closed), score_options, as_json=as_json)
    if strict_domain:
        require_in_domain(results)
    if fail_on_anomaly and any(result.flagged for result in results):
        raise SystemExit(ANOMALY_FOUND)
