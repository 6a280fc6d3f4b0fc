"""A block as the numbers that a file stores: they become values only where these are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32 | np.uint16 | np.int16]


class Stored(NamedTuple):
    """How numbers of a file become values, in float64; `anomvae.raster.values`."""

    scale: NDArray[np.float64] | None
    """Factor, (value,)."""
    offset: NDArray[np.float64] | None
    """What is added then, (value,)."""
    nodata: NDArray[np.float64] | None
    """Number that stands for no data, (value,); NaN: none."""


@dataclass(frozen=True, eq=False)
class StoredBlock:
    """Numbers of pixels; ``np.asarray`` of them returns their values, NaN = no data."""

    numbers: Numbers
    """Axes (time, row, col, value), or others before the last one; of any strides."""
    stored: Stored
    """How they become values."""
    convert: Callable[[Numbers], NDArray[np.float32]]
    """Returns the values of numbers, axes (..., value)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes."""
        return self.numbers.shape

    def __getitem__(self, pixels: Any) -> StoredBlock:  # noqa: ANN401 - as numpy's own
        """Return some of the pixels; the index is one of all axes but the last."""
        return replace(self, numbers=self.numbers[pixels])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401
        """Return the values."""
        return self.convert(self.numbers)
