"""Score a scene tile by tile; each tile is independent of the others.

In this process one thread reads ahead and others score, each a tile at a time.  Other processes
receive the detector and the closed scene, and open the scene themselves.  Blocks and scores have
axes (time, row, col[, value]).
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import THREADS, Detector, adapted_to
from ..errors import RasterError
from ..parallel import Mapper, ahead, captured_warnings, serial
from ..parallel.threads import alone, blas_threads, usable_threads
from ..pixels.covariates import CovariateReport, CovariateWarnings, report_of
from ..pixels.grid import Grid
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import TILE_BYTES, Tile, fitting_size, tiles
from ..pixels.views import Block, Mask
from ..raster import OpenScene, Scene
from ..raster.radiometry import Reference, in_units_of
from ..stats.fill_watch import FillWatch
from ..stats.radiometry import Training
from .near_pixels import Nearness, NearPixels
from .options import MapOptions
from .quicklook import QuickLookSpec
from .scorer import Planes, Scorer, TileLayers, inner, layers_of

AT_ONCE = 320 * 2**20
"""Bytes of float32 of all tiles in work at a time; a single thread may need more."""
WIDER = 4
"""How many times larger a tile is where it has a halo."""


class TileScores(NamedTuple):
    """A scored tile."""

    tile: Tile
    """Its pixels."""
    layers: Planes
    """The layers of its kept pixels, the score first; then those that explain it, on request."""
    preview: NDArray[np.float32]
    """Pixels of the scene for the quick look, axes (row, col, band)."""
    covariates: CovariateReport
    """Which covariates have values, and which classes are unknown."""
    sample: NDArray[np.float32]
    """Pixels that are watched for fills, axes (pixel, band); of dates, the newest are the last."""
    sampled: NDArray[np.float32]
    """The first layer at these of the newest date, (pixel,)."""
    masked: Mask | None = None
    """Kept pixels that a mask hides, axes (row, col); None where the scene has no mask."""
    near: NearPixels | None = None
    """Pixels that are kept for explanations; None: none are."""


class TileRead(NamedTuple):
    """A tile that was read."""

    tile: Tile
    """Its pixels."""
    block: Block | StoredBlock
    """Axes (time, row, col, value): values, or numbers of the file."""
    masked: Mask | None
    """Its pixels that a mask hides, as in `MaskedBlock`."""


@dataclass(frozen=True)
class TileTask:
    """Read and score a tile of an open scene."""

    detector: Scorer | TileLayers
    """Scores the block."""
    opened: OpenScene
    """Reads the tile and its halo."""
    quicklook: QuickLookSpec
    """Pixels and bands of the quick look."""
    watch: FillWatch
    """Samples the scene."""
    near: Nearness | None = None
    """Which pixels are kept for explanations; None: none."""

    def read(self, tile: Tile) -> TileRead:
        """Read a tile and its halo."""
        if isinstance(self.detector, Detector) and self.detector.takes_numbers:
            numbers = self.opened.read_numbers(tile.read)
            if numbers is not None:
                return TileRead(tile, numbers, None)
        return TileRead(tile, *self.opened.read_masked(tile.read))

    def score(self, read: TileRead) -> TileScores:
        """Score a tile that was read."""
        tile, block, masked = read
        layers = self._layers(tile, block)
        return TileScores(
            tile,
            layers,
            self.quicklook.preview(tile, block),
            self._covariates(block),
            self.watch.sample(tile, block),
            self.watch.of_layer(tile, layers[0][-1]),
            None if masked is None else masked[tile.inner].copy(),
            None if self.near is None else self.near.pixels(tile, block, layers[0][-1]),
        )

    def _layers(self, tile: Tile, block: Block | StoredBlock) -> Planes:
        if isinstance(block, StoredBlock) and isinstance(self.detector, Detector):
            return inner(self.detector.score_stored(block), tile)
        return layers_of(self.detector, tile, np.asarray(block))

    def _covariates(self, block: Block | StoredBlock) -> CovariateReport:
        covariates, bands = self.detector.covariates, len(self.detector.bands)
        values = np.asarray(block)[..., bands:] if covariates else np.empty(0, np.float32)
        return report_of(covariates, values)


@dataclass(frozen=True)
class RemoteTask:
    """Score a tile in another process, which unpacks the work once and opens the scene itself."""

    content: bytes = field(repr=False)
    """A pickle of `_RemoteWork`: written and read by one run, never a file."""

    def __call__(self, tile: Tile) -> TileScores:
        """Score a tile in this process."""
        task, _ = _opened_task(self.content, threading.get_ident())
        return task.score(task.read(tile))


class _RemoteWork(NamedTuple):
    detector: Scorer | TileLayers
    scene: Scene
    grid: Grid
    quicklook: QuickLookSpec
    size: tuple[int, int]
    """Rows and columns of a tile."""


@lru_cache(maxsize=16)
def _opened_task(content: bytes, thread: int) -> tuple[TileTask, ExitStack]:
    """Open the scene in this process, for one thread of it: datasets serve one thread only.

    The files stay open while the stack is cached.
    """
    blas_threads(1)  # the other cores have workers of their own
    work: _RemoteWork = pickle.loads(content)
    detector, scene = work.detector, work.scene
    try:
        # The main process has opened the scene, too, and has logged the warnings.
        with captured_warnings(), ExitStack() as stack:
            opened = stack.enter_context(scene.open(detector.bands, detector.covariates))
            if opened.grid != work.grid:
                raise RasterError(
                    f"{opened.name} is another raster on this machine than where the work comes "
                    f"from. Give all machines the same file under this name."
                )
            shrink_cache(detector, opened, work.size)
            kept = stack.pop_all()
    except RasterError as error:
        raise RasterError(
            f"{error} Workers open rasters themselves: put them where every worker finds them "
            f"under this name."
        ) from error
    return TileTask(detector, opened, work.quicklook, _watch(opened)), kept


def _watch(opened: OpenScene) -> FillWatch:
    return FillWatch.of(opened.name, opened.bands, opened.grid.shape, dates=len(opened.dates))


@dataclass(frozen=True)
class TilePlan:
    """How much of a scene is in work at a time; the map does not depend on it."""

    tile: tuple[int, int]
    """Rows and columns of a tile."""
    threads: int
    """Threads that score, each a tile at a time."""


def plan_tiles(detector: Scorer | TileLayers, opened: OpenScene, options: MapOptions) -> TilePlan:
    """Choose tiles and threads by the file's blocks, the bands and the cores."""
    shape, values = opened.grid.shape, max(opened.values_per_pixel, len(detector.layers))
    if options.tile is None:
        budget = TILE_BYTES * (WIDER if detector.radius else 1)
        size = fitting_size(shape, opened.block_shape, values, budget)
    else:
        size = min(options.tile, shape[0]), min(options.tile, shape[1])
    if options.threads is not None:
        return TilePlan(size, options.threads)
    rows, cols = (side + 2 * detector.radius for side in size)
    most = min(usable_threads(), THREADS, AT_ONCE // (4 * values * rows * cols) - 2)
    on_gpu = str(getattr(detector, "device", "cpu")) != "cpu"
    return TilePlan(size, 1 if on_gpu else max(1, most))


def shrink_cache(detector: Scorer | TileLayers, opened: OpenScene, size: tuple[int, int]) -> None:
    """Shrink GDAL's cache if no two tiles of a size, (rows, cols), share a block of a file.

    To be called before the scene is read: memory that is freed later is scattered.
    """
    if not detector.radius:
        opened.shrink_cache(size)


def adapted_scorer(detector: Scorer, opened: OpenScene) -> Scorer:
    """Return what scores a scene: a detector with the noise of the scene, if its score has one."""
    return adapted_to(detector, opened) if isinstance(detector, Detector) else detector


def in_units_of_training(detector: Scorer, opened: OpenScene) -> OpenScene:
    """Return a scene with its values in the units of a detector."""
    reference = reference_of(detector)
    return opened if reference is None else in_units_of(reference, opened)


def reference_of(detector: Scorer) -> Reference | None:
    """Return the values whose units count for a detector; None: it keeps none."""
    training = Training.of(detector.domain, detector.bands.storage)
    return None if training is None else Reference(training)


def score_tiles(
    detector: Scorer | TileLayers,
    opened: OpenScene,
    quicklook: QuickLookSpec,
    options: MapOptions,
    mapper: Mapper = serial,
    near: Nearness | None = None,
) -> Generator[TileScores, None, None]:
    """Score tile by tile; every pixel is kept once, in the order of `tiles`.

    Close the iterator before the scene, so that no thread reads any more.

    Parameters
    ----------
    detector : Scorer or TileLayers
        What scores the scene (`adapted_scorer`).
    mapper : Mapper, optional
        As for `score_scene`.
    opened : OpenScene
        The scene, open with the bands of the detector; other processes open it again.
    quicklook : QuickLookSpec
        Pixels and bands of the quick look.
    options : MapOptions
        Tile size and threads.
    near : Nearness, optional
        Which pixels are kept for explanations, by this process alone.
    """
    warnings, watch = CovariateWarnings(detector.covariates, opened.name), _watch(opened)
    plan = plan_tiles(detector, opened, options)
    windows = tiles(opened.grid.shape, plan.tile, detector.radius)
    if mapper.workers:
        scene = opened.scene.absolute()
        work = _RemoteWork(detector, scene, opened.grid, quicklook, plan.tile)
        scored = _in_workers(RemoteTask(pickle.dumps(work)), windows, mapper)
    else:
        scored = _in_threads(
            TileTask(detector, opened, quicklook, watch, near), windows, plan.threads
        )
    with closing(scored):
        for tile in scored:
            warnings.add(tile.covariates)
            watch.add(tile.sample)
            yield tile
    warnings.finish()
    watch.finish()


def _in_workers(
    task: RemoteTask, windows: Iterator[Tile], mapper: Mapper
) -> Generator[TileScores, None, None]:
    yield from mapper(task, windows)


def _in_threads(
    task: TileTask, windows: Iterator[Tile], threads: int
) -> Generator[TileScores, None, None]:
    """Score in this process; one thread reads ahead."""
    with alone(), closing(ahead(task.read, windows)) as blocks:
        if threads == 1:
            yield from map(task.score, blocks)
            return
        with closing(ahead(task.score, blocks, threads=threads)) as scored:
            yield from scored
