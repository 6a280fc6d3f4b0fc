"""The work on a tile: read it, score it; nothing else of a scene is needed for it.

In this process one thread reads ahead and others score, each a tile at a time.  Other processes
get the whole work as bytes, and open the rasters themselves.  Blocks and scores have axes
(time, row, col[, band]).
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..detector import THREADS, Scores, torch_threads
from ..errors import ConfigError, RasterError
from ..parallel import Mapper, ahead, serial
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.tiling import TILE_BYTES, SamplingGrid, Tile, fitting_size, tiles
from ..pixels.views import Block, Reader
from ..stats.thresholds import Threshold

AT_ONCE = 320 * 2**20
"""Bytes of float32 of all tiles that are read or scored at a time, if it can be helped."""
WIDER = 4
"""How much larger a tile is where its halo costs."""


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
    def radius(self) -> int:
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
class QuickLookSpec:
    """What a picture of a scene shows of it."""

    lattice: SamplingGrid
    """Which pixels."""
    bands: list[int]
    """Which bands, positions from 0."""

    def part(self, tile: Tile, block: Block) -> NDArray[np.float32]:
        """Take what it shows of a tile's newest date, axes (row, col, band)."""
        _, (rows, cols) = self.lattice.part(tile.keep)
        return np.asarray(block[-1][tile.inner][rows[:, np.newaxis], cols][..., self.bands])


class Scored(NamedTuple):
    """A tile that has been scored."""

    tile: Tile
    """Where it lies."""
    scores: Scores
    """The scores of its kept pixels, axes (time, row, col)."""
    picture: NDArray[np.float32] | None
    """What a picture shows of the scene there, if one is asked for; axes (row, col, band)."""


@dataclass(frozen=True)
class TileTask:
    """What is done to a tile: whole in itself, so that it can be sent to another process."""

    detector: Scorer
    """Scores what is read."""
    reader: Reader
    """Reads the tile and its halo."""
    picture: QuickLookSpec | None = None
    """What is taken of the scene besides."""

    def __call__(self, tile: Tile) -> Scored:
        """Read and score a tile."""
        return self.score(self.read(tile))

    def read(self, tile: Tile) -> tuple[Tile, Block]:
        """Read a tile and its halo."""
        return tile, self.reader.read(tile.read)

    def score(self, part: tuple[Tile, Block]) -> Scored:
        """Score what was read of a tile."""
        tile, block = part
        shown = None if self.picture is None else self.picture.part(tile, block)
        return Scored(tile, self.detector.score(block).inner(tile), shown)


@dataclass(frozen=True)
class RemoteTask:
    """The work on tiles as other processes get it, with each tile; they unpack it once."""

    content: bytes = field(repr=False)
    """A pickle of a `TileTask`: made and read by one run, never a file."""

    def __call__(self, tile: Tile) -> Scored:
        """Score a tile where this is run."""
        return _unpacked(self.content, threading.get_ident())(tile)


@lru_cache(maxsize=16)
def _unpacked(content: bytes, thread: int) -> TileTask:
    """Open the rasters in this process, for one thread of it, as they serve one only."""
    torch.set_num_threads(1)  # the other cores have workers of their own
    try:
        work: TileTask = pickle.loads(content)
    except RasterError as error:
        raise RasterError(
            f"{error} Workers open rasters themselves: put them where every worker finds them "
            f"under this name."
        ) from error
    return work


@dataclass(frozen=True)
class TilePlan:
    """How much of a scene is worked on at a time; it does not show in the map."""

    tile: tuple[int, int]
    """Rows and columns of a tile."""
    threads: int
    """Threads that score, each a tile."""


def plan_tiles(
    detector: Scorer, reader: Reader, tile: int | None = None, threads: int | None = None
) -> TilePlan:
    """Choose tiles and threads by the file's blocks, the bands, and the processors.

    Parameters
    ----------
    detector, reader
        What is to score, and to be scored.
    tile : int, optional
        Side of a tile, pixels, instead.
    threads : int, optional
        Threads, instead of as many as torch would use, 4 at the most, and one beside a GPU.

    Returns
    -------
    Pace
    """
    shape = reader.grid.shape
    if tile is None:
        budget = TILE_BYTES * (WIDER if detector.radius else 1)
        size = fitting_size(shape, reader.block_shape, reader.values_per_pixel, budget)
    else:
        size = min(tile, shape[0]), min(tile, shape[1])
    if threads is None:
        rows, cols = (side + 2 * detector.radius for side in size)
        one = 4 * reader.values_per_pixel * rows * cols
        most = min(torch.get_num_threads(), THREADS, AT_ONCE // one - 2)
        threads = 1 if _on_gpu(detector) else max(1, most)
    return TilePlan(size, threads)


def score_tiles(
    detector: Scorer,
    reader: Reader,
    how: TilePlan,
    mapper: Mapper = serial,
    picture: QuickLookSpec | None = None,
) -> Generator[Scored, None, None]:
    """Score tile by tile; every kept pixel comes once, in the order of `tiles`.

    Close the iterator before the reader: then no thread reads any more.

    Yields
    ------
    Scored
    """
    work = TileTask(detector, reader, picture)
    cut = tiles(reader.grid.shape, how.tile, detector.radius)
    if mapper.workers:
        yield from mapper(RemoteTask(pickle.dumps(work)), cut)
        return
    # torch's own threads wait busily for each other; where another program, or our reading and
    # writing, takes one of the cores, that was three times slower.
    with torch_threads(1), closing(ahead(work.read, cut)) as blocks:
        if how.threads == 1:
            yield from map(work.score, blocks)
            return
        with closing(ahead(work.score, blocks, threads=how.threads)) as scored:
            yield from scored


def require_tile(tile: int | None) -> None:
    """Make sure that a tile has pixels.

    Raises
    ------
    ConfigError
        If it has none.
    """
    if tile is not None and tile < 1:
        raise ConfigError(f"tile = {tile}: a tile has a side of at least 1 pixel.")


def require_threads(threads: int | None) -> None:
    """Make sure that there is a thread to score.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"threads = {threads}: at least 1 thread is needed to score.")


def _on_gpu(detector: Scorer) -> bool:
    return str(getattr(detector, "device", "cpu")) != "cpu"
