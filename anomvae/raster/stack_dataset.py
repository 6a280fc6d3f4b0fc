"""Rasters of one ground and several grids, as one dataset; arrays have axes (row, col, band).

A pixel of a finer raster is part of one pixel of the grid, whose value is the mean of those that
have data.  It is computed here, in one order: averages of GDAL depend on the window that is read,
on overviews, and on a single nodata value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..pixels.bands import Band, Bands
from ..pixels.tiling import Window, shape_of
from .dataset import Dataset
from .georeference import Georeference
from .raster_dataset import RasterDataset


@dataclass(frozen=True)
class StackPart:
    """Bands of a stack that share a grid."""

    dataset: RasterDataset
    """What is read."""
    numbers: tuple[int, ...]
    """Number in the stack, from 1, of each band of the dataset."""
    factor: int = 1
    """Pixels of the dataset along a side of one pixel of the stack."""

    def own(self, bands: Bands) -> Bands:
        """Return those of some bands of the stack that lie here, as bands of the dataset."""
        own = [band for band in bands if band.index in self.numbers]
        return self.dataset.bands.keep(
            [replace(band, index=self.numbers.index(band.index) + 1) for band in own]
        )

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of the dataset in a window of the stack; NaN = no data."""
        if self.factor == 1:
            return self.dataset.read(bands, window)
        # One band at a time: its pixels are many more than those of the window.
        layers = [self._read_means(bands.keep([band]), window) for band in bands]
        return np.stack(layers, axis=-1)

    def _read_means(self, band: Bands, window: Window) -> NDArray[np.float32]:
        fine = [slice(one.start * self.factor, one.stop * self.factor) for one in window]
        rows, cols = (
            slice(min(one.start, side), min(one.stop, side))
            for one, side in zip(fine, self.dataset.grid.shape, strict=True)
        )
        values = np.full((fine[0].stop - fine[0].start, fine[1].stop - fine[1].start), np.nan)
        height, width = shape_of((rows, cols))
        if height and width:
            values[:height, :width] = self.dataset.read(band, (rows, cols))[..., 0]
        return means(values, self.factor)


@dataclass(frozen=True)
class StackDataset(Dataset):
    """Rasters of one ground and several grids, as one dataset."""

    parts: tuple[StackPart, ...]
    """The rasters; the first lies on the grid of the dataset."""

    @property
    def georeference(self) -> Georeference:
        """What locates the pixels."""
        return self.parts[0].dataset.georeference

    @property
    def sources(self) -> list[str]:
        """Every file that the pixels come from."""
        return list(dict.fromkeys(file for part in self.parts for file in part.dataset.sources))

    @property
    def header(self) -> tuple[object, ...]:
        """The masks of the files, and how their pixels are joined."""
        return tuple((part.numbers, part.factor, *part.dataset.header) for part in self.parts)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks of the first raster."""
        return self.parts[0].dataset.block_shape

    @property
    def block_bytes(self) -> int:
        """Bytes of the blocks that a row of blocks of the first raster needs."""
        total = 0
        for part in self.parts:
            blocks = -(-self.block_shape[0] * part.factor // part.dataset.block_shape[0])
            total += blocks * part.dataset.block_bytes
        return total

    @property
    def keeps_block(self) -> bool:
        """Whether a row of blocks stays decompressed, whatever the size of GDAL's cache."""
        return all(part.dataset.keeps_block for part in self.parts)

    @property
    def types(self) -> tuple[str, ...]:
        """Types in which the data bands are stored, each once."""
        return tuple(sorted({kind for part in self.parts for kind in part.dataset.types}))

    @property
    def hides(self) -> tuple[str, ...]:
        """A description of each mask inside the files that hides pixels."""
        return tuple(dict.fromkeys(text for part in self.parts for text in part.dataset.hides))

    def log_decisions(self) -> None:
        """Log how the files are read."""
        for part in self.parts:
            part.dataset.log_decisions()

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of a window, axes (row, col, band); NaN = no data.

        Raises
        ------
        RasterError
            When a file is damaged there.
        """
        block = np.empty((*shape_of(window), len(bands)), np.float32)
        for part in self.parts:
            if own := part.own(bands):
                at = [at for at, band in enumerate(bands) if band.index in part.numbers]
                marked = replace(part, dataset=replace(part.dataset, nodata=self.nodata))
                block[..., at] = marked.read(own, window)
        return block


def stacked(name: str, parts: tuple[StackPart, ...]) -> StackDataset:
    """Join rasters, of which the first gives the grid, as one dataset called ``name``."""
    items: dict[int, Band] = {}
    for part in parts:
        found = zip(part.numbers, part.dataset.bands, strict=True)
        items |= {number: replace(band, index=number) for number, band in found}
    bands = Bands(tuple(items[number] for number in sorted(items)), len(items), named=True)
    return StackDataset(name, parts[0].dataset.grid, bands, parts=parts)


def means(values: NDArray[np.float64], factor: int) -> NDArray[np.float32]:
    """Return the mean of each square of ``factor`` pixels, of those that are not NaN.

    Examples
    --------
    >>> means(np.array([[1.0, 3.0, np.nan, 2.0], [np.nan, 5.0, np.nan, np.nan]]), 2)
    array([[3., 2.]], dtype=float32)
    """
    rows, cols = (side // factor for side in values.shape)
    total, count = np.zeros((rows, cols)), np.zeros((rows, cols), np.int64)
    for row, col in product(range(factor), repeat=2):  # in one order, whatever the window
        one = values[row::factor, col::factor]
        known = ~np.isnan(one)
        np.add(total, one, out=total, where=known)
        count += known
    with np.errstate(invalid="ignore"):
        return (total / np.where(count, count, np.nan)).astype(np.float32)
