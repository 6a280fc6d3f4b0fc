"""``anomvae detect``: one scene, without a model and without labels."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .outcomes import ANOMALY_FOUND, result_line
from .output import echo


@click.command()
@options.scene_arg
@options.folder_opt
@options.threshold_opt
@options.min_area_opt
@options.top_opt
@options.p_values_opt
@options.sensitivity_opt
@click.option(
    "--save-model",
    metavar="FILE",
    help="Write the fitted detector, too, to score other scenes.",
)
@options.overwrite_opt
@options.fail_on_anomaly_opt
@options.json_opt
@options.fitting_options
def detect(  # noqa: PLR0913 - one argument per option
    scene: str,
    folder: str,
    rule: str | None,
    min_area: int,
    top: int | None,
    p_values: bool,
    sensitivity: bool,
    save_model: str | None,
    overwrite: bool,
    fail_on_anomaly: bool,
    as_json: bool,
    config: str,
    settings: tuple[str, ...],
    seed: int,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Find the pixels of SCENE that are unusual in it.

    A detector is fitted to the scene itself, anomalies and all, and so is its threshold: both hold
    for this scene.  --save-model keeps them, for a first look at similar scenes (anomvae score).

    \b
    Examples:
        anomvae detect scene.tif -o maps/
        anomvae detect scene.tif -o maps/ --save-model scene.safetensors
    """
    from ..fitting import Selection
    from ..mapping import ScoreOptions, detect_scene

    select = Selection(**chosen)
    if save_model is not None:
        options.require_writable(save_model, overwrite, [scene, *select.files])
    score_options = ScoreOptions(
        min_area=min_area,
        top=top,
        p_values=p_values,
        sensitivity=sensitivity,
        overwrite=overwrite,
    )
    with options.progress_bar() as progress:
        result = detect_scene(
            scene,
            folder,
            options.resolved(config, settings, threshold=rule, device=device),
            seed,
            select=select,
            options=score_options,
            save_model=save_model,
            progress=progress,
        )
    echo(result_line(result, score_options, as_json=as_json))
    if fail_on_anomaly and result.flagged:
        raise SystemExit(ANOMALY_FOUND)
