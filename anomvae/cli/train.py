"""``anomvae train``: fit a detector to normal pixels."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .lazy import importing
from .output import echo, rates_text


@click.command()
@options.scenes_arg
@click.option("-o", "--out", "model", required=True, metavar="FILE", help="Model file to write.")
@options.normal_opt
@options.dates_opt
@options.threshold_opt
@options.replace_opt
@options.fitting_options
def train(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    rule: str | None,
    overwrite: bool,
    config: str,
    settings: tuple[str, ...],
    seed: int,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Fit a detector to the normal pixels of SCENES: products, rasters, or folders of them.

    Without --normal all valid pixels count as mostly normal, and the worst of each batch are not
    learnt.  For a family that compares dates, SCENES are the dates of one site.

    \b
    Examples:
        anomvae train 2024/*.tif -o coast.safetensors
        anomvae train LC09*/ -o fields.safetensors
        anomvae train 2024/*.tif --config timeseries -o fields.safetensors
        anomvae train scene.tif --normal fields.geojson --bands 450-900nm -o fields.safetensors
        anomvae train 2024/*.tif --set model.family=cvae --covariates dem.tif -o hills.safetensors
    """
    with importing():
        from ..fitting import Selection
        from ..fitting import train as fit

    select = Selection(**chosen)
    options.require_writable(model, overwrite, [*scenes, *select.files])
    resolved = options.resolved(config, settings, threshold=rule, device=device)
    with options.progress_bar() as progress:
        detector = fit(scenes, resolved, seed, select=select, progress=progress)
    detector.save(model)
    card, cutoff = detector.card, detector.threshold
    echo(
        f"{model}  {card.family}, {len(card.bands)} bands, {card.training.pixels} pixels; "
        f"threshold {cutoff.value:.4g} ({cutoff.rule}), {rates_text(cutoff, card.held_out)}"
    )
