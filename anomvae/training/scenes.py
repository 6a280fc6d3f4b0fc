"""The scenes that a detector is fitted to, opened one after the other, and how they are read.

Blocks have axes (time, row, col, value): bands, then covariates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.grid import Grid
from ..pixels.tiling import Tile, Window, fitting_size, tiles
from ..pixels.views import Block, Mask


class OpenScene(Protocol):
    """A scene while it is read, such as `anomvae.raster.OpenScene`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every date as it was named."""

    @property
    def grid(self) -> Grid:
        """Rows, columns, and where they lie."""

    @property
    def bands(self) -> Bands:
        """The bands that `read` returns first."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are cheap to read together."""

    @property
    def values_per_pixel(self) -> int:
        """Values that `read` returns of a pixel, all dates together."""

    def read(self, window: Window) -> Block:
        """Read the pixels of a window."""

    def normal(self, window: Window) -> Mask:
        """Return which pixels of a window are normal, axes (row, col)."""


class Scene(Protocol):
    """A closed scene, such as `anomvae.raster.Scene`."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def dates(self) -> Sequence[object]:
        """Its dates, oldest first."""

    def without_newest(self, count: int) -> Scene:
        """Leave the newest dates out."""

    def open(self, bands: Bands | None = None) -> AbstractContextManager[OpenScene]:
        """Open it for reading these bands."""


@dataclass(frozen=True)
class TrainingScenes:
    """Scenes of the same bands; only one is open at a time, as there may be thousands."""

    scenes: tuple[Scene, ...]
    """The scenes, closed."""
    shapes: tuple[tuple[int, int], ...]
    """Rows and columns of each, pixels."""
    bands: Bands
    """The bands to read: those of the first scene."""
    covariates: Covariates = ()
    """The covariates of the first scene; without the classes of training."""

    @property
    def names(self) -> list[str]:
        """The scenes as they were named."""
        return [scene.name for scene in self.scenes]

    @property
    def dates(self) -> int:
        """Dates of the first scene."""
        return len(self.scenes[0].dates)

    def opened(self) -> Iterator[OpenScene]:
        """Open one scene after the other."""
        for scene in self.scenes:
            with scene.open(self.bands) as opened:
                yield opened


def reading_tiles(opened: OpenScene, halo: int) -> Iterator[Tile]:
    """Cut a scene into tiles of whole file blocks that fit the memory."""
    shape = opened.grid.shape
    return tiles(shape, fitting_size(shape, opened.block_shape, opened.values_per_pixel), halo)


def read_tile(opened: OpenScene, tile: Tile) -> tuple[Block, Mask]:
    """Read a tile with its halo, and find the pixels to learn: kept, normal, with data.

    Returns
    -------
    block : array, axes (time, row, col, value)
    wanted : array of bool, axes (time, row, col)
    """
    block = opened.read(tile.read)
    wanted = np.zeros(block.shape[1:3], dtype=bool)
    wanted[tile.inner] = opened.normal(tile.keep)
    return block, ~empty_pixels(opened, block) & wanted


def empty_pixels(opened: OpenScene, block: Block) -> Mask:
    """Return the pixels of a block without data in any band, whatever their covariates."""
    return np.logical_not(np.isfinite(block[..., : len(opened.bands)]).any(axis=-1))
