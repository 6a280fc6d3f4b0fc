"""``anomvae monitor example``: simulated scenes of a site, to try a watch with."""

from __future__ import annotations

import os
from datetime import UTC, datetime, time
from pathlib import Path

import click

from .. import options
from ..output import echo

BEFORE, AFTER, BUILT = 8, 6, 2
"""Scenes before the watch, scenes that arrive, and the number of the first with a building."""
SHAPE = (40, 40)
"""Rows and columns of a scene, pixels."""


@click.command()
@click.argument("folder", metavar="DIR")
@options.seed_opt
@options.verbose_opt
def example(folder: str, seed: int) -> None:
    """Write simulated scenes of a site into DIR, to try a watch with.

    DIR/before holds the scenes of seven weeks, DIR/after those that arrive later: crops grow,
    clouds pass, one scene is hazy, and in the third a building appears that stays.

    \b
    Example:
        anomvae monitor example season
    """
    from ...errors import OutputExists
    from ...testing.eventful import EventfulSeason, archive, course, season
    from ...testing.samples import Sample, write_scene

    root = Path(folder)
    if root.exists() and any(root.iterdir()):
        raise OutputExists(f"{folder} holds other files. Give an empty or a new folder.")
    settings = EventfulSeason(
        scenes=AFTER,
        archive=BEFORE,
        shape=SHAPE,
        lasting=BUILT,
        offset_from=AFTER,
        hazy=1,
        shifted=0,
        stray=0,
    )
    drawn = course(settings, seed)
    for part, scenes in (("before", archive(drawn)), ("after", list(season(drawn)))):
        (root / part).mkdir(parents=True)
        for each in scenes:
            path = root / part / f"fields_{each.date.isoformat()}.tif"
            write_scene(path, each.scene, Sample("fields", seed, 465_000.0))
            when = datetime.combine(each.date, time(12), UTC).timestamp()
            os.utime(path, (when, when))  # as in an archive: no scene has to rest
        echo(f"{root / part}  {len(scenes)} scenes")
