"""``anomvae config``: the settings, and where each comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ..documents import to_json
from . import options
from .output import echo

if TYPE_CHECKING:
    from ..monitoring.config import MonitorConfig


@click.group()
def config() -> None:
    """Show, check and describe configurations."""


@config.command()
@click.argument("name", default="default")
@options.set_opt
@options.json_opt
def show(name: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Print the configuration NAME, resolved whole, with the source of each value.

    NAME is a shipped configuration or a TOML file.
    """
    from ..config import resolve_config

    resolved = resolve_config(name, settings)
    rows = list(resolved.rows())
    if as_json:
        echo(to_json({key: {"value": v, "source": s} for key, v, s in rows}, indent=2))
        return
    width = max(len(f"{key} = {to_json(value)}") for key, value, _ in rows)
    for key, value, source in rows:
        echo(f"{f'{key} = {to_json(value)}':{width}}  # {source}")


@config.command()
@click.argument("name")
@options.set_opt
@click.option(
    "--deep",
    is_flag=True,
    help="Of a watch, open what it names, too: models, folders, catalogues, a scene of each site, "
    "polygons, variables of the environment. Nothing is written.",
)
def check(name: str, settings: tuple[str, ...], deep: bool) -> None:
    """Check every key and value of the configuration NAME, and that its family exists.

    A file with [[site]] tables is checked as a configuration of `anomvae monitor`.
    """
    from ..config import resolve_config
    from ..models.families import family_named
    from ..monitoring.config import is_monitoring, read_monitoring

    if not settings and is_monitoring(name):
        watch = read_monitoring(name)
        echo(f"{name} fits")
        if deep:
            _check_deeply(watch)
        else:
            echo("--deep opens its models, folders, catalogues and polygons, too.")
        return
    if deep:
        raise click.UsageError("--deep is for the configuration of a watch, with [[site]] tables.")
    family_named(resolve_config(name, settings).config.model.family)
    echo(f"{name} fits")


def _check_deeply(watch: MonitorConfig) -> None:
    """Print a line for each finding; exit with the code that all problems share, else 5."""
    from datetime import UTC, datetime

    from ..errors import ScenesFailed
    from ..monitoring.deep_check import checked_deeply

    codes = set()
    for finding in checked_deeply(watch, os.environ, datetime.now(UTC)):
        echo(str(finding))
        codes |= {finding.code} - {0}
    if codes:
        raise SystemExit(codes.pop() if len(codes) == 1 else ScenesFailed.exit_code)


@config.command()
def schema() -> None:
    """Print the JSON schema of a configuration, for editors."""
    from ..config import Config
    from ..config.schema import schema as schema_of

    echo(to_json(schema_of(Config), indent=2))
