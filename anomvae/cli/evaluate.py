"""``anomvae evaluate``: a map, or a model on a scene, against labels and baselines."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .lazy import importing
from .output import echo, metrics_table
from .pictures import picture_opt, require_results


@click.command()
@options.scene_arg
@click.argument("map_", metavar="[MAP]", required=False)
@click.option("--labels", required=True, help="Raster on the scene's grid; above 0 = anomalous.")
@click.option("-m", "--model", help="Model file, instead of a MAP.")
@click.option("-o", "--out", metavar="FILE.json", help="Metrics to write, as JSON.")
@click.option(
    "--baselines",
    default="rx",
    show_default=True,
    help="rx, rrx, local-rx, crd, pca, iforest; or none.",
)
@picture_opt("--curves", what="Draw ROC and precision-recall of all rows")
@click.option(
    "--threshold",
    metavar="RULE",
    help=(
        "f1 or fpr:RATE, chosen with the labels, budget:N[km2], fixed:VALUE, each with +local:K or "
        "without; any other with -m."
    ),
)
@options.pixel_options
@options.radiometry_opt
@options.replace_opt
@options.json_opt
@options.access_options
@options.verbose_opt
def evaluate(  # noqa: PLR0913 - one argument per option
    scene: str,
    map_: str | None,
    labels: str,
    model: str | None,
    out: str | None,
    baselines: str,
    curves: str | None,
    threshold: str | None,
    overwrite: bool,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Measure an anomaly MAP of SCENE, or a model on SCENE, against labels.

    Precision, recall and F1 are those of the pixels that the files of the scored scene flag; the
    other columns rank the scores alone.  Baselines, fitted to the scene itself, are measured on the
    same pixels at mean + 3 sigma.  With --threshold the last line gives the threshold as
    fixed:VALUE, for anomvae score or rethreshold.

    \b
    Examples:
        anomvae evaluate scene.tif maps/scene.anomaly.tif --labels labels.tif -o metrics.json
        anomvae evaluate scene.tif -m coast.safetensors --labels labels.tif --baselines rx,pca
        anomvae evaluate scene.tif maps/scene.anomaly.tif --labels labels.tif --threshold f1
        anomvae evaluate scene.tif maps/scene.anomaly.tif --labels labels.tif --curves curves.png
    """
    with importing():
        from ..detector import Detector
        from ..evaluation import evaluate as measure_map
        from ..evaluation import evaluate_detector
        from ..files import write_atomically
        from ..raster import Scene, Selection
        from ..stats.thresholds import parse_rule

    if (map_ is None) == (model is None):
        raise click.UsageError("Give either a MAP or a model (-m), not both or neither.")
    select = Selection(**chosen)
    if select.covariates and model is None:
        raise click.UsageError("--covariates are for a model (-m); a MAP was made with them.")
    read = [scene, map_, labels, model, *select.files]
    require_results(out, curves, overwrite, read)
    names = [name.strip() for name in baselines.split(",") if name.strip() not in {"", "none"}]
    closed = Scene.selected(scene, select)
    with options.progress_bar() as progress:
        if map_ is not None:
            evaluation = measure_map(
                map_, labels, closed, baselines=names, threshold=threshold, progress=progress
            )
        else:
            evaluation = evaluate_detector(
                Detector.load(str(model)),
                closed,
                labels,
                baselines=names,
                threshold=threshold,
                progress=progress,
            )
    if out is not None:
        write_atomically(out, evaluation.to_json().encode())
    if curves is not None:
        from ..figures import curves_figure, save

        save(curves_figure(evaluation), curves)
    echo(evaluation.to_json() if as_json else metrics_table(evaluation.rows), nl=not as_json)
    if threshold is not None and not as_json:
        value = next(iter(evaluation.rows.values())).threshold
        condition = parse_rule(threshold, labels=True).condition
        echo(f"threshold = fixed:{value}{condition} ({threshold})")
