"""``rio anomvae``: the same commands as a part of rasterio's command line.

rasterio finds this module by its entry point ``rasterio.rio_plugins`` and imports it for every
``rio`` command, so it imports nothing heavy.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import click

from .group import COMMANDS, Group, prepared


class RioGroup(Group):
    """All commands, in the environment of GDAL that ``rio`` has made."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command with the settings of ``rio``: its credentials, and how much it logs."""
        given = ctx.find_root().obj
        settings = given.get("env") if isinstance(given, dict) else None
        with prepared(), settings or nullcontext():
            return super().invoke(ctx)


@click.group(
    cls=RioGroup,
    commands=COMMANDS,
    package=__package__,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def anomvae() -> None:
    """Find unusual pixels in multi-band rasters.

    \b
    The commands, options and exit codes are those of `anomvae`:
        rio anomvae detect scene.tif -o maps/
        rio anomvae score new.tif -m model.safetensors -o maps/
        rio anomvae info scene.tif
    """
