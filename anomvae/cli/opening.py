"""How commands that take a model open the scenes they are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, listed

if TYPE_CHECKING:
    from ..detector import Detector
    from ..raster import Scene, Selection

dates_arg = click.argument("scenes", nargs=-1, required=True, metavar="SCENE")
"""One scene; for a family that compares dates, all of them."""


def scenes_for(detector: Detector, scenes: Sequence[str], select: Selection) -> list[Scene]:
    """Return the scenes of the paths of a command; they are dates of one where a family compares.

    Raises ConfigError where dates are given to a family that compares none.
    """
    from ..fitting import require_compared
    from ..raster import scenes_of

    compares, family = detector.compares_dates, detector.card.family
    require_compared(select.dates or "", compares_dates=compares, family=family)
    return scenes_of(scenes, select, one_site=compares)


def only(scenes: Sequence[Scene]) -> Scene:
    """Return the scene of which there is one; refuse several."""
    if len(scenes) > 1:
        names = listed([scene.name for scene in scenes])
        raise ConfigError(
            f"{len(scenes)} scenes are given ({names}), and one is expected. Give one."
        )
    return scenes[0]


def one_scene(detector: Detector, scenes: Sequence[str], select: Selection) -> Scene:
    """Return the scene of the paths of a command: several are dates of one, or refused."""
    return only(scenes_for(detector, scenes, select))
