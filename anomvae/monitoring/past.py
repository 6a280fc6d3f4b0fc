"""The scenes of earlier dates, given which a scene of a time series is scored."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ..dates import date_of
from ..errors import AnomvaeError, ConfigError
from ..tiling import fitting_size, tiles
from .scoring import named_rasters
from .sources import Found

When = tuple[date, str]

LOOKED_AT = 3
"""Scenes before one that are looked at, in multiples of those that are needed."""


@dataclass
class Past:
    """What a source offers, in the order of the dates in its names.

    A scene that was not scored may be damaged: it is read once before another is scored given it.
    """

    dates: int
    """How many dates a scene is scored with, its own included."""
    offered: Iterable[Found]
    """All scenes of the place."""
    readable: set[str]
    """Identities of scenes that are known to be whole."""

    def __post_init__(self) -> None:
        """Put scenes in order; scenes of one day by name."""
        told = [(_when(found), found) for found in self.offered]
        dated = [(when, found) for when, found in told if when is not None]
        self._dated = sorted(dated, key=lambda pair: pair[0])
        self._undated = [found for when, found in told if when is None]

    @property
    def followers(self) -> list[Found]:
        """All scenes but the first, oldest first, and those whose names tell no date."""
        return [*(found for _, found in self._dated[1:]), *self._undated]

    def before(self, found: Found) -> tuple[Found, ...]:
        """Choose the scenes before one: the newest that can be read, on its grid, oldest first.

        If none can, those that cannot are given: scoring then says what is wrong.

        Raises
        ------
        ConfigError
            If its name tells no date.
        """
        when = _when(found)
        if when is None:
            raise ConfigError(
                f"{found.source} has no date in its name, and the order of dates counts. Rename "
                f"it, as in harbour_2024-06-01.tif, or choose others by `pattern`."
            )
        place = bisect_left(self._dated, when, key=lambda pair: pair[0])
        needed, chosen = self.dates - 1, list[Found]()
        earlier = [each for _, each in self._dated[max(0, place - LOOKED_AT * needed) : place]]
        for candidate in reversed(earlier if _opens(found) else []):
            if len(chosen) < needed and self._goes_with(candidate, found):
                chosen.append(candidate)
        return tuple(reversed(chosen)) or tuple(earlier[-needed:])

    def _goes_with(self, earlier: Found, newest: Found) -> bool:
        """Tell whether two scenes can be read together; a new one is read whole."""
        from ..raster import opened_dates

        try:
            with named_rasters((earlier, newest)) as names, opened_dates(names) as pair:
                if earlier.identity not in self.readable:
                    date = pair.dates[0]
                    size = fitting_size(date.grid.shape, date.block_shape, date.depth)
                    for tile in tiles(date.grid.shape, size):
                        date.read(tile.keep)
        except AnomvaeError:
            return False
        self.readable.add(earlier.identity)
        return True


def _opens(found: Found) -> bool:
    """Tell whether there is a scene at all: if not, no other one need be looked at for it."""
    from ..raster import RasterReader

    try:
        with named_rasters([found]) as (name,), RasterReader(name):
            return True
    except AnomvaeError:
        return False


def _when(found: Found) -> When | None:
    day = date_of(found.source)
    return None if day is None else (day, found.source)
