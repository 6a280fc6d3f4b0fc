"""Arrays as a dataset: a cube of numpy, or of a file of HDF5, that is read window by window.

A `StoredArray` gives stored numbers, axes (row, col, band); they become physical values by the same
rule as those of a raster (`values`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RasterError
from ..pixels.bands import Bands
from ..pixels.tiling import Window
from .dataset import Dataset
from .georeference import Georeference
from .losses import DAMAGED
from .values import physical_values


class StoredArray(ABC):
    """Stored numbers of pixels, by windows."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    @abstractmethod
    def dtypes(self) -> tuple[str, ...]:
        """Type of each band, in order of their numbers."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are stored together."""
        return self.shape

    @abstractmethod
    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band).

        Raises
        ------
        OSError
            When the file is damaged there.
        """


@dataclass(frozen=True)
class ArrayDataset(Dataset):
    """Arrays as a dataset."""

    stored: StoredArray
    """The stored numbers."""
    where: Georeference
    """What locates them."""
    paths: tuple[str, ...]
    """The files that they come from."""
    facts_of_pixels: tuple[object, ...] = ()
    """What is read beside the pixels and decides about them; its text repeats."""

    @property
    def georeference(self) -> Georeference:
        """What locates the pixels."""
        return self.where

    @property
    def sources(self) -> list[str]:
        """The files that the numbers come from."""
        return list(self.paths)

    @property
    def header(self) -> tuple[object, ...]:
        """What is read beside the pixels."""
        return self.facts_of_pixels

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are stored together."""
        return self.stored.block_shape

    @property
    def block_bytes(self) -> int:
        """Bytes of one row of blocks of all data bands."""
        rows, width = min(self.block_shape[0], self.grid.shape[0]), self.grid.shape[1]
        sizes = (np.dtype(self.stored.dtypes[index - 1]).itemsize for index in self.bands.indexes)
        return int(rows * width * sum(sizes))

    @property
    def keeps_block(self) -> bool:
        """GDAL's cache has no part in it."""
        return True

    @property
    def types(self) -> tuple[str, ...]:
        """Types in which the data bands are stored, each once."""
        return tuple(sorted({self.stored.dtypes[index - 1] for index in self.bands.indexes}))

    @property
    def hides(self) -> tuple[str, ...]:
        """None: arrays hold no masks."""
        return ()

    def log_decisions(self) -> None:
        """Log nothing: the files leave nothing to decide."""

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of a window, axes (row, col, band); NaN = no data.

        Raises
        ------
        RasterError
            When the file is damaged there.
        """
        try:
            stored = self.stored.read(bands.indexes, window)
        except OSError as error:
            rows = window[0]
            raise RasterError(
                f"{self.name} cannot be read at rows {rows.start} to {rows.stop - 1}: "
                f"{' '.join(str(error).split())}. {DAMAGED}"
            ) from error
        types = {self.stored.dtypes[index - 1] for index in bands.indexes}
        return physical_values(stored, bands, types, self.nodata)
