"""The scenes that a detector is fitted to, and how their tiles are read.

Blocks have axes (time, row, col, value): bands, then covariates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ..addresses import displayed
from ..identity import FileIdentity
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.grid import Grid
from ..pixels.tiling import Tile, Window, fitting_size, tiles
from ..pixels.views import Block, Mask


class OpenScene(Protocol):
    """A scene open for reading, such as `anomvae.raster.OpenScene`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each date."""

    @property
    def grid(self) -> Grid:
        """Rows, columns and georeference."""

    @property
    def bands(self) -> Bands:
        """The first values of a pixel in `read`."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are cheap to read together."""

    @property
    def values_per_pixel(self) -> int:
        """Values per pixel in `read`, of all dates together."""

    def read(self, window: Window) -> Block:
        """Read the pixels of a window."""

    def normal(self, window: Window) -> Mask:
        """Return which pixels of a window are normal, axes (row, col)."""


class Date(Protocol):
    """A date of a scene."""

    @property
    def name(self) -> str:
        """Its name in messages."""


class Scene(Protocol):
    """A closed scene, such as `anomvae.raster.Scene`."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def dates(self) -> Sequence[Date]:
        """Its dates, oldest first."""

    def without_newest(self, count: int) -> Scene:
        """Return the scene without its newest dates."""

    def open(self, bands: Bands | None = None) -> AbstractContextManager[OpenScene]:
        """Open it for reading these bands."""


@dataclass(frozen=True)
class TrainingScenes:
    """Scenes with the same bands; one at a time is open, as there may be thousands."""

    scenes: tuple[Scene, ...]
    """The scenes, closed."""
    shapes: tuple[tuple[int, int], ...]
    """Rows and columns of each, pixels."""
    bands: Bands
    """The bands to read: those of the first scene."""
    covariates: Covariates = ()
    """The covariates of the first scene, not yet with the classes found in training."""
    files: tuple[FileIdentity, ...] = ()
    """All files of the scenes, as they were when the scenes were selected."""
    pixel_area: float | None = None
    """Mean area of a pixel of the first scene, m2; None where it is not located on Earth."""

    @property
    def names(self) -> list[str]:
        """The names of the scenes, without secrets."""
        return [displayed(scene.name) for scene in self.scenes]

    @property
    def dates(self) -> int:
        """Dates of the first scene."""
        return len(self.scenes[0].dates)

    def opened(self) -> Iterator[OpenScene]:
        """Open one scene after the other."""
        for scene in self.scenes:
            with scene.open(self.bands) as opened:
                yield opened


class TrainingTile(NamedTuple):
    """A tile of a scene with its halo."""

    tile: Tile
    """Its position in the scene."""
    block: Block
    """Its values, axes (time, row, col, value)."""
    wanted: Mask
    """The pixels to learn, axes (time, row, col): inside the halo, normal, with data."""


def reading_tiles(opened: OpenScene, halo: int) -> Iterator[Tile]:
    """Divide a scene into tiles of whole file blocks that fit into memory."""
    shape = opened.grid.shape
    return tiles(shape, fitting_size(shape, opened.block_shape, opened.values_per_pixel), halo)


def read_tile(opened: OpenScene, tile: Tile) -> TrainingTile:
    """Read a tile with its halo."""
    block = opened.read(tile.read)
    wanted = np.zeros(block.shape[1:3], dtype=bool)
    wanted[tile.inner] = opened.normal(tile.keep)
    return TrainingTile(tile, block, ~empty_pixels(opened, block) & wanted)


def empty_pixels(opened: OpenScene, block: Block) -> Mask:
    """Return which pixels of a block have no data in any band, whatever their covariates."""
    return np.logical_not(np.isfinite(block[..., : len(opened.bands)]).any(axis=-1))
