"""Stored numbers of a variable: which are no data, and in which order they are stored.

Sources: CF Conventions 1.11, section 2.5.1 (missing data), and the NetCDF Users' Guide, appendix A.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...pixels.tiling import Window
from ..array_dataset import StoredArray
from ..values import EXACT
from .variables import Variable

UNWRITTEN = 9.969209968386869e36
"""What netCDF puts where a float was never written, if the file names no other fill value."""


@dataclass(frozen=True)
class Radiometry:
    """How stored numbers of a variable become physical values."""

    scale: float = 1.0
    """Physical value = stored value * scale + offset."""
    offset: float = 0.0
    """See ``scale``."""
    fills: tuple[float, ...] = ()
    """Stored values that are no data."""
    low: float | None = None
    """The least stored value that is data."""
    high: float | None = None
    """The greatest stored value that is data."""
    unit: str = ""
    """Unit of the physical values, as the file states it."""

    @classmethod
    def of(cls, variable: Variable, *, fills: bool = False) -> Radiometry:
        """Read the radiometry of a variable; ``fills``: of netCDF, which has fills by default.

        Raises
        ------
        ValueError
            When its scale or offset is no single number that can be one.
        """
        scale = _factor(variable, "scale_factor", 1.0)
        offset = _factor(variable, "add_offset", 0.0)
        if scale == 0:
            raise _no_factor(variable, "scale_factor", "0")
        found = [*variable.numbers("_FillValue"), *variable.numbers("missing_value")]
        if not found and fills and variable.dtype.kind == "f":
            found = [UNWRITTEN]
        low, high = _range(variable)
        unit = variable.text("units")
        reflectance = "reflectance" in f"{variable.name} {variable.text('standard_name')}".lower()
        if unit == "%" and reflectance:
            scale, offset, unit = scale / 100, offset / 100, "1"
        finite = dict.fromkeys(float(value) for value in found if np.isfinite(value))
        return cls(scale, offset, tuple(finite), low, high, unit)

    @property
    def nodata(self) -> float | None:
        """The first fill value."""
        return self.fills[0] if self.fills else None

    @property
    def is_plain(self) -> bool:
        """Whether one fill value marks all that is no data."""
        return len(self.fills) < 2 and self.low is None and self.high is None


def _factor(variable: Variable, name: str, default: float) -> float:
    if name not in variable.attributes:
        return default
    numbers = variable.numbers(name)
    if len(numbers) != 1 or not math.isfinite(numbers[0]):
        stated = variable.text(name) or ", ".join(map(str, numbers[:4])) or "empty"
        raise _no_factor(variable, name, stated)
    return float(numbers[0])


def _no_factor(variable: Variable, name: str, stated: str) -> ValueError:
    return ValueError(
        f"{variable.path} has {name} = {stated[:40]}, but one number makes its values physical"
    )


def _range(variable: Variable) -> tuple[float | None, float | None]:
    limits = variable.numbers("valid_range")
    low, high = limits if len(limits) == 2 else (None, None)
    low = next(iter(variable.numbers("valid_min")), low)
    high = next(iter(variable.numbers("valid_max")), high)
    packed = variable.numbers("scale_factor") or variable.numbers("add_offset")
    if not packed or variable.dtype.kind == "f":
        return low, high
    # A range of floats beside packed integers is of the unpacked values.
    scale = (*variable.numbers("scale_factor"), 1.0)[0]
    offset = (*variable.numbers("add_offset"), 0.0)[0]
    low, high = (
        (value - offset) / scale if isinstance(value, float) and scale else value
        for value in (low, high)
    )
    return (high, low) if scale < 0 else (low, high)


@dataclass(frozen=True)
class Cleaned(StoredArray):
    """Numbers of a cube, NaN where more than one fill value marks them as no data."""

    cube: StoredArray
    """The stored numbers."""
    radiometry: Radiometry
    """Which are no data."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.cube.shape

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """A type with NaN that holds the stored numbers, for each band."""
        return tuple("float32" if name in EXACT else "float64" for name in self.cube.dtypes)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are stored together."""
        return self.cube.block_shape

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band)."""
        stored = self.cube.read(indexes, window)
        values = stored.astype(np.result_type(*{self.dtypes[index - 1] for index in indexes}))
        missing = np.isin(stored, np.asarray(self.radiometry.fills).astype(stored.dtype))
        if self.radiometry.low is not None:
            missing |= stored < self.radiometry.low
        if self.radiometry.high is not None:
            missing |= stored > self.radiometry.high
        values[missing] = np.nan
        return values


@dataclass(frozen=True)
class Flipped(StoredArray):
    """A cube whose rows or columns are stored in reverse."""

    cube: StoredArray
    """The stored numbers."""
    rows: bool
    """Whether the last row is stored first."""
    cols: bool
    """Whether the last column is stored first."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.cube.shape

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Type of each band."""
        return self.cube.dtypes

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are stored together."""
        return self.cube.block_shape

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band)."""
        rows, cols = window
        height, width = self.shape
        if self.rows:
            rows = slice(height - rows.stop, height - rows.start)
        if self.cols:
            cols = slice(width - cols.stop, width - cols.start)
        stored = self.cube.read(indexes, (rows, cols))
        return stored[:: -1 if self.rows else 1, :: -1 if self.cols else 1]


@dataclass(frozen=True)
class Joined(StoredArray):
    """Cubes of one grid side by side: the bands of the first, then those of the next."""

    cubes: tuple[StoredArray, ...]
    """The cubes."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.cubes[0].shape

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """Type of each band."""
        return tuple(name for cube in self.cubes for name in cube.dtypes)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are stored together in the first."""
        return self.cubes[0].block_shape

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[Any]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band)."""
        wanted, start = np.asarray(indexes), 0
        parts: list[tuple[NDArray[np.bool_], NDArray[Any]]] = []
        for cube in self.cubes:
            stop = start + len(cube.dtypes)
            inside = (wanted > start) & (wanted <= stop)
            if inside.any():
                parts.append((inside, cube.read((wanted[inside] - start).tolist(), window)))
            start = stop
        dtype = np.result_type(*(part for _, part in parts))
        block = np.empty((*parts[0][1].shape[:2], len(wanted)), dtype)
        for inside, part in parts:
            block[..., inside] = part
        return block
