"""Score a scene tile by tile: a tile needs nothing else of the scene.

In this process one thread reads ahead and others score, each a tile at a time.  Other processes get
the detector and the closed scene, and open the scene themselves.  Blocks and scores have axes
(time, row, col[, value]).
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..detector import THREADS, Scores, torch_threads
from ..errors import RasterError
from ..parallel import Mapper, ahead, captured_warnings, serial
from ..pixels.bands import Bands
from ..pixels.covariates import CovariateReport, Covariates, CovariateWarnings, report_of
from ..pixels.grid import Grid
from ..pixels.tiling import TILE_BYTES, Tile, fitting_size, tiles
from ..pixels.views import Block
from ..raster import OpenScene, Scene
from ..stats.thresholds import Threshold
from .options import ScoreOptions
from .quicklook import QuickLookSpec

AT_ONCE = 320 * 2**20
"""Bytes of float32 of all tiles that are read or scored at a time, if that is possible."""
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


class TileScores(NamedTuple):
    """A scored tile."""

    tile: Tile
    """Where it lies."""
    scores: Scores
    """The scores of its kept pixels, axes (time, row, col)."""
    preview: NDArray[np.float32]
    """What a quick look shows of the scene there, axes (row, col, band)."""
    covariates: CovariateReport
    """What the covariates show there."""


@dataclass(frozen=True)
class TileTask:
    """Read and score a tile of an open scene."""

    detector: Scorer
    """Scores what is read."""
    opened: OpenScene
    """Reads the tile and its halo."""
    quicklook: QuickLookSpec
    """What is sampled of the scene."""

    def __call__(self, tile: Tile) -> TileScores:
        """Read and score a tile."""
        return self.score(self.read(tile))

    def read(self, tile: Tile) -> tuple[Tile, Block]:
        """Read a tile and its halo."""
        return tile, self.opened.read(tile.read)

    def score(self, part: tuple[Tile, Block]) -> TileScores:
        """Score what was read of a tile."""
        tile, block = part
        return TileScores(
            tile,
            self.detector.score(block).inner(tile),
            self.quicklook.preview(tile, block),
            report_of(self.detector.covariates, block[..., len(self.detector.bands) :]),
        )


@dataclass(frozen=True)
class RemoteTask:
    """Score a tile in another process, which unpacks the work once and opens the scene itself."""

    content: bytes = field(repr=False)
    """A pickle of a `_RemoteWork`: made and read by one run, never a file."""

    def __call__(self, tile: Tile) -> TileScores:
        """Score a tile where this runs."""
        task, _ = _opened_task(self.content, threading.get_ident())
        return task(tile)


class _RemoteWork(NamedTuple):
    detector: Scorer
    scene: Scene
    grid: Grid
    quicklook: QuickLookSpec


@lru_cache(maxsize=16)
def _opened_task(content: bytes, thread: int) -> tuple[TileTask, ExitStack]:
    """Open the scene in this process, for one thread of it: datasets serve one thread only.

    The files stay open as long as the stack is kept.
    """
    torch.set_num_threads(1)  # the other cores have workers of their own
    work: _RemoteWork = pickle.loads(content)
    detector, scene = work.detector, work.scene
    try:
        # The process that waits for the tiles has opened the scene, and has logged its warnings.
        with captured_warnings(), ExitStack() as files:
            opened = files.enter_context(scene.open(detector.bands, detector.covariates))
            _require_same(opened, work.grid)
            kept = files.pop_all()
    except RasterError as error:
        raise RasterError(
            f"{error} Workers open rasters themselves: put them where every worker finds them "
            f"under this name."
        ) from error
    return TileTask(detector, opened, work.quicklook), kept


def _require_same(opened: OpenScene, grid: Grid) -> None:
    if opened.grid != grid:
        raise RasterError(
            f"{opened.name} is another raster on this machine than where the work was sent from. "
            f"Give all machines the same file under this name."
        )


@dataclass(frozen=True)
class TilePlan:
    """How much of a scene is worked on at a time; the map is the same whatever it is."""

    tile: tuple[int, int]
    """Rows and columns of a tile."""
    threads: int
    """Threads that score, each a tile."""


def plan_tiles(detector: Scorer, opened: OpenScene, options: ScoreOptions) -> TilePlan:
    """Choose tiles and threads by the file's blocks, the bands, and the processors."""
    shape, values = opened.grid.shape, opened.values_per_pixel
    if options.tile is None:
        budget = TILE_BYTES * (WIDER if detector.radius else 1)
        size = fitting_size(shape, opened.block_shape, values, budget)
    else:
        size = min(options.tile, shape[0]), min(options.tile, shape[1])
    if options.threads is not None:
        return TilePlan(size, options.threads)
    rows, cols = (side + 2 * detector.radius for side in size)
    most = min(torch.get_num_threads(), THREADS, AT_ONCE // (4 * values * rows * cols) - 2)
    return TilePlan(size, 1 if _on_gpu(detector) else max(1, most))


def score_tiles(
    detector: Scorer,
    opened: OpenScene,
    quicklook: QuickLookSpec,
    options: ScoreOptions,
    mapper: Mapper = serial,
) -> Generator[TileScores, None, None]:
    """Score tile by tile; every kept pixel comes once, in the order of `tiles`.

    Close the iterator before the scene: then no thread reads any more.

    Parameters
    ----------
    detector : Detector
        Scores blocks.
    opened : OpenScene
        The scene, open in the bands of the detector; other processes open it again.
    quicklook : QuickLookSpec
        What is sampled of the scene.
    options : ScoreOptions
        Tile size and threads.
    mapper : Mapper, optional
        Does the work, by default this process.

    Yields
    ------
    TileScores
    """
    warnings = CovariateWarnings(detector.covariates, opened.name)
    plan = plan_tiles(detector, opened, options)
    cut = tiles(opened.grid.shape, plan.tile, detector.radius)
    if mapper.workers:
        work = _RemoteWork(detector, opened.scene.absolute(), opened.grid, quicklook)
        scored = _remotely(RemoteTask(pickle.dumps(work)), cut, mapper)
    else:
        scored = _here(TileTask(detector, opened, quicklook), cut, plan.threads)
    with closing(scored):
        for part in scored:
            warnings.add(part.covariates)
            yield part
    warnings.finish()


def _remotely(
    task: RemoteTask, cut: Iterator[Tile], mapper: Mapper
) -> Generator[TileScores, None, None]:
    yield from mapper(task, cut)


def _here(task: TileTask, cut: Iterator[Tile], threads: int) -> Generator[TileScores, None, None]:
    """Score in this process: one thread reads ahead."""
    # torch's own threads wait busily for each other; where another program, or our reading and
    # writing, takes one of the cores, that was three times slower.
    with torch_threads(1), closing(ahead(task.read, cut)) as blocks:
        if threads == 1:
            yield from map(task.score, blocks)
            return
        with closing(ahead(task.score, blocks, threads=threads)) as scored:
            yield from scored


def _on_gpu(detector: Scorer) -> bool:
    return str(getattr(detector, "device", "cpu")) != "cpu"
