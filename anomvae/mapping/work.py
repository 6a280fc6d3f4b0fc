"""The work on a tile: read it, score it; nothing else of a scene is needed for it.

Blocks and scores have axes (time, row, col[, band]).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..bands import Bands
from ..covariates import Covariates
from ..detector import Scores
from ..errors import ConfigError
from ..parallel import Mapper, serial
from ..pixels import Block, Reader
from ..thresholds import Threshold
from ..tiling import Tile, tiles


class Scorer(Protocol):
    """What can be mapped: a `Detector`, or anything that scores blocks as it does."""

    @property
    def id(self) -> str:
        """Tells it from any other."""

    @property
    def bands(self) -> Bands:
        """The bands a scene must have."""

    @property
    def covariates(self) -> Covariates:
        """What a scene must have besides, in this order; mostly nothing."""

    @property
    def reach(self) -> int:
        """How far a score looks sideways, pixels."""

    @property
    def meaning(self) -> str:
        """What a score is, in a line."""

    @property
    def threshold(self) -> Threshold:
        """The cut-off."""

    def require_dates(self, dates: int) -> None:
        """Make sure that a score can be made of so many dates of a place."""

    def score(self, block: Block) -> Scores:
        """Score a block of shape (time, row, col, band)."""


@dataclass(frozen=True)
class TileWork:
    """What is done to a tile: whole in itself, so that it can be sent to another process."""

    detector: Scorer
    """Scores what is read."""
    reader: Reader
    """Reads the tile and its halo."""

    def __call__(self, tile: Tile) -> tuple[Tile, Scores]:
        """Score a tile; the scores are those of its kept pixels, axes (time, row, col)."""
        return tile, self.detector.score(self.reader.read(tile.read)).inner(tile)


def score_tiles(
    detector: Scorer, reader: Reader, size: tuple[int, int], mapper: Mapper = serial
) -> Iterator[tuple[Tile, Scores]]:
    """Score tile by tile; every kept pixel comes once.

    Yields
    ------
    Tile, Scores
        The scores of the kept pixels, axes (time, row, col).
    """
    return mapper(TileWork(detector, reader), tiles(reader.grid.shape, size, detector.reach))


def require_tile(tile: int | None) -> None:
    """Make sure that a tile has pixels.

    Raises
    ------
    ConfigError
        If it has none.
    """
    if tile is not None and tile < 1:
        raise ConfigError(f"tile = {tile}: a tile has a side of at least 1 pixel.")
