"""``anomvae evaluate``: maps, or a model on a scene, against labels and baselines."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from . import options
from .lazy import importing
from .output import echo
from .pictures import picture_opt, require_results

if TYPE_CHECKING:
    from ..evaluation import Comparison, EvaluateOptions, Evaluation
    from ..parallel import Progress
    from ..raster import Selection

BASELINES = "rx"
"""Baselines by default."""


@click.command()
@click.argument("paths", metavar="SCENE [MAP]", nargs=-1, required=True)
@click.option("--labels", required=True, help="Raster on the scene's grid; above 0 = anomalous.")
@click.option("-m", "--model", help="Model file, instead of a MAP.")
@click.option(
    "--compare",
    "comparing",
    is_flag=True,
    help="Compare two or more MAP|DIR, given in place of SCENE: maps of one scene, or folders of "
    "maps with --labels DIR.",
)
@click.option("-o", "--out", metavar="FILE", help="Metrics to write: .json, .csv or .md.")
@click.option(
    "--baselines",
    help="rx, rrx, local-rx, crd, pca, iforest; or none.  [default: rx]",
)
@picture_opt("--curves", what="Draw ROC with intervals, precision-recall and 3D ROC of all rows")
@picture_opt("--objects", "picture", what="Draw objects that are found, missed and false")
@click.option(
    "--threshold",
    metavar="RULE",
    help=(
        "f1 or fpr:RATE, chosen with the labels, budget:N[km2], fixed:VALUE, each with +local:K or "
        "without; any other with -m."
    ),
)
@click.option(
    "--overlap",
    type=float,
    default=0.0,
    metavar="SHARE",
    help="Least share of an object that must overlap.  [default: 0, one pixel is enough]",
)
@click.option(
    "--block",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Side of the blocks that intervals are drawn from.  [default: longer side / 32, at least "
    "16]",
)
@click.option(
    "--tau",
    type=click.Choice(["minmax", "log"]),
    default="minmax",
    show_default=True,
    help="Normalisation of scores for the 3D ROC.",
)
@options.seed_opt
@options.pixel_options
@options.radiometry_opt
@options.replace_opt
@options.json_opt
@options.access_options
@options.verbose_opt
def evaluate(  # noqa: PLR0913 - one argument per option
    paths: tuple[str, ...],
    labels: str,
    model: str | None,
    comparing: bool,
    out: str | None,
    baselines: str | None,
    curves: str | None,
    picture: str | None,
    threshold: str | None,
    overlap: float,
    block: int | None,
    tau: str,
    seed: int,
    overwrite: bool,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Measure an anomaly MAP of SCENE, or a model on SCENE, against labels.

    Precision, recall and F1 are those of the pixels that the files of the scored scene flag, and of
    their objects; the other columns rank the scores alone.  Intervals are those of a bootstrap of
    spatial blocks.  Baselines, fitted to the scene itself, are measured on the same pixels at
    mean + 3 sigma.  With --threshold the last line gives the threshold as fixed:VALUE, for anomvae
    score or rethreshold.

    With --compare, maps of anomvae or rasters of scores, or folders of them, are measured on the
    pixels that all of them score, and compared with the first one.

    \b
    Examples:
        anomvae evaluate scene.tif maps/scene.anomaly.tif --labels labels.tif -o metrics.json
        anomvae evaluate scene.tif -m coast.safetensors --labels labels.tif --baselines rx,pca
        anomvae evaluate scene.tif maps/scene.anomaly.tif --labels labels.tif --threshold f1
        anomvae evaluate scene.tif maps/scene.anomaly.tif --labels labels.tif --curves curves.png
        anomvae evaluate --compare vae/scene.anomaly.tif rx/scene.anomaly.tif --labels labels.tif
        anomvae evaluate --compare vae/ rx/ --labels labels/ -o table.md
    """
    with importing():
        from ..evaluation import EvaluateOptions
        from ..evaluation.writing import require_suffix, save_metrics, to_text
        from ..raster import Selection

    select = Selection(**chosen)
    _require_fitting(paths, model, comparing, baselines, threshold, select)
    _require_one_scene(paths, comparing, curves or picture)
    how = EvaluateOptions(overlap=overlap, block=block, seed=seed, tau=tau)
    require_results(out, curves, overwrite, [*paths, labels, model, *select.files])
    require_results(out, picture, overwrite, [*paths, labels, model, *select.files])
    if out is not None:
        require_suffix(out)
    options.require_apart(curves, picture)
    with options.progress_bar() as progress:
        result: Evaluation | Comparison
        if comparing:
            result = _compared(paths, labels, select, how, progress)
        else:
            result = _evaluated(
                paths,
                labels,
                model,
                select,
                {
                    "threshold": threshold,
                    "baselines": options.baseline_names(
                        BASELINES if baselines is None else baselines
                    ),
                },
                how,
                progress,
            )
    if out is not None:
        save_metrics(result, out)
    _draw(result, curves, picture)
    echo(result.to_json() if as_json else to_text(result), nl=not as_json)
    if threshold is not None and not as_json:
        _print_threshold(result, threshold)


def _require_fitting(
    paths: tuple[str, ...],
    model: str | None,
    comparing: bool,
    baselines: str | None,
    threshold: str | None,
    select: Selection,
) -> None:
    """Require that the options fit together; raise `ConfigError` where they do not."""
    from ..errors import ConfigError

    if comparing:
        given = {"-m": model, "--baselines": baselines, "--threshold": threshold}
        for name, value in given.items():
            if value is not None:
                raise ConfigError(f"{name} is not for --compare. Make a map first, and compare it.")
        if len(paths) < 2:
            raise ConfigError("--compare needs two or more MAP or DIR.")
    elif len(paths) > 2:
        raise ConfigError(
            "Give SCENE and MAP, or SCENE and a model (-m); several maps with --compare."
        )
    elif (len(paths) == 1) == (model is None):
        raise ConfigError("Give either a MAP or a model (-m), not both or neither.")
    if select.covariates and model is None:
        raise ConfigError("--covariates are for a model (-m); a MAP was made with them.")


def _require_one_scene(paths: tuple[str, ...], comparing: bool, picture: str | None) -> None:
    from ..errors import ConfigError

    if comparing and picture and any(map(os.path.isdir, paths)):
        raise ConfigError("--curves and --objects draw one scene. Compare its maps, not DIR.")


def _evaluated(
    paths: tuple[str, ...],
    labels: str,
    model: str | None,
    select: Selection,
    chosen: Mapping[str, Any],
    how: EvaluateOptions,
    progress: Progress,
) -> Evaluation:
    from ..detector import Detector
    from ..evaluation import evaluate as measure_map
    from ..evaluation import evaluate_detector
    from ..raster import Scene

    closed = Scene.selected(paths[0], select)
    if model is None:
        return measure_map(paths[1], labels, closed, options=how, progress=progress, **chosen)
    detector = Detector.load(model)
    return evaluate_detector(detector, closed, labels, options=how, progress=progress, **chosen)


def _compared(
    paths: tuple[str, ...],
    labels: str,
    select: Selection,
    how: EvaluateOptions,
    progress: Progress,
) -> Comparison:
    from ..evaluation import compare

    return compare(paths, labels, select=select, options=how, progress=progress)


def _draw(result: Evaluation | Comparison, curves: str | None, picture: str | None) -> None:
    from ..evaluation import Comparison

    if curves is None and picture is None:
        return
    from ..figures import curves_figure, found_figure, save

    scene = result.scenes[0] if isinstance(result, Comparison) else result
    if curves is not None:
        save(curves_figure(scene), curves)
    if picture is not None:
        save(found_figure(scene), picture)


def _print_threshold(result: Evaluation | Comparison, rule: str) -> None:
    from ..evaluation import Evaluation
    from ..stats.thresholds import parse_rule

    if isinstance(result, Evaluation):
        value = next(iter(result.rows.values())).threshold
        condition = parse_rule(rule, labels=True).condition
        echo(f"threshold = fixed:{value}{condition} ({rule})")
