"""``anomvae generate``: draw spectra from a model."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from . import options
from .lazy import importing
from .opening import one_scene
from .output import echo
from .pixel_arguments import at_opt, model_opt

_scene_opt = partial(click.option, multiple=True, metavar="SCENE")


@click.command()
@model_opt
@click.option("-n", "--count", type=int, default=100, show_default=True, help="Spectra to draw.")
@options.seed_opt
@click.option(
    "--noise/--no-noise", default=True, show_default=True, help="With noise, or means alone."
)
@_scene_opt("--like", help="Draw around the pixel --at of SCENE; once for each date.")
@_scene_opt("--context-of", help="Draw given the context of the pixel --at; once for each date.")
@at_opt
@click.option("-o", "--out", required=True, metavar="FILE.csv", help="Table of spectra to write.")
@options.dates_opt
@options.pixel_options
@options.radiometry_opt
@options.replace_opt
@options.device_opt
@options.access_options
@options.verbose_opt
def generate(  # noqa: PLR0913 - one argument per option
    model: str,
    count: int,
    seed: int,
    noise: bool,
    like: tuple[str, ...],
    context_of: tuple[str, ...],
    at: tuple[int, int] | None,
    out: str,
    overwrite: bool,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Draw spectra from what a model has learnt, and write them as CSV in data units.

    Codes are drawn from the prior: for vq-vae by the frequencies of the codes, for hierarchical
    from the top level down.  The table has a row per band, with its wavelength, and a column per
    spectrum.  --like draws around one pixel: codes from its posterior, given its context.  A model
    with a context (cvae, spatial, sequential) draws given the mean context, or that of the pixel
    of --context-of.

    \b
    Examples:
        anomvae generate -m coast.safetensors -n 100 --seed 0 -o spectra.csv
        anomvae generate -m coast.safetensors --like scene.tif --at 120,45 --no-noise -o like.csv
        anomvae generate -m fields.safetensors --context-of scene.tif --at 120,45 -o spectra.csv
    """
    with importing():
        from ..detector import Detector
        from ..errors import ConfigError
        from ..explaining import generate as generated
        from ..raster import Selection

    select = Selection(**chosen)
    if not (like or context_of) and select != Selection(dates="", access=select.access):
        raise ConfigError(
            "Options of a scene, such as --mask or --dates, are given, and no scene. Give one "
            "(--like or --context-of), or leave them out."
        )
    options.require_writable(out, overwrite, [model, *like, *context_of, *select.files])
    detector = Detector.load(model, device=device)
    table = generated(
        detector,
        count,
        seed=seed,
        noise=noise,
        like=one_scene(detector, like, select) if like else None,
        context_of=one_scene(detector, context_of, select) if context_of else None,
        at=at,
    )
    table.write(out)
    echo(f"{out}  {len(table.names)} spectra of {len(table.bands)} bands")
