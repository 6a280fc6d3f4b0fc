"""The scenes of earlier dates, given which a scene of a time series is scored."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from ..errors import AnomvaeError, ConfigError
from ..pixels.dates import date_of
from ..pixels.tiling import fitting_size, tiles
from .scoring import scene_of
from .sources import Found

if TYPE_CHECKING:
    from ..raster.open_scene import OpenDate

When = tuple[date, str]

LOOKED_AT = 3
"""Scenes before one that are looked at, in multiples of those that are needed."""


@dataclass
class DateHistory:
    """What a source offers, in the order of the dates in its names.

    A scene that was not scored may be damaged: it is read once before another is scored given it.
    """

    dates: int
    """How many dates a scene is scored with, its own included."""
    offered: Iterable[Found]
    """All scenes of the site."""
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
        site = bisect_left(self._dated, when, key=lambda pair: pair[0])
        needed = self.dates - 1
        earlier = [each for _, each in self._dated[max(0, site - LOOKED_AT * needed) : site]]
        return tuple(self._going_with(found, earlier)) or tuple(earlier[-needed:])

    def _going_with(self, found: Found, earlier: Sequence[Found]) -> list[Found]:
        """Choose the newest of the scenes that can be read with one; none if that is damaged."""
        chosen: deque[Found] = deque()
        try:
            with scene_of(found).open():
                pass
        except AnomvaeError:
            return []
        for candidate in reversed(earlier):
            if len(chosen) < self.dates - 1 and self._goes_with(candidate, found):
                chosen.appendleft(candidate)
        return list(chosen)

    def _goes_with(self, earlier: Found, newest: Found) -> bool:
        """Whether two scenes can be read together; a new one is read whole."""
        try:
            with scene_of(replace(newest, before=(earlier,))).open() as opened:
                if earlier.identity not in self.readable:
                    _read_whole(opened.dates[0])
        except AnomvaeError:
            return False
        self.readable.add(earlier.identity)
        return True


def _read_whole(date: OpenDate) -> None:
    size = fitting_size(date.grid.shape, date.dataset.block_shape, len(date.bands))
    for tile in tiles(date.grid.shape, size):
        date.read(tile.keep)


def _when(found: Found) -> When | None:
    day = date_of(found.source)
    return None if day is None else (day, found.source)
