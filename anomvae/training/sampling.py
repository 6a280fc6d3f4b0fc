"""Draw training examples from many scenes, and hold blocks of them out for the threshold.

Neighbouring pixels are alike, so held-out pixels must lie apart from those trained on: a scene is
cut into square blocks, and whole blocks are held out.  Examples are drawn evenly over the scenes by
reservoir sampling (Vitter 1985) while each scene is read once, tile by tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..parallel import Progress, quiet
from ..pixels.tiling import Tile, Window, tile_at
from ..pixels.views import Block, Examples, Mask, View
from .scenes import TrainingScenes, empty_pixels, read_tile, reading_tiles

HELD_OUT = 0.2
LARGEST_SIDE = 64
SMALLEST_SIDE = 4  # a narrow raster would be read pixel by pixel
WIDER = 4  # sides of a block in reaches: a fifth held out then takes half of the pixels away
EXAMPLE_BYTES = 256 * 2**20  # training holds about four times that
HELD_OUT_EXAMPLES = 16_384  # for the held-out ELBO; the threshold reads whole blocks


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

    def near(self, tile: Tile, radius: int) -> NDArray[np.bool_]:
        """Tell which pixels of a tile, as read, see a chosen block, axes (row, col)."""
        inside = self.inside(tile.read)
        if radius == 0:
            return inside
        from scipy.ndimage import maximum_filter

        return np.asarray(maximum_filter(inside, size=2 * radius + 1, mode="constant"))

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


def cut_blocks(shape: tuple[int, int], radius: int = 0) -> Blocks:
    """Cut a grid into blocks of side shorter side / 8, from 4 to 64, and choose all.

    Examples that look ``radius`` pixels sideways make them larger: most of what is read for a small
    block, and of what is lost to training around it, would lie outside it.
    """
    wanted = max(min(shape) // 8, SMALLEST_SIDE, WIDER * radius)
    side = min(wanted, LARGEST_SIDE, max(min(shape) // 2, SMALLEST_SIDE))
    rows, cols = (-(-length // side) for length in shape)
    return Blocks(shape, side, np.ones((rows, cols), dtype=bool))


def choose_blocks(blocks: Blocks, share: float, seed: Sequence[int]) -> Blocks:
    """Choose a share of the chosen blocks at random: at least one, and all but one at the most."""
    places = np.flatnonzero(blocks.chosen)
    count = min(max(1, round(share * len(places))), max(1, len(places) - 1))
    chosen = np.zeros(blocks.chosen.size, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(places)[:count]] = True
    return Blocks(blocks.shape, blocks.side, chosen.reshape(blocks.chosen.shape))


def held_out_blocks(shape: tuple[int, int], seed: int, scene: int, radius: int = 0) -> Blocks:
    """Choose the blocks of a scene that training does not see; ``scene`` counts the scenes."""
    return choose_blocks(cut_blocks(shape, radius), HELD_OUT, (seed, scene, 0))


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
    scenes: TrainingScenes,
    view: View,
    count: int,
    held_out: Sequence[Blocks] | None,
    seed: int,
    progress: Progress = quiet,
) -> Sample:
    """Draw examples evenly over scenes, reading each once.

    Parameters
    ----------
    scenes : TrainingScenes
        Opened one after the other.
    view : View
        What an example is.
    count : int
        Examples at the most; fewer where they would take more than 256 MiB.
    held_out : sequence of Blocks, or None
        Per scene, the blocks that training must not read; None holds nothing out.
    seed : int
        Decides which examples are drawn.
    progress : Progress, optional
        Called for every tile read.

    Returns
    -------
    Sample
    """
    rng = np.random.default_rng((seed, 1))
    drawn, kept_out = _Reservoir(count, rng), _Reservoir(HELD_OUT_EXAMPLES, rng)
    names: list[str] = []
    empty = pixels = done = 0
    rows = sum(shape[0] for shape in scenes.shapes)
    for number, opened in enumerate(scenes.opened()):
        drawn.start_scene(len(scenes.shapes) - number)
        kept_out.start_scene(len(scenes.shapes) - number)
        away = None if held_out is None else held_out[number]
        names.extend(opened.names)
        for tile in reading_tiles(opened, view.radius):
            block, wanted = read_tile(opened, tile)
            if away is None:
                drawn.offer(view.split(block, wanted))
            else:
                # Neither side of the split may see the other's pixels.
                drawn.offer(view.split(block, wanted & ~away.near(tile, view.radius)))
                kept_out.offer(view.split(block, wanted & away.inside(tile.read)))
            inner = empty_pixels(opened, block[(slice(None), *tile.inner)])
            empty, pixels = empty + int(inner.sum()), pixels + inner.size
            progress("read", done + tile.keep[0].stop, rows)
        done += opened.grid.shape[0]
    return Sample(drawn.examples, kept_out.examples, tuple(names), empty / pixels)


def draw_blocks(
    scenes: TrainingScenes, blocks: Sequence[Blocks], pixels: int, halo: int, seed: int
) -> Iterator[tuple[Tile, Block, Mask]]:
    """Read chosen blocks, at random and evenly over scenes where they hold too many pixels.

    Parameters
    ----------
    scenes : TrainingScenes
        Opened one after the other.
    blocks : sequence of Blocks
        Per scene, the blocks to read.
    pixels : int
        Pixels to read in all, about.
    halo : int
        Pixels to read on every side of a block.
    seed : int
        Decides which blocks are left out.

    Yields
    ------
    Tile, block and wanted pixels
        As from `read_tile`.
    """
    quota = pixels // len(scenes.shapes)
    for number, (opened, cut) in enumerate(zip(scenes.opened(), blocks, strict=True)):
        held = int(cut.chosen.sum()) * cut.side**2
        share = min(1.0, quota / max(held, 1))
        some = cut if share == 1.0 else choose_blocks(cut, share, (seed, number, 2))
        # Blocks are small beside those of the file, which would be unpacked for each of them.
        for tile in reading_tiles(opened, halo) if some.chosen.all() else some.tiles(halo):
            yield tile, *read_tile(opened, tile)


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

    def offer(self, examples: Examples) -> None:
        if self.store is None:
            self._allocate(examples.shape[1:])
        assert self.store is not None
        fresh = min(len(examples), max(0, self.quota - self.seen))
        start = self.used + self.seen
        self.store[start : start + fresh] = examples[:fresh]
        self.seen += fresh
        later = np.arange(fresh, len(examples))
        place = self.rng.integers(0, self.seen + 1 + np.arange(len(later)))
        taken = place < self.quota
        self.store[self.used + place[taken]] = examples[later[taken]]
        self.seen += len(later)

    def _allocate(self, shape: tuple[int, ...]) -> None:
        most = EXAMPLE_BYTES // (4 * int(np.prod(shape)))
        if self.count > most:
            self.quota = max(1, self.quota * most // self.count)
            self.count = most
        self.store = np.empty((self.count, *shape), np.float32)
