"""An array in memory as a product: what `score_array` and `detect_array` read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from ...errors import ConfigError
from ...pixels.bands import Bands, unnamed_bands
from ...pixels.grid import Grid
from ...pixels.tiling import Window
from ..access import DEFAULT, Access
from ..array_dataset import ArrayDataset, StoredArray
from ..dataset import Dataset
from ..georeference import Georeference
from .product import Product


@dataclass(frozen=True)
class MemoryArray(StoredArray):
    """Numbers of an array in memory, axes (row, col, band)."""

    cube: NDArray[Any]
    """The array."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.cube.shape[0], self.cube.shape[1]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The type of the array, for every band."""
        dtype, bands = str(self.cube.dtype), int(self.cube.shape[2])
        return (dtype,) * bands

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands of a window, axes (row, col, band)."""
        return self.cube[window][..., [index - 1 for index in indexes]]


class PathlessProduct(Product):
    """A product that no file holds."""

    @property
    def stem(self) -> str:
        """The name."""
        return self.name

    @property
    def paths(self) -> tuple[str, ...]:
        """No file is read."""
        return ()

    def absolute(self) -> Self:
        """Return the product itself: it has no path."""
        return self


@dataclass(frozen=True, eq=False)
class ArrayProduct(PathlessProduct):
    """An array of pixels, axes (row, col, band); NaN = no data."""

    cube: NDArray[Any]
    """The array, real numbers."""
    bands: Bands | None = None
    """Description of its bands; None: numbered."""

    def __post_init__(self) -> None:
        """Refuse an array of other axes or numbers."""
        if self.cube.ndim != 3 or 0 in self.cube.shape or self.cube.dtype.kind not in "biuf":
            raise ConfigError(
                f"An array of shape {self.cube.shape} and type {self.cube.dtype} is no cube of "
                f"pixels: give real numbers with the axes (row, col, band)."
            )

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the array."""
        grid = Grid((self.cube.shape[0], self.cube.shape[1]))
        yield ArrayDataset(
            self.name,
            grid,
            self.bands or unnamed_bands(self.cube.shape[2]),
            MemoryArray(self.cube),
            Georeference(grid),
            (),
        )
