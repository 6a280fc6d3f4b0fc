"""``anomvae reconstruct``: write a scene as a model reconstructs it."""

from __future__ import annotations

from typing import Any

import click

from . import options
from .layers import layer_options, print_map
from .lazy import importing
from .opening import one_scene


@click.command()
@layer_options
@click.option(
    "--residual", is_flag=True, help="Write SCENE minus its reconstruction, instead of the latter."
)
def reconstruct(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    out: str,
    residual: bool,
    dates: str,
    tile: int | None,
    threads: int | None,
    overwrite: bool,
    as_json: bool,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Write SCENE to FILE.tif as a model reconstructs it: without noise, and without anomalies.

    Bands are those of the model with their names and wavelengths, float32 in data units (physical
    values, such as reflectance), nodata NaN.  For a family of dates, SCENE is all dates, and the
    newest is reconstructed.

    \b
    Examples:
        anomvae reconstruct scene.tif -m coast.safetensors -o denoised.tif
        anomvae reconstruct scene.tif -m coast.safetensors -o residual.tif --residual
    """
    with importing():
        from ..detector import Detector
        from ..mapping import MapOptions, reconstruct_scene
        from ..raster import Selection

    map_options, select = MapOptions(tile, threads, overwrite), Selection(dates=dates, **chosen)
    options.require_writable(out, overwrite, [*scenes, model, *select.files])
    detector = Detector.load(model, device=device)
    with options.progress_bar() as progress:
        scene = one_scene(detector, scenes, select)
        written = reconstruct_scene(
            detector, scene, out, map_options, residual=residual, progress=progress
        )
    print_map(written, as_json=as_json)
