"""``anomvae info --engines``: which engines compute scores on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import click

from .. import native
from .output import echo


def print_engines(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the engines, and end the command: the callback of an option."""
    if value and not ctx.resilient_parsing:
        for line in engine_lines():
            echo(line)
        ctx.exit()


def engine_lines() -> Iterator[str]:
    """Yield a line for each engine, the fastest first, and one where scores take longer."""
    lack = native.missing()
    yield f"native  {lack or native.LEVELS[native.instructions().level] + ' instructions'}"
    yield "numpy   every detector"
    try:
        yield f"torch   {version('torch')}"
    except PackageNotFoundError:
        yield "torch   is not installed"
    if lack:
        yield "Scoring by numpy takes several times as long as by native."
