"""``anomvae monitor init``: a new watch of a folder of scenes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from .. import options
from ..lazy import importing
from ..output import echo


@click.command()
@click.argument("scenes")
@click.option(
    "-o",
    "--out",
    "folder",
    default="watch",
    show_default=True,
    metavar="DIR",
    help="Folder for configuration, model, results and state.",
)
@click.option("--name", help="Name of the site.  [default: that of the folder]")
@click.option("--pattern", help="Names of the scenes, as in '*.SAFE'.  [default: as they are]")
@click.option(
    "--dates",
    type=click.IntRange(2),
    metavar="K",
    help="Compare each scene with the K - 1 before it, instead of training a model.",
)
@options.seed_opt
@options.verbose_opt
def init(
    scenes: str,
    folder: str,
    name: str | None,
    pattern: str | None,
    dates: int | None,
    seed: int,
) -> None:
    """Begin a watch of SCENES, the folder in which scenes of one site arrive.

    Trains the first model on the scenes that are there, and writes watch.toml, a systemd service
    and timer, and a line for cron, which run it.

    \b
    Examples:
        anomvae monitor init incoming/harbour
        anomvae monitor init incoming/fields --dates 9 -o fields
    """
    with importing():
        from ...fitting import train
        from ...monitoring.new_watch import new_watch

    watch, found = new_watch(folder, scenes, name, pattern, dates)
    watch.require_new()
    watch.folder.mkdir(parents=True, exist_ok=True)
    if watch.model is not None:
        with options.progress_bar() as progress:
            detector = train(found, seed=seed, progress=progress)
        detector.save(watch.model)
    watch.write(_command())
    for path in watch.files:
        echo(str(path))
    echo(f"{len(found)} scenes; begin with: anomvae monitor run {watch.configuration}")


def _command() -> Sequence[str]:
    """Return the words that call this anomvae from anywhere."""
    own = Path(sys.executable).parent / "anomvae"
    found = str(own) if own.exists() else shutil.which("anomvae")
    return [sys.executable, "-m", "anomvae"] if found is None else [found]
