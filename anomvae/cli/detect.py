"""``anomvae detect``: one scene, or the dates of a site, without a model and without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from . import options
from .lazy import importing
from .outcomes import ANOMALY_FOUND, result_line
from .output import echo
from .result_options import result_options

if TYPE_CHECKING:
    from ..mapping import ScoreOptions
    from ..stats.baselines import Method

OF_A_MODEL = {
    "config": "--config",
    "settings": "--set",
    "seed": "--seed",
    "device": "--device",
    "engine": "--engine",
    "save_model": "--save-model",
}
"""Options of a detector that is trained, by parameter."""


def _window(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        outer, guard = map(int, text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not OUTER,GUARD, two sides as in 21,7.") from error
    return outer, guard


@click.command()
@options.scenes_arg
@options.folder_opt
@options.threshold_opt
@result_options
@options.dates_opt
@click.option(
    "--save-model",
    metavar="FILE",
    help="Write the fitted detector, too, to score other scenes.",
)
@click.option(
    "--method",
    metavar="NAME",
    help="A baseline instead of a detector: rx, rrx, local-rx, crd, pca, iforest or, of "
    "several dates, acd.",
)
@click.option(
    "--window",
    callback=_window,
    metavar="OUTER,GUARD",
    help="Sides of the outer and of the guard window of local-rx and crd, pixels; the guard window "
    "is to hold an object.  [default: 21,7; of crd 15,7]",
)
@click.option(
    "--regularisation",
    type=float,
    metavar="WEIGHT",
    help="Weight of the regularisation: of local-rx, the covariance of the scene counts as so many "
    "pixels per band; of crd, lambda.  [default: 1; of crd 0.01]",
)
@options.fail_on_anomaly_opt
@options.json_opt
@options.engine_opt
@options.fitting_options
def detect(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    folder: str,
    rule: str | None,
    save_model: str | None,
    method: str | None,
    window: tuple[int, int] | None,
    regularisation: float | None,
    fail_on_anomaly: bool,
    as_json: bool,
    config: str,
    settings: tuple[str, ...],
    seed: int,
    device: str | None,
    engine: str | None,
    score_options: ScoreOptions,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Find the pixels of a scene that are unusual in it, or that changed between its dates.

    SCENES are one scene, or the dates of one site.  A detector is fitted to the scene itself,
    anomalies and all, and so is its threshold: both hold for this scene.  --save-model keeps them,
    for a first look at similar scenes (anomvae score).

    Of several dates the newest is mapped, given the dates before it (configuration timeseries: up
    to 8 of them).  A date that misses a pixel does not count there.

    --method maps a baseline instead: rx and rrx (Mahalanobis distance to the scene, robust),
    local-rx (to the pixels around), crd (collaborative representation by these), pca, iforest; of
    several dates acd (Mahalanobis distance to the linear prediction by the dates before).

    \b
    Examples:
        anomvae detect scene.tif -o maps/
        anomvae detect scene.tif -o maps/ --save-model scene.safetensors
        anomvae detect scene.tif -o local/ --method local-rx --window 25,11
        anomvae detect fields_2024-*.tif -o changes/
    """
    with importing():
        from ..fitting import Selection, config_for, site_of
        from ..mapping import detect_scene, map_baseline
        from ..program import AUTO

    chosen_method = _chosen(method, window, regularisation)
    select = Selection(**chosen)
    if save_model is not None:
        options.require_writable(save_model, score_options.overwrite, [*scenes, *select.files])
    with options.progress_bar() as progress:
        if chosen_method is not None:
            result = map_baseline(
                scenes,
                folder,
                chosen_method,
                rule or "auto",
                select=select,
                options=score_options,
                progress=progress,
            )
        else:
            base = config if _given("config") else config_for(len(site_of(scenes, select).dates))
            result = detect_scene(
                scenes,
                folder,
                options.resolved(base, settings, threshold=rule, device=device),
                seed,
                select=select,
                options=score_options,
                save_model=save_model,
                engine=engine or AUTO,
                progress=progress,
            )
    echo(result_line(result, score_options, as_json=as_json))
    if fail_on_anomaly and result.flagged:
        raise SystemExit(ANOMALY_FOUND)


def _chosen(
    name: str | None, window: tuple[int, int] | None, regularisation: float | None
) -> Method | None:
    """Return the baseline that the options choose; None: a detector is trained."""
    from ..stats.baselines import Method

    if name is None:
        if window is not None or regularisation is not None:
            raise click.UsageError(
                "--window and --regularisation are for --method local-rx or crd, and no --method "
                "is given."
            )
        return None
    given = [option for parameter, option in OF_A_MODEL.items() if _given(parameter)]
    if given:
        raise click.UsageError(
            f"--method {name} trains no detector. Leave it out, or what is about one: "
            f"{', '.join(given)}."
        )
    return Method.of(name, window, regularisation)


def _given(parameter: str) -> bool:
    """Return whether the user gave an option."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is not ParameterSource.DEFAULT
