"""``anomvae interpolate``: spectra between two pixels of a scene."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from . import options
from .lazy import importing
from .opening import dates_arg, one_scene
from .output import echo
from .pictures import picture_opt, require_results, save_picture
from .pixel_arguments import model_opt, row_col

_end_opt = partial(click.option, required=True, metavar="ROW,COL", callback=row_col)


@click.command()
@dates_arg
@model_opt
@_end_opt("--from", "start", help="Pixel of the first spectrum: row and column from 0.")
@_end_opt("--to", "end", help="Pixel of the last spectrum.")
@click.option(
    "--steps", type=int, default=10, show_default=True, help="Spectra, both ends among them."
)
@click.option("-o", "--out", required=True, metavar="FILE.csv", help="Table of spectra to write.")
@picture_opt("--picture", what="Draw them, too")
@options.dates_opt
@options.pixel_options
@options.radiometry_opt
@options.replace_opt
@options.device_opt
@options.access_options
@options.verbose_opt
def interpolate(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    start: tuple[int, int],
    end: tuple[int, int],
    steps: int,
    out: str,
    picture: str | None,
    overwrite: bool,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Write the spectra between two pixels of SCENE, as CSV in data units.

    They lie on the straight line between the codes of the pixels, and between their contexts where
    the model has one; the first and the last are the reconstructions of the two pixels.

    \b
    Example:
        anomvae interpolate scene.tif -m coast.safetensors --from 120,45 --to 30,210 -o between.csv
    """
    with importing():
        from ..detector import Detector
        from ..explaining import interpolate as interpolated
        from ..raster import Selection

    select = Selection(**chosen)
    require_results(out, picture, overwrite, [*scenes, model, *select.files])
    detector = Detector.load(model, device=device)
    closed = one_scene(detector, scenes, select)
    table = interpolated(detector, closed, start, end, steps=steps)
    table.write(out)
    echo(f"{out}  {len(table.names)} spectra of {len(table.bands)} bands")
    if picture is not None:
        from ..figures import interpolation_figure

        save_picture(interpolation_figure(detector.bands, table.values), picture)
