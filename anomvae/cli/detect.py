"""``anomvae detect``: one scene, without a model and without labels."""

from __future__ import annotations

import click

from . import options
from .score import ANOMALY_FOUND


@click.command()
@options.scene_arg
@options.folder_opt
@options.threshold_opt
@options.min_area_opt
@options.overwrite_opt
@click.option("--fail-on-anomaly", is_flag=True, help="Exit with 10 if a pixel is flagged.")
@options.json_opt
@options.fitting_options
def detect(  # noqa: PLR0913 - one argument per option
    scene: str,
    folder: str,
    rule: str | None,
    min_area: int,
    overwrite: bool,
    fail_on_anomaly: bool,
    as_json: bool,
    bands: str | None,
    mask: str | None,
    covariates: tuple[str, ...],
    config: str,
    settings: tuple[str, ...],
    seed: int,
    device: str | None,
) -> None:
    """Find the pixels of SCENE that are unusual in it.

    A detector is fitted to the scene itself, anomalies and all, and its threshold by sigma
    clipping: both hold for this scene only, and are not saved.

    \b
    Example:
        anomvae detect scene.tif -o maps/
    """
    from ..config import resolve_config
    from ..fitting import Selection
    from ..mapping import ScoreOptions, detect_scene

    overrides = options.overrides(settings, threshold=rule, device=device)
    with options.progress_bar() as progress:
        result = detect_scene(
            scene,
            folder,
            resolve_config(config, overrides).config,
            seed,
            select=Selection(bands=bands, mask=mask, covariates=covariates),
            options=ScoreOptions(min_area=min_area, overwrite=overwrite),
            progress=progress,
        )
    click.echo(options.result_line(result, as_json))
    if fail_on_anomaly and result.flagged:
        raise SystemExit(ANOMALY_FOUND)
