"""Draw training examples from many scenes, and hold out blocks of pixels for the threshold.

Neighbouring pixels are correlated, so held-out pixels must lie apart from training pixels: a scene
is divided into square blocks, and whole blocks are held out.  Examples are drawn evenly over the
scenes by reservoir sampling (Vitter 1985), while each scene is read once, tile by tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ..parallel import Progress, quiet
from ..pixels.tiling import Tile, Window, tiles
from ..pixels.views import Examples, View
from ..stats.fill_watch import FillWatch
from .scenes import OpenScene, TrainingScenes, TrainingTile, empty_pixels, read_tile, reading_tiles

HELD_OUT = 0.2
FOLDS = 5  # each holds out as much
LARGEST_SIDE = 64
SMALLEST_SIDE = 4  # smaller blocks would make a narrow raster be read pixel by pixel
SIDE_PER_RADIUS = 4  # holding out a fifth then excludes half of the pixels from training
EXAMPLE_BYTES = 256 * 2**20  # training takes about four times that
MOST_READ = 4_000_000
"""Pixels of a scene that are read where a part is enough."""
HELD_OUT_EXAMPLES = 16_384  # for the held-out ELBO; the threshold reads whole blocks


@dataclass(frozen=True)
class Blocks:
    """A grid divided into square blocks, of which some are chosen."""

    shape: tuple[int, int]
    """The grid, pixels."""
    side: int
    """Side of a block, pixels."""
    chosen: NDArray[np.bool_]
    """Which blocks are chosen, axes (row of blocks, column of blocks)."""

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window lie in chosen blocks, axes (row, col)."""
        rows, cols = (np.arange(part.start, part.stop) // self.side for part in window)
        return np.asarray(self.chosen[np.ix_(rows, cols)])

    def numbers(self, window: Window) -> NDArray[np.int64]:
        """Return the number of the chosen block of each pixel of a window, axes (row, col).

        -1 outside of the chosen blocks.
        """
        rows, cols = (np.arange(part.start, part.stop) // self.side for part in window)
        numbers = rows[:, None] * self.chosen.shape[1] + cols
        return np.where(self.inside(window), numbers, -1)

    def near(self, tile: Tile, radius: int) -> NDArray[np.bool_]:
        """Return which pixels of a tile with its halo lie within ``radius`` of a chosen block."""
        inside = self.inside(tile.read)
        if radius == 0:
            return inside
        from scipy.ndimage import maximum_filter

        return np.asarray(maximum_filter(inside, size=2 * radius + 1, mode="constant"))

    def tiles(self, halo: int) -> list[Tile]:
        """Return the chosen blocks as tiles with a halo."""
        return list(compress(tiles(self.shape, (self.side, self.side), halo), self.chosen.flat))


def cut_blocks(shape: tuple[int, int], radius: int = 0) -> Blocks:
    """Divide a grid into blocks of side shorter side / 8, from 4 to 64 pixels, and choose all.

    A receptive ``radius`` makes the blocks larger: most of what is read for a small block, and of
    what training loses around it, would lie outside of it.
    """
    wanted = max(min(shape) // 8, SMALLEST_SIDE, SIDE_PER_RADIUS * radius)
    side = min(wanted, LARGEST_SIDE, max(min(shape) // 2, SMALLEST_SIDE))
    rows, cols = (-(-length // side) for length in shape)
    return Blocks(shape, side, np.ones((rows, cols), dtype=bool))


def choose_blocks(blocks: Blocks, share: float, seed: Sequence[int]) -> Blocks:
    """Choose a random share of the chosen blocks: at least one, and at most all but one."""
    indexes = np.flatnonzero(blocks.chosen)
    count = min(max(1, round(share * len(indexes))), max(1, len(indexes) - 1))
    chosen = np.zeros(blocks.chosen.size, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(indexes)[:count]] = True
    return Blocks(blocks.shape, blocks.side, chosen.reshape(blocks.chosen.shape))


def held_out_blocks(shape: tuple[int, int], seed: int, scene: int, radius: int = 0) -> Blocks:
    """Choose the held-out blocks of a scene; ``scene`` is its number."""
    return choose_blocks(cut_blocks(shape, radius), HELD_OUT, (seed, scene, 0))


def fold_blocks(shape: tuple[int, int], seed: int, scene: int, radius: int = 0) -> list[Blocks]:
    """Divide the blocks of a scene at random into `FOLDS`, of which some may be empty.

    The first are the `held_out_blocks`.
    """
    first = held_out_blocks(shape, seed, scene, radius)
    others = np.random.default_rng((seed, scene, 3)).permutation(np.flatnonzero(~first.chosen))
    parts = np.array_split(others, FOLDS - 1)
    indexes = np.arange(first.chosen.size).reshape(first.chosen.shape)
    return [first, *(replace(first, chosen=np.isin(indexes, part)) for part in parts)]


@dataclass(frozen=True)
class Sample:
    """Training examples; some may lack data in some bands."""

    examples: NDArray[np.float32]
    """Shape (n, ..., value), data units, NaN = no data."""
    held_out: NDArray[np.float32]
    """Examples from held-out blocks, same axes; may be empty."""
    scenes: tuple[str, ...] = ()
    """Names of the scenes, or of their dates."""
    nodata: float = 0.0
    """Share of the scenes' pixels that have no data in any band."""
    pixel_area: float | None = None
    """Mean area of a pixel of the first scene, m2; None: unknown."""
    first: tuple[int, ...] = (0,)
    """Number of the first of the ``examples`` of each scene."""


def spread_tiles(opened: OpenScene, halo: int, most: float, seed: Sequence[int]) -> list[Tile]:
    """Return the tiles of a scene, in random order if they hold more than ``most`` pixels."""
    found = list(reading_tiles(opened, halo))
    if math.prod(opened.grid.shape) <= most:
        return found
    return [found[number] for number in np.random.default_rng(seed).permutation(len(found))]


def draw_sample(
    scenes: TrainingScenes,
    view: View,
    count: int,
    held_out: Sequence[Blocks] | None,
    seed: int,
    progress: Progress = quiet,
    most_bytes: int = EXAMPLE_BYTES,
) -> Sample:
    """Draw up to ``count`` examples evenly over scenes, reading each once.

    A view that scores the newest date alone is fitted to every scene that it scores: of one with
    more pixels than `MOST_READ`, tiles in random places are read until so many have data.

    ``held_out`` are the blocks of each scene that training must not read; None holds nothing out.
    Fewer examples are drawn where ``count`` would take more than ``most_bytes``.
    """
    rng = np.random.default_rng((seed, 1))
    training = _Reservoir(count, rng, most_bytes)
    reserve = _Reservoir(HELD_OUT_EXAMPLES, rng, most_bytes)
    names: list[str] = []
    first: list[int] = []
    empty = pixels = done = 0
    rows = sum(shape[0] for shape in scenes.shapes)
    for number, opened in enumerate(scenes.opened()):
        training.start_scene(len(scenes.shapes) - number)
        reserve.start_scene(len(scenes.shapes) - number)
        first.append(training.start)
        blocks = None if held_out is None else held_out[number]
        names.extend(opened.names)
        watch = FillWatch.of(
            opened.names[-1], opened.bands, opened.grid.shape, dates=len(opened.names)
        )
        most = math.inf if view.most_dates is None else MOST_READ
        found = spread_tiles(opened, view.radius, most, (seed, number, 4))
        for index, tile in enumerate(found, start=1):
            if training.offered >= most:
                break
            _, block, wanted = read_tile(opened, tile)
            if blocks is None:
                training.offer(view.split(block, wanted))
            else:
                # No example of one side may contain a pixel of the other.
                training.offer(view.split(block, wanted & ~blocks.near(tile, view.radius)))
                reserve.offer(view.split(block, wanted & blocks.inside(tile.read)))
            watch.add(watch.sample(tile, block, wanted))
            inner = empty_pixels(opened, block[(slice(None), *tile.inner)])
            empty, pixels = empty + int(inner.sum()), pixels + inner.size
            progress("read", done + opened.grid.shape[0] * index // len(found), rows)
        watch.finish()
        done += opened.grid.shape[0]
    nodata = empty / pixels
    return Sample(
        training.examples,
        reserve.examples,
        tuple(names),
        nodata,
        scenes.pixel_area,
        tuple(first),
    )


def draw_blocks(
    scenes: TrainingScenes,
    pixels: int,
    halo: int,
    seed: int,
    progress: Progress = quiet,
    blocks: Sequence[Blocks] | None = None,
    whole_tiles: bool = False,
) -> Iterator[tuple[int, TrainingTile]]:
    """Read the blocks of each scene with a halo; yield the number of the scene and a tile.

    ``blocks`` are the chosen ones of each scene; None: all.  Where they hold more than about so
    many ``pixels``, read a random part of them, evenly over the scenes; with ``whole_tiles``, of
    file blocks in random places until so many pixels have data.
    """
    blocks = blocks or [cut_blocks(shape, halo) for shape in scenes.shapes]
    available = [int(cut.chosen.sum()) * cut.side**2 for cut in blocks]
    quota, total, done = pixels // len(blocks), sum(available), 0
    for number, (opened, cut) in enumerate(zip(scenes.opened(), blocks, strict=True)):
        share = min(1.0, quota / max(available[number], 1))
        drawn = cut if share == 1.0 else choose_blocks(cut, share, (seed, number, 2))
        # File blocks are larger, and each would be decompressed for several of ours.
        whole = whole_tiles or drawn.chosen.all()
        found = spread_tiles(opened, halo, quota, (seed, number, 2)) if whole else drawn.tiles(halo)
        valid = 0
        for tile in found:
            read = read_tile(opened, tile)
            yield number, read
            valid += int(read.wanted[-1].sum())
            done = min(total, done + math.prod(tile.shape))
            progress("threshold", done, total)
            if whole_tiles and valid >= quota:
                break


class _Reservoir:
    """A uniform random choice from a stream of examples (Vitter's algorithm R), scene by scene."""

    def __init__(self, count: int, rng: np.random.Generator, most_bytes: int) -> None:
        self.count, self.rng, self.most_bytes = count, rng, most_bytes
        self.store: NDArray[np.float32] | None = None
        self.start = self.offered = self.quota = 0

    @property
    def examples(self) -> NDArray[np.float32]:
        if self.store is None:
            return np.empty((0, 0), np.float32)
        return self.store[: self.start + min(self.offered, self.quota)]

    def start_scene(self, remaining: int) -> None:
        """Divide the free slots evenly among the remaining scenes, this one included."""
        self.start += min(self.offered, self.quota)
        self.offered, self.quota = 0, (self.count - self.start) // remaining

    def offer(self, examples: Examples) -> None:
        store = self._allocated(examples.shape[1:])
        free = min(len(examples), max(0, self.quota - self.offered))
        start = self.start + self.offered
        store[start : start + free] = examples[:free]
        self.offered += free
        rest = np.arange(free, len(examples))
        slots = self.rng.integers(0, self.offered + 1 + np.arange(len(rest)))
        chosen = slots < self.quota
        store[self.start + slots[chosen]] = examples[rest[chosen]]
        self.offered += len(rest)

    def _allocated(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if self.store is None:
            most = self.most_bytes // (4 * int(np.prod(shape)))
            if self.count > most:
                self.quota = max(1, self.quota * most // self.count)
                self.count = most
            self.store = np.empty((self.count, *shape), np.float32)
        return self.store
