"""``anomvae detect``: one scene, without a model and without labels."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .output import echo
from .score import ANOMALY_FOUND


@click.command()
@options.scene_arg
@options.folder_opt
@options.threshold_opt
@options.min_area_opt
@options.top_opt
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

    A detector is fitted to the scene itself, anomalies and all, and its threshold by sigma
    clipping: both hold for this scene only, and are not saved.

    \b
    Example:
        anomvae detect scene.tif -o maps/
    """
    from ..fitting import Selection
    from ..mapping import ScoreOptions, detect_scene

    with options.progress_bar() as progress:
        result = detect_scene(
            scene,
            folder,
            options.resolved(config, settings, threshold=rule, device=device),
            seed,
            select=Selection(**chosen),
            options=ScoreOptions(min_area=min_area, top=top, overwrite=overwrite),
            progress=progress,
        )
    echo(options.result_line(result, as_json))
    if fail_on_anomaly and result.flagged:
        raise SystemExit(ANOMALY_FOUND)
