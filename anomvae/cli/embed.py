"""``anomvae embed``: write the codes of a scene."""

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
    "--how",
    type=click.Choice(["mean", "sample", "average"]),
    default="mean",
    show_default=True,
    help="Code of a pixel: posterior mean, a draw from the posterior, or the average of draws.",
)
@click.option("--samples", type=int, metavar="N", help="Draws of an average.  [default: 16]")
@options.seed_opt
def embed(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    out: str,
    how: str,
    samples: int | None,
    seed: int,
    dates: str,
    tile: int | None,
    threads: int | None,
    overwrite: bool,
    as_json: bool,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Write the latent code of each pixel of SCENE to FILE.tif, a band for each unit.

    Bands are float32, nodata NaN; their tags give the mean KL of the unit in training.
    hierarchical has both levels, the upper first.  vq-vae has one band of whole numbers, uint8,
    nodata 255.  For a family of dates, SCENE is all dates, and the codes are those of the newest.

    \b
    Examples:
        anomvae embed scene.tif -m coast.safetensors -o codes.tif
        anomvae embed scene.tif -m coast.safetensors -o draw.tif --how sample --seed 1
        anomvae embed scene.tif -m coast.safetensors -o codes.tif --how average --samples 50
    """
    with importing():
        from ..detector import Detector, Encoding
        from ..mapping import MapOptions, embed_scene
        from ..raster import Selection

    encoding, map_options = Encoding(how, samples, seed), MapOptions(tile, threads, overwrite)
    select = Selection(dates=dates, **chosen)
    options.require_writable(out, overwrite, [*scenes, model, *select.files])
    detector = Detector.load(model, device=device)
    with options.progress_bar() as progress:
        scene = one_scene(detector, scenes, select)
        written = embed_scene(detector, scene, out, encoding, map_options, progress=progress)
    print_map(written, as_json=as_json)
