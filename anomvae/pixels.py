"""How a model looks at a block of pixels: views that split it into examples and join the scores.

A block has axes (time, row, col, band), float32, NaN = no data.  `Spectra` sees each pixel of each
date alone; views that look sideways or back in time keep the same four methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .bands import Bands
from .grid import Grid
from .tiling import Window

Block = NDArray[np.float32]
"""Axes (time, row, col, band); NaN = no data."""
Mask = NDArray[np.bool_]
"""Axes (time, row, col) or (row, col)."""


class Reader(Protocol):
    """Where blocks come from: a raster, or several dates of one place."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def grid(self) -> Grid:
        """Rows, columns, and where they lie."""

    @property
    def bands(self) -> Bands:
        """The bands that `read` gives."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are cheap to read together."""

    def read(self, window: Window) -> Block:
        """Read the pixels of a window."""

    def using(self, bands: Bands) -> Self:
        """Give a reader of some of the bands."""


AnyReader = TypeVar("AnyReader", bound=Reader)


def matched(reader: AnyReader, bands: Bands) -> AnyReader:
    """Read the bands of a detector, in its order.

    Raises
    ------
    BandMismatch
        If the scene does not have them.
    """
    return reader.using(bands.find_in(reader.bands, reader.name))


class View(Protocol):
    """How a model looks at a block."""

    @property
    def reach(self) -> int:
        """How far an example looks sideways, pixels."""

    def whole(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which examples of shape (n, ..., band) have all the data that a score needs."""

    def where(self, block: Block) -> Mask:
        """Tell which pixels of a block can be scored."""

    def split(self, block: Block, where: Mask) -> NDArray[np.float32]:
        """Take the examples at ``where``, shape (n, ..., band)."""

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Put one value per example back to its place, (time, row, col); NaN elsewhere."""


@dataclass(frozen=True)
class Spectra:
    """Each pixel of each date alone; an example has axes (band,)."""

    reach: int = 0
    """A spectrum looks no further than its own pixel."""

    def whole(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which spectra have data in every band."""
        return np.asarray(np.isfinite(examples).all(axis=-1))

    def where(self, block: Block) -> Mask:
        """Tell which pixels have data in every band, axes (time, row, col)."""
        return self.whole(block)

    def split(self, block: Block, where: Mask) -> NDArray[np.float32]:
        """Take the spectra at ``where``, shape (n, band)."""
        return np.asarray(block[where])

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Put one value per spectrum back to its place; NaN elsewhere."""
        scores = np.full(where.shape, np.nan, np.float32)
        scores[where] = values
        return scores
