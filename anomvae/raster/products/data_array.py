"""A DataArray of xarray as a product: one date, read window by window, lazy or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...pixels.bands import Bands
from ...pixels.tiling import Window, within
from ..access import DEFAULT, Access
from ..array_dataset import ArrayDataset, StoredArray
from ..dataset import Dataset
from ..georeference import Georeference
from ..open_scene import OpenDate, OpenScene
from ..product_facts import ProductFacts
from .array import PathlessProduct


@dataclass(frozen=True)
class LazyNumbers(StoredArray):
    """Numbers of a DataArray, axes (band, row, col), which are computed when they are read."""

    array: Any
    """The DataArray."""
    block: tuple[int, int]
    """Rows and columns of its chunks; of an array without any, all."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.array.shape[1]), int(self.array.shape[2])

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The type of the array, for every band."""
        return (str(self.array.dtype),) * int(self.array.shape[0])

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are computed together."""
        return self.block

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Compute bands of a window, axes (row, col, band)."""
        part = self.array[:, window[0], window[1]][[index - 1 for index in indexes]]
        return np.moveaxis(np.array(part.values), 0, -1)  # a copy, which may be overwritten


@dataclass(frozen=True)
class Pieces(StoredArray):
    """Numbers of some windows of an array of which the rest is elsewhere."""

    size: tuple[int, int]
    """Rows and columns of the array."""
    types: tuple[str, ...]
    """Type of each band."""
    held: tuple[tuple[Window, NDArray[Any]], ...] = ()
    """Windows, and their numbers, axes (band, row, col)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole array."""
        return self.size

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Type of each band."""
        return self.types

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands of a window, which lies in one that is held, axes (row, col, band)."""
        outer, numbers = next(one for one in self.held if _contains(one[0], window))
        rows, cols = within(window, outer)
        part = numbers[:, rows, cols][[index - 1 for index in indexes]]  # a copy
        return np.moveaxis(part, 0, -1)


def _contains(outer: Window, window: Window) -> bool:
    pairs = zip(outer, window, strict=True)
    return all(around.start <= part.start and part.stop <= around.stop for around, part in pairs)


@dataclass(frozen=True, eq=False)
class DataArrayProduct(PathlessProduct):
    """A DataArray of one date, with its bands and its place."""

    numbers: StoredArray
    """Its numbers."""
    bands: Bands
    """Description of its bands."""
    where: Georeference
    """What locates its pixels."""
    unit: str = ""
    """Unit of its values; empty: unknown."""

    def __post_init__(self) -> None:
        """Refuse an array of no pixels, or of other than real numbers."""
        kinds = {np.dtype(dtype).kind for dtype in self.numbers.dtypes}
        if 0 in self.numbers.shape or not kinds or not kinds <= set("biuf"):
            raise ConfigError(
                f"{self.name} has {' x '.join(map(str, self.numbers.shape))} pixels of type "
                f"{', '.join(sorted(set(self.numbers.dtypes))) or 'none'}, and real numbers are "
                f"expected. Give it pixels, or convert it (da.astype)."
            )

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the array."""
        yield ArrayDataset(
            self.name,
            self.where.grid,
            self.bands,
            self.numbers,
            self.where,
            (),
            facts=ProductFacts("DataArray", unit=self.unit),
        )


def with_numbers(opened: OpenScene, numbers: Sequence[StoredArray]) -> OpenScene:
    """Return a scene of DataArrays that reads other numbers, of each date, on the same grid."""
    dates = tuple(map(_date_with, opened.dates, numbers))
    products = tuple(
        replace(product, numbers=own) if isinstance(product, DataArrayProduct) else product
        for product, own in zip(opened.scene.dates, numbers, strict=True)
    )
    return replace(opened, dates=dates, scene=replace(opened.scene, dates=products))


def without_numbers(opened: OpenScene) -> OpenScene:
    """Return a scene of DataArrays that reads nothing, small enough for every task of a graph."""
    return with_pieces(opened, ())


def with_pieces(opened: OpenScene, held: Sequence[tuple[Window, NDArray[Any]]]) -> OpenScene:
    """Return a scene of DataArrays that reads windows, axes (time, band, row, col), alone."""
    numbers = []
    for number, date in enumerate(opened.dates):
        own = tuple((window, values[number]) for window, values in held)
        numbers.append(Pieces(opened.grid.shape, _stored(date).dtypes, own))
    return with_numbers(opened, numbers)


def _date_with(date: OpenDate, numbers: StoredArray) -> OpenDate:
    if not isinstance(date.dataset, ArrayDataset):
        raise TypeError(f"{date.name} is no array")
    return replace(date, dataset=replace(date.dataset, stored=numbers))


def _stored(date: OpenDate) -> StoredArray:
    if not isinstance(date.dataset, ArrayDataset):
        raise TypeError(f"{date.name} is no array")
    return date.dataset.stored
