"""Which values of a mask hide a pixel.

A mask holds classes, bits or truth values.  A rule maps its values, axes (row, col) and NaN where
the mask has no data, to the pixels that it hides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.views import Mask


class MaskRule(ABC):
    """Which values hide a pixel."""

    @abstractmethod
    def hides(self, values: NDArray[np.float32]) -> Mask:
        """Return the hidden pixels, axes (row, col)."""


@dataclass(frozen=True)
class Zero(MaskRule):
    """Hide pixels that are 0 or no data, as ``--mask FILE``."""

    def hides(self, values: NDArray[np.float32]) -> Mask:
        """Return the hidden pixels, axes (row, col)."""
        return np.asarray(~(np.isfinite(values) & (values != 0)))


@dataclass(frozen=True)
class Classes(MaskRule):
    """Hide pixels of some classes."""

    classes: tuple[int, ...]
    """The classes."""

    def hides(self, values: NDArray[np.float32]) -> Mask:
        """Return the hidden pixels, axes (row, col)."""
        return np.asarray(np.isin(values, self.classes))


@dataclass(frozen=True)
class Bits(MaskRule):
    """Hide pixels that have any of some bits set."""

    bits: tuple[int, ...]
    """Numbers of the bits, from 0, the least significant."""

    def hides(self, values: NDArray[np.float32]) -> Mask:
        """Return the hidden pixels, axes (row, col)."""
        flags = np.nan_to_num(values).astype(np.int64)
        return np.asarray((flags & sum(1 << bit for bit in self.bits)) != 0)
