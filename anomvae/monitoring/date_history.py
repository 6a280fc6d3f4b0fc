"""The scenes of earlier dates that the score of a scene of a time series is conditioned on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from ..errors import AnomvaeError, ConfigError
from ..pixels.tiling import fitting_size, tiles
from .decisions.candidates import candidates_path
from .decisions.passes import ScenePass
from .scoring import scene_of
from .sources import FoundScene

if TYPE_CHECKING:
    from ..mapping.deliverables import Deliverables
    from ..raster import Access, OpenScene

CANDIDATES = 3
"""Earlier scenes that are tried, in multiples of those needed."""


@dataclass
class DateHistory:
    """The scenes of a source, in the order of their dates.

    A scene that was not scored may be damaged: it is read once before another depends on it.
    """

    dates: int
    """Dates per scene, its own included."""
    offered: Iterable[FoundScene]
    readable: set[str]
    """Identities of scenes that are known to be readable."""
    access: Access | None = None
    """Drivers and limits of files that are opened; None: the default ones."""
    warp: bool = False
    """Whether earlier scenes on another grid are warped to that of a scene."""

    def __post_init__(self) -> None:
        """Sort the scenes by date and name."""
        pairs = [(_date_and_name(scene), scene) for scene in self.offered]
        dated = [(when, scene) for when, scene in pairs if when is not None]
        self._dated = sorted(dated, key=itemgetter(0))
        self._undated = [scene for when, scene in pairs if when is None]

    @property
    def followers(self) -> list[FoundScene]:
        """All scenes but the first, oldest first, then those without a date in their names."""
        return [scene for _, scene in self._dated[1:]] + self._undated

    def before(self, scene: FoundScene) -> tuple[FoundScene, ...]:
        """Return the newest earlier scenes that are readable and on its grid, oldest first.

        With ``warp``, they may be on another grid and show some of its ground.  If there are none,
        the unreadable ones are returned: scoring then reports the reason.  A scene whose name has
        no date raises `ConfigError`.
        """
        when = _date_and_name(scene)
        if when is None:
            raise ConfigError(
                f"{scene.source} has no date in its name, and the order of dates counts. Rename "
                f"it, as in harbour_2024-06-01.tif, or choose others by `pattern`."
            )
        position, needed = bisect_left(self._dated, when, key=itemgetter(0)), self.dates - 1
        candidates = self._dated[max(0, position - CANDIDATES * needed) : position]
        earlier = [candidate for _, candidate in candidates]
        return tuple(self._going_with(scene, earlier)) or tuple(earlier[-needed:])

    def _going_with(self, found: FoundScene, earlier: Sequence[FoundScene]) -> list[FoundScene]:
        """Return the newest earlier scenes on the grid of a scene; none if that is damaged."""
        try:
            with scene_of(found, access=self.access).open():
                pass
        except AnomvaeError:
            return []
        fitting = (each for each in reversed(earlier) if self._goes_with(each, found))
        return list(islice(fitting, self.dates - 1))[::-1]

    def _goes_with(self, earlier: FoundScene, newest: FoundScene) -> bool:
        """Return whether two scenes can be read together; an unknown one is read whole."""
        try:
            pair = replace(newest, before=(earlier,))
            with replace(scene_of(pair, access=self.access), warp=self.warp).open():
                pass
            if earlier.identity not in self.readable:
                with scene_of(earlier, access=self.access).open() as opened:
                    _read_whole(opened)
        except AnomvaeError:
            return False
        self.readable.add(earlier.identity)
        return True


def with_flags(before: Sequence[FoundScene], passes: Iterable[ScenePass]) -> tuple[FoundScene, ...]:
    """Return earlier scenes with their candidates, which are hidden in what is compared with them.

    So a change that lasts stays different from what was there before it, and is confirmed by later
    passes; and a cloud of which it is known disturbs no later date.
    """
    files = {each.key.scene: each.files for each in passes}
    return tuple(replace(each, flags=_flags(files.get(each.identity))) for each in before)


def _flags(files: Deliverables | None) -> str | None:
    """Return where the candidates of results lie; None where there are none."""
    path = None if files is None else candidates_path(files)
    return None if path is None or not path.exists() else str(path)


def _read_whole(opened: OpenScene) -> None:
    """Read all pixels of a scene of one date."""
    size = fitting_size(opened.grid.shape, opened.block_shape, opened.values_per_pixel)
    for tile in tiles(opened.grid.shape, size):
        opened.read(tile.keep)


def _date_and_name(scene: FoundScene) -> tuple[date, str] | None:
    day = scene.date
    return None if day is None else (day, scene.source)
