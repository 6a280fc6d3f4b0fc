"""``anomvae like``: from a pixel, an object or a spectrum to all of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, result_options
from .lazy import importing
from .outcomes import ANOMALY_FOUND, result_line
from .output import echo
from .pixel_arguments import at_opt, model_opt, object_opt, require_folder, results_opt

if TYPE_CHECKING:
    from ..explaining.targets import TargetSource


@click.command()
@options.scenes_arg
@model_opt
@at_opt
@object_opt
@results_opt
@click.option(
    "--spectrum", metavar="FILE", help="Spectrum: CSV (wavelength, value) or an ENVI .sli."
)
@click.option("--name", metavar="NAME", help="Which spectrum of FILE, if it has several.")
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    metavar="FACTOR",
    help="Factor from FILE to the units of the model's scenes, as in 10000.  [default: 1]",
)
@options.folder_opt
@click.option(
    "--threshold",
    "rule",
    metavar="RULE",
    help="As for score, except conformal and fdr; chosen from the scores of the map.  "
    "[default: sigma:5; under 8 bands sigma:3]",
)
@options.pixel_options
@options.radiometry_opt
@options.dates_opt
@result_options.min_area_opt
@result_options.top_opt
@result_options.p_values_opt
@result_options.gpkg_opt
@result_options.stac_opt
@result_options.overwrite_opt
@options.fail_on_anomaly_opt
@options.json_opt
@options.device_opt
@options.access_options
@options.verbose_opt
def like(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    at: tuple[int, int] | None,
    number: int | None,
    results: str | None,
    spectrum: str | None,
    name: str | None,
    scale: float,
    folder: str,
    rule: str | None,
    dates: str,
    min_area: int,
    top: int | None,
    p_values: bool,
    gpkg: bool,
    stac: bool,
    overwrite: bool,
    fail_on_anomaly: bool,
    as_json: bool,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Find more like this: map what in SCENES is like a pixel, an object or a spectrum.

    SCENES is one scene, or its dates for a family that compares them: the newest is mapped.  Give
    one of --at, --object with --results, and --spectrum.  The map, <scene>.like.anomaly.tif,
    has the layers ace (adaptive coherence estimator, 0 to 1, the score) and matched_filter (1: the
    target fills the pixel), by the covariance that the model has learnt.  Flags, objects, quick
    look and summary are those of anomvae score.

    \b
    Examples:
        anomvae like scene.tif -m coast.safetensors --at 120,45 -o like/
        anomvae like scene.tif -m coast.safetensors --object 3 --results maps/ -o like/
        anomvae like scene.tif -m coast.safetensors --spectrum usgs.sli --name Jarosite -o like/
        anomvae like scene.tif -m coast.safetensors --spectrum paint.csv --scale 10000 -o like/
    """
    target = _target(at, number, results, spectrum, name, scale)

    with importing():
        from ..detector import Detector
        from ..explaining import find_like
        from ..fitting import require_compared
        from ..mapping import ScoreOptions
        from ..raster import Selection, scenes_of

    found = ScoreOptions(
        min_area=min_area,
        top=top,
        p_values=p_values,
        gpkg=gpkg,
        stac=stac,
        model_path=model,
        overwrite=overwrite,
    )
    with options.progress_bar() as progress:
        detector = Detector.load(model, device=device)
        compares = detector.compares_dates
        require_compared(dates, compares_dates=compares, family=detector.card.family)
        closed = scenes_of(scenes, Selection(dates=dates, **chosen), one_site=compares)
        if len(closed) != 1:
            raise click.UsageError(f"{len(closed)} scenes are given, and one is mapped.")
        result = find_like(
            detector, closed[0], target, folder, found, threshold=rule, progress=progress
        )
    echo(result_line(result, found, as_json=as_json))
    if fail_on_anomaly and result.flagged:
        raise SystemExit(ANOMALY_FOUND)


def _target(
    at: tuple[int, int] | None,
    number: int | None,
    results: str | None,
    spectrum: str | None,
    name: str | None,
    scale: float,
) -> TargetSource:
    """Return the one target that is given."""
    if sum(given is not None for given in (at, number, spectrum)) != 1:
        raise click.UsageError("Give one target: --at, --object or --spectrum.")
    require_folder(number, results)
    if spectrum is None and (name is not None or scale != 1.0):
        raise click.UsageError("--name and --scale are about --spectrum, which is not given.")

    from ..explaining import ObjectTarget, PixelTarget, SpectrumTarget

    if spectrum is not None:
        return SpectrumTarget(spectrum, name, scale)
    if number is not None and results is not None:
        return ObjectTarget(number, results)
    return PixelTarget(*(at or (0, 0)))
