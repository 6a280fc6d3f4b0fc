"""What commands share that write layers of the pixels of one scene to a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ..documents import to_json
from ..errors import listed
from . import options
from .opening import dates_arg
from .output import echo
from .pixel_arguments import model_opt

if TYPE_CHECKING:
    from ..mapping import PixelMap

out_opt = click.option("-o", "--out", required=True, metavar="FILE.tif", help="GeoTIFF to write.")
tile_opt = click.option("--tile", type=int, help="Side of a tile, pixels.  [default: by memory]")
threads_opt = click.option(
    "--threads",
    type=int,
    help="Tiles in work at a time.  [default: as many as cores, at most 4]",
)


def layer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of every command that writes layers of a scene."""
    selecting = (options.dates_opt, options.radiometry_opt, options.pixel_options)
    working = (options.device_opt, options.replace_opt, threads_opt, tile_opt, *selecting)
    logging = (options.verbose_opt, options.access_options, options.json_opt)
    for option in (*logging, *working, out_opt, model_opt, dates_arg):
        command = option(command)
    return command


def print_map(written: PixelMap, *, as_json: bool) -> None:
    """Print what was written."""
    if as_json:
        echo(to_json(asdict(written) | {"path": str(written.path)}, indent=2))
        return
    count, names = len(written.layers), listed(list(written.layers))
    bands = f"{count} bands ({names})" if count > 1 else f"1 band ({names})"
    echo(f"{written.path}  {bands}, {written.valid} of {written.pixels} pixels have data")
