"""Which values of a mask hide a pixel.

A mask holds classes, bits or truth values.  A rule maps its values, axes (row, col), to the pixels
that it hides, and to those without data: they have none in the scene either.  Where the mask has no
value, NaN, nothing is known about the pixel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..pixels.views import Mask

Values = NDArray[np.float32]
"""Values of a mask, axes (row, col); NaN = none."""


class MaskRule(ABC):
    """Which values hide a pixel."""

    keeps_nodata: ClassVar[bool] = False
    """Whether stored numbers are compared, also that which the file declares as no data."""

    @abstractmethod
    def hides(self, values: Values) -> Mask:
        """Return the hidden pixels, axes (row, col)."""

    def missing(self, values: Values) -> Mask:
        """Return the pixels without data, axes (row, col): they are not hidden, but missing."""
        return np.zeros(values.shape, np.bool_)

    def unknown(self, values: Values) -> Mask:
        """Return where values are not defined, axes (row, col)."""
        return np.zeros(values.shape, np.bool_)

    def with_fill(self, fill: float) -> MaskRule:
        """Return the rule for a file that declares a number as no data."""
        return self

    def used_with(self, bands: Sequence[str]) -> MaskRule:
        """Return the rule for scenes of which the bands with these names are in use."""
        return self


@dataclass(frozen=True)
class Zero(MaskRule):
    """Hide pixels that are 0 or no data, as ``--mask FILE``."""

    def hides(self, values: Values) -> Mask:
        """Return the hidden pixels, axes (row, col)."""
        return np.asarray(~(np.isfinite(values) & (values != 0)))


@dataclass(frozen=True)
class Classes(MaskRule):
    """Hide pixels of some classes."""

    keeps_nodata: ClassVar[bool] = True

    classes: tuple[int, ...]
    """The classes that are hidden."""
    fills: tuple[float, ...] = ()
    """The classes of pixels without data."""
    known: tuple[int, ...] = ()
    """The classes that are defined; empty: any."""

    def hides(self, values: Values) -> Mask:
        """Return the hidden pixels, axes (row, col)."""
        return np.asarray(np.isin(values, self.classes))

    def missing(self, values: Values) -> Mask:
        """Return the pixels without data, axes (row, col)."""
        return np.asarray(np.isnan(values) | np.isin(values, self.fills))

    def unknown(self, values: Values) -> Mask:
        """Return where classes are not defined, axes (row, col)."""
        if not self.known:
            return np.zeros(values.shape, np.bool_)
        return np.asarray(~(np.isin(values, self.known) | self.missing(values)))

    def with_fill(self, fill: float) -> MaskRule:
        """Take a number as no data, unless it is a class of its own."""
        undefined = bool(self.known) and fill not in self.known
        return replace(self, fills=(*self.fills, fill)) if undefined else self


@dataclass(frozen=True)
class Bits(MaskRule):
    """Hide pixels that have any of some bits set."""

    keeps_nodata: ClassVar[bool] = True

    bits: tuple[int, ...]
    """Numbers of the bits, from 0, the least significant."""
    fill_bits: tuple[int, ...] = ()
    """Numbers of the bits of pixels without data."""
    fills: tuple[float, ...] = ()
    """Whole numbers of pixels without data."""
    known: tuple[int, ...] = ()
    """Numbers of the bits that are defined; empty: any."""
    bands: tuple[tuple[str, int], ...] = ()
    """Bands whose bits hide a pixel only where the band is in use, such as of saturation: names and
    numbers of bits."""

    def hides(self, values: Values) -> Mask:
        """Return the hidden pixels, axes (row, col)."""
        return _any_set(values, self.bits) & ~self.missing(values)

    def missing(self, values: Values) -> Mask:
        """Return the pixels without data, axes (row, col)."""
        fill = np.isnan(values) | np.isin(values, self.fills)
        return np.asarray(fill | _any_set(values, self.fill_bits))

    def unknown(self, values: Values) -> Mask:
        """Return where bits are set that are not defined, axes (row, col)."""
        if not self.known:
            return np.zeros(values.shape, np.bool_)
        numbers = np.nan_to_num(values).astype(np.int64)
        undefined = (numbers & ~_mask_of(self.known)) != 0
        return np.asarray((undefined | (numbers != np.nan_to_num(values))) & ~self.missing(values))

    def with_fill(self, fill: float) -> MaskRule:
        """Take a number as no data unless it is 0, which has no bit set."""
        return replace(self, fills=(*self.fills, fill)) if fill and self.known else self

    def used_with(self, bands: Sequence[str]) -> MaskRule:
        """Drop the bits of bands that are not in use."""
        used = {bit for name, bit in self.bands if name in bands}
        idle = {bit for _, bit in self.bands} - used
        return replace(self, bits=tuple(bit for bit in self.bits if bit not in idle))


def _mask_of(bits: tuple[int, ...]) -> int:
    return sum(1 << bit for bit in bits)


def _any_set(values: Values, bits: tuple[int, ...]) -> Mask:
    return np.asarray((np.nan_to_num(values).astype(np.int64) & _mask_of(bits)) != 0)
