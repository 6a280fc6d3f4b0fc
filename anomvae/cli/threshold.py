"""``anomvae threshold``: choose the threshold of a model anew."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .lazy import importing
from .output import echo, rates_text


@click.command()
@click.argument("model")
@options.scenes_arg
@click.option("-o", "--out", required=True, metavar="FILE", help="Model file to write.")
@click.option(
    "--rule",
    help=(
        "As for score --threshold.  [default: as train: gaussian:3 with --normal, else "
        "log-sigma:3; with the +local:K of MODEL]"
    ),
)
@options.normal_opt
@options.dates_opt
@options.pixel_options
@options.radiometry_opt
@options.seed_opt
@options.replace_opt
@options.access_options
@options.verbose_opt
def threshold(
    model: str,
    scenes: tuple[str, ...],
    out: str,
    rule: str | None,
    seed: int,
    overwrite: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Choose the threshold of MODEL anew on normal SCENES it was not trained on.

    \b
    Example:
        anomvae threshold coast.safetensors 2025/*.tif -o coast2025.safetensors
    """
    with importing():
        from ..detector import Detector
        from ..fitting import Selection, refit_threshold

    select = Selection(**chosen)
    options.require_writable(out, overwrite, [*scenes, *select.files])  # the model may be replaced
    detector = Detector.load(model)
    with options.progress_bar() as progress:
        refitted = refit_threshold(
            detector, scenes, rule, select=select, seed=seed, progress=progress
        )
    refitted.save(out)
    before, after = detector.threshold, refitted.threshold
    echo(
        f"{out}  threshold {before.value:.4g} -> {after.value:.4g} ({after.rule}), "
        f"{rates_text(after, refitted.card.held_out)}"
    )
