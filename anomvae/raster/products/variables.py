"""Variables of a file of HDF5, netCDF or Zarr: arrays of named axes, and cubes of pixels in them.

Formats differ in how they store arrays and attributes.  A `Variable` hides that; a `StoredCube`
reads one as pixels, axes (row, col, band), whatever order its axes have in the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pixels.tiling import Window, shape_of
from ...pixels.wavelengths import number_of
from ..array_dataset import StoredArray

HUGE_BYTES = 64_000_000
"""Bytes of the chunks of some rows and columns, from which windows need not keep to them."""

Attribute = str | tuple[float, ...]
"""Text, or numbers; whole ones are of the type int."""


@dataclass(frozen=True)
class Variable(ABC):
    """An array in a file, with what the file states about it."""

    path: str
    """Path in the file, from the root: ``/sensor_band_parameters/wavelengths``."""
    dims: tuple[str, ...]
    """Name of each axis, equal for axes that variables share; empty where the file has none."""
    shape: tuple[int, ...]
    """Length of each axis."""
    dtype: np.dtype[Any]
    """Type of the numbers that `read` returns."""
    chunks: tuple[int, ...] | None
    """Lengths of the parts in which it is stored; None: as one."""
    attributes: Mapping[str, Attribute]
    """Attributes that are text or numbers."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @property
    def axes(self) -> str:
        """Its axes with their lengths, for people: ``y = 60, x = 40, band = 6``."""
        return ", ".join(
            f"{axis_name(dim, number)} = {size}"
            for number, (dim, size) in enumerate(zip(self.dims, self.shape, strict=True))
        )

    @abstractmethod
    def read(self, parts: tuple[slice, ...]) -> NDArray[Any]:
        """Read a part of each axis; the axes are those of the file.

        Raises
        ------
        OSError
            When the file is damaged there.
        """

    def whole(self) -> NDArray[Any]:
        """Read all of it."""
        return self.read(tuple(slice(0, size) for size in self.shape))

    def text(self, name: str) -> str:
        """Return an attribute that is text; empty where there is none."""
        value = self.attributes.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return an attribute that is numbers, or a number as text; empty where there is none."""
        value = self.attributes.get(name, ())
        if not isinstance(value, str):
            return value
        number = number_of(value)
        return () if number is None else (number,)


class Container(ABC):
    """An open file or folder of variables; it serves one thread."""

    name: str
    """The name that messages use."""
    kind: str
    """Format, for people."""
    fills: bool
    """Whether floats that were never written have the fill value of netCDF."""

    @abstractmethod
    def find(self, path: str) -> Variable | None:
        """Return a variable by its path; None where there is no array of real numbers.

        Raises
        ------
        RasterError
            When it is damaged.
        """

    @abstractmethod
    def attributes(self, path: str = "/") -> Mapping[str, Attribute]:
        """Return the attributes of a group or a variable; empty where it is missing."""

    @abstractmethod
    def variables(self) -> Sequence[Variable]:
        """Return all arrays of real numbers, in order of their paths."""

    @abstractmethod
    def member(self, variable: Variable) -> str:
        """Return how a user names one of its variables."""


def axis_name(dim: str, number: int) -> str:
    """Return what a user calls an axis: its name, or its number from 0."""
    return PurePosixPath(dim).name or f"axis {number}"


@dataclass(frozen=True)
class StoredCube(StoredArray):
    """The pixels of a variable, axes (row, col, band)."""

    variable: Variable
    """The array."""
    rows: int
    """Number of its axis of rows, from 0."""
    cols: int
    """Number of its axis of columns."""
    bands: int | None = None
    """Number of its axis of bands; None: it is one band."""
    fixed: Mapping[int, int] = field(default_factory=dict)
    """Index, from 0, along each other axis."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.variable.shape[self.rows], self.variable.shape[self.cols]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The type of the variable, for every band."""
        count = 1 if self.bands is None else self.variable.shape[self.bands]
        return (self.variable.dtype.name,) * count

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of a chunk; a row where that is huge, or there are no chunks."""
        chunks = self.variable.chunks
        if chunks is None:
            return 1, self.shape[1]
        rows, cols = chunks[self.rows], chunks[self.cols]
        size = rows * cols * len(self.dtypes) * self.variable.dtype.itemsize
        return (rows, cols) if size <= HUGE_BYTES else (1, self.shape[1])

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band).

        Raises
        ------
        OSError
            When the file is damaged there.
        """
        block = np.empty((*shape_of(window), len(indexes)), self.variable.dtype)
        wanted = np.asarray(indexes) - 1
        for first, last in self._runs(wanted):
            inside = (first <= wanted) & (wanted <= last)
            block[..., inside] = self._part(window, first, last)[..., wanted[inside] - first]
        return block

    def _runs(self, wanted: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return the first and last bands to read at once.

        A chunk is decompressed as a whole, so bands of one chunk are read in one call.
        """
        chunks = self.variable.chunks
        gap = 1 if chunks is None or self.bands is None else chunks[self.bands]
        ordered = np.unique(wanted)
        ends = np.flatnonzero(np.diff(ordered) > gap)
        firsts, lasts = ordered[[0, *(ends + 1)]], ordered[[*ends, -1]]
        return list(zip(firsts.tolist(), lasts.tolist(), strict=True))

    def _part(self, window: Window, first: int, last: int) -> NDArray[Any]:
        parts = [slice(0, 1)] * len(self.variable.shape)
        for axis, index in self.fixed.items():
            parts[axis] = slice(index, index + 1)
        parts[self.rows], parts[self.cols] = window
        order = [self.rows, self.cols]
        if self.bands is not None:
            parts[self.bands] = slice(first, last + 1)
            order.append(self.bands)
        stored = self.variable.read(tuple(parts))
        others = tuple(axis for axis in range(stored.ndim) if axis not in order)
        cube = np.transpose(stored, (*order, *others))
        return cube.reshape((*cube.shape[: len(order)], 1)[:3])


def numbers_of(values: NDArray[Any]) -> tuple[float, ...]:
    """Return the numbers of an attribute; of float32 those that were meant, .001 for .00100000005.

    Examples
    --------
    >>> numbers_of(np.array([0.001], np.float32))
    (0.001,)
    """
    flat = np.reshape(values + 0, -1)  # truth values become numbers
    if flat.dtype == np.float32:
        return tuple(float(str(number)) for number in flat)
    return tuple(flat.tolist())


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of this machine that holds the numbers of a type of a file."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
