"""Draw training examples from many scenes, and hold blocks of them out for the threshold.

Neighbouring pixels are alike, so held-out pixels must lie apart from those trained on: a scene is
cut into square blocks, and whole blocks are held out.  Examples are drawn evenly over the scenes by
reservoir sampling (Vitter 1985) while each scene is read once, tile by tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .parallel import Progress, quiet
from .pixels import Block, Mask, Reader, View
from .tiling import Tile, Window, fitting_size, tile_at, tiles

HELD_OUT = 0.2
LARGEST_SIDE = 64
EXAMPLE_BYTES = 512 * 2**20
HELD_OUT_EXAMPLES = 16_384  # for the held-out ELBO; the threshold reads whole blocks


class NormalMask(Protocol):
    """Where a scene is known to be normal."""

    def read(self, window: Window) -> NDArray[np.bool_]:
        """Tell which pixels of a window are normal, axes (row, col)."""


@dataclass(frozen=True)
class TrainingScene:
    """A scene, and which of its pixels may be learnt."""

    reader: Reader
    """Gives its pixels."""
    normal: NormalMask | None = None
    """Which pixels are normal; without it, all."""

    def read(self, tile: Tile) -> tuple[Block, Mask]:
        """Read a tile with its halo, and tell which pixels to learn: kept, normal, with data."""
        block = self.reader.read(tile.read)
        wanted = np.zeros(block.shape[1:3], dtype=bool)
        wanted[tile.inner] = True if self.normal is None else self.normal.read(tile.keep)
        return block, np.isfinite(block).any(axis=-1) & wanted


@dataclass(frozen=True)
class Blocks:
    """A grid cut into square blocks, some of them chosen."""

    shape: tuple[int, int]
    """The grid, pixels."""
    side: int
    """Side of a block, pixels."""
    chosen: NDArray[np.bool_]
    """Which blocks are chosen, axes (row of blocks, column of blocks)."""

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Tell which pixels of a window lie in chosen blocks, axes (row, col)."""
        rows, cols = (np.arange(part.start, part.stop) // self.side for part in window)
        return np.asarray(self.chosen[np.ix_(rows, cols)])

    def tiles(self, halo: int) -> list[Tile]:
        """Give the chosen blocks as tiles with a halo."""
        return [
            tile_at(self._window(row, col), self.shape, halo)
            for row, col in np.argwhere(self.chosen).tolist()
        ]

    def _window(self, row: int, col: int) -> Window:
        top, left = row * self.side, col * self.side
        rows, cols = self.shape
        return (
            slice(top, min(top + self.side, rows)),
            slice(left, min(left + self.side, cols)),
        )


def cut_blocks(shape: tuple[int, int]) -> Blocks:
    """Cut a grid into blocks of side min(shorter side / 8, 64), and choose all."""
    side = max(1, min(min(shape) // 8, LARGEST_SIDE))
    rows, cols = (-(-length // side) for length in shape)
    return Blocks(shape, side, np.ones((rows, cols), dtype=bool))


def choose_blocks(blocks: Blocks, share: float, seed: Sequence[int]) -> Blocks:
    """Choose a share of the chosen blocks at random: at least one, and all but one at the most."""
    places = np.flatnonzero(blocks.chosen)
    count = min(max(1, round(share * len(places))), max(1, len(places) - 1))
    chosen = np.zeros(blocks.chosen.size, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(places)[:count]] = True
    return Blocks(blocks.shape, blocks.side, chosen.reshape(blocks.chosen.shape))


def held_out_blocks(shape: tuple[int, int], seed: int, scene: int) -> Blocks:
    """Choose the blocks of a scene that training does not see; ``scene`` counts the scenes."""
    return choose_blocks(cut_blocks(shape), HELD_OUT, (seed, scene, 0))


@dataclass(frozen=True)
class Sample:
    """Examples to train on; some may lack data in some bands."""

    examples: NDArray[np.float32]
    """Shape (n, ..., band), data units, NaN = no data."""
    held_out: NDArray[np.float32]
    """Examples that training does not see, same axes; may be empty."""
    scenes: tuple[str, ...] = ()
    """Names of the scenes they come from."""
    nodata: float = 0.0
    """Share of the scenes' pixels that have no data in any band."""


def draw_sample(
    scenes: Sequence[TrainingScene],
    view: View,
    count: int,
    held_out: Sequence[Blocks] | None,
    seed: int,
    progress: Progress = quiet,
) -> Sample:
    """Draw examples evenly over scenes, reading each once.

    Parameters
    ----------
    scenes : sequence of TrainingScene
        Scenes of the same bands.
    view : View
        What an example is.
    count : int
        Examples at the most; fewer where they would take more than 512 MiB.
    held_out : sequence of Blocks, or None
        Per scene, the blocks that training must not see; None holds nothing out.
    seed : int
        Decides which examples are drawn.
    progress : Progress, optional
        Told about every tile read.

    Returns
    -------
    Sample
    """
    plans = [list(_reading_tiles(scene.reader, view.reach)) for scene in scenes]
    rng = np.random.default_rng((seed, 1))
    drawn, kept_out = _Reservoir(count, rng), _Reservoir(HELD_OUT_EXAMPLES, rng)
    total, done, empty, pixels = sum(map(len, plans)), 0, 0, 0
    for number, (scene, plan) in enumerate(zip(scenes, plans, strict=True)):
        drawn.start_scene(len(scenes) - number)
        kept_out.start_scene(len(scenes) - number)
        for tile in plan:
            block, wanted = scene.read(tile)
            away = np.zeros(block.shape[1:3], dtype=bool)
            if held_out is not None:
                away[tile.inner] = held_out[number].inside(tile.keep)
            drawn.offer(view.split(block, wanted & ~away))
            kept_out.offer(view.split(block, wanted & away))
            inner = np.isfinite(block[(slice(None), *tile.inner)]).any(axis=-1)
            empty, pixels = empty + int((~inner).sum()), pixels + inner.size
            done += 1
            progress("read", done, total)
    names = tuple(scene.reader.name for scene in scenes)
    return Sample(drawn.examples, kept_out.examples, names, empty / pixels)


def _reading_tiles(reader: Reader, halo: int) -> Iterator[Tile]:
    shape = reader.grid.shape
    return tiles(shape, fitting_size(shape, reader.block_shape, len(reader.bands)), halo)


def draw_blocks(
    scenes: Sequence[TrainingScene], blocks: Sequence[Blocks], pixels: int, halo: int, seed: int
) -> Iterator[tuple[TrainingScene, Tile]]:
    """Go through chosen blocks, at random and evenly over scenes where they hold too many pixels.

    Parameters
    ----------
    scenes : sequence of TrainingScene
        The scenes.
    blocks : sequence of Blocks
        Per scene, the blocks to go through.
    pixels : int
        Pixels to give in all, about.
    halo : int
        Pixels to read on every side of a block.
    seed : int
        Decides which blocks are left out.

    Yields
    ------
    TrainingScene, Tile
    """
    quota = pixels // len(scenes)
    for number, (scene, cut) in enumerate(zip(scenes, blocks, strict=True)):
        held = int(cut.chosen.sum()) * cut.side**2
        share = min(1.0, quota / max(held, 1))
        some = cut if share == 1.0 else choose_blocks(cut, share, (seed, number, 2))
        for tile in some.tiles(halo):
            yield scene, tile


class _Reservoir:
    """An even random choice from a stream of examples (Vitter's algorithm R), scene by scene."""

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.count, self.rng = count, rng
        self.store: NDArray[np.float32] | None = None
        self.used = self.seen = self.quota = 0

    @property
    def examples(self) -> NDArray[np.float32]:
        if self.store is None:
            return np.empty((0, 0), np.float32)
        return self.store[: self.used + min(self.seen, self.quota)]

    def start_scene(self, left: int) -> None:
        """Share what is free evenly among the scenes that are left."""
        self.used += min(self.seen, self.quota)
        self.seen, self.quota = 0, (self.count - self.used) // left

    def offer(self, examples: NDArray[np.float32]) -> None:
        if self.store is None:
            self._allocate(examples)
        assert self.store is not None
        fresh = examples[: max(0, self.quota - self.seen)]
        start = self.used + self.seen
        self.store[start : start + len(fresh)] = fresh
        self.seen += len(fresh)
        later = examples[len(fresh) :]
        place = self.rng.integers(0, self.seen + 1 + np.arange(len(later)))
        taken = place < self.quota
        self.store[self.used + place[taken]] = later[taken]
        self.seen += len(later)

    def _allocate(self, examples: NDArray[np.float32]) -> None:
        shape = examples.shape[1:]
        most = EXAMPLE_BYTES // (4 * int(np.prod(shape)))
        if self.count > most:
            self.quota = max(1, self.quota * most // self.count)
            self.count = most
        self.store = np.empty((self.count, *shape), np.float32)
