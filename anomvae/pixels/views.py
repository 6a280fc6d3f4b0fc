"""How a model looks at a block of pixels: views that split it into examples and join the scores.

A block has axes (time, row, col, band), float32, NaN = no data.  `Spectra` sees each pixel of each
date alone, `Series` all dates of a pixel, `Patches` a pixel among its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

Block = NDArray[np.float32]
"""Axes (time, row, col, band); NaN = no data."""
Mask = NDArray[np.bool_]
"""Axes (time, row, col) or (row, col)."""


class Examples(Protocol):
    """Examples in a row, (n, ..., band): an array, or what makes them when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Their number, and the axes of one."""

    def __len__(self) -> int:
        """Count them."""

    def __getitem__(self, places: Any, /) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy's own
        """Make some of them: those of a slice, or of an array of indexes."""


class View(Protocol):
    """How a model looks at a block."""

    @property
    def radius(self) -> int:
        """How far an example looks sideways, pixels."""

    @property
    def compares_dates(self) -> bool:
        """Whether the score of a date depends on the dates before it."""

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell what of examples (n, ..., band) can be scored, shape (n,) or (n, time)."""

    def where(self, block: Block) -> Mask:
        """Tell which pixels of a block can be scored."""

    def split(self, block: Block, where: Mask) -> Examples:
        """Take the examples at ``where``, shape (n, ..., band); not to be written to."""

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Put one value per score back to its place, (time, row, col); NaN elsewhere."""


def require_dates(view: View, dates: int, family: str) -> None:
    """Require as many dates of one place as a view needs; ``family`` is named in the message.

    Raises
    ------
    ConfigError
        If it compares dates, and there is one alone.
    """
    if view.compares_dates and dates < 2:
        raise ConfigError(
            f"model.family = {family!r} compares a date with those before it, but one date is "
            f"given. Give two or more rasters of one place, or take another family."
        )


@dataclass(frozen=True)
class Spectra:
    """Each pixel of each date alone; an example has axes (band,)."""

    radius: int = 0
    """A spectrum looks no further than its own pixel."""

    @property
    def compares_dates(self) -> bool:
        """Whether the score of a date depends on the dates before it."""
        return False

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which spectra have data in every band, (n,)."""
        return np.asarray(np.isfinite(examples).all(axis=-1))

    def where(self, block: Block) -> Mask:
        """Tell which pixels have data in every band, axes (time, row, col)."""
        finite = np.isfinite(block)
        # Most blocks lack nothing, and to see that costs less than to ask every pixel.
        if finite.all():
            return np.ones(block.shape[:-1], np.bool_)
        return np.asarray(finite.all(axis=-1))

    def split(self, block: Block, where: Mask) -> Examples:
        """Take the spectra at ``where``, shape (n, band): the block's own, if these are all."""
        return np.asarray(block.reshape(-1, block.shape[-1]) if where.all() else block[where])

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Put one value per spectrum back to its place; NaN elsewhere."""
        if where.all():
            return values.reshape(where.shape)
        scores = np.full(where.shape, np.nan, np.float32)
        scores[where] = values
        return scores


@dataclass(frozen=True)
class Series(Spectra):
    """All dates of a pixel; an example has axes (time, band), and NaN where a date is missing.

    A date can be scored if one before it is known: there is nothing to compare the first with.
    """

    @property
    def compares_dates(self) -> bool:
        """Every date is compared with those before it."""
        return True

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which dates of series have data in every band, and a date before, (n, time)."""
        return _with_past(super().known(examples), axis=-1)

    def where(self, block: Block) -> Mask:
        """Tell which pixels have data in every band, and a date before, axes (time, row, col)."""
        return _with_past(super().where(block), axis=0)

    def split(self, block: Block, where: Mask) -> Examples:
        """Take the series of pixels of which some date is at ``where``, shape (n, time, band)."""
        series = np.moveaxis(block, 0, 2)[where.any(axis=0)]
        series[~np.isfinite(series).all(axis=-1)] = np.nan
        return np.asarray(series)

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Put one value per date, (n, time), back to its place; NaN elsewhere."""
        scores = np.full(where.shape, np.nan, np.float32)
        scores[:, where.any(axis=0)] = values.T
        scores[~where] = np.nan
        return scores


def _with_past(known: Mask, axis: int) -> Mask:
    return known & (known.cumsum(axis=axis) > 1)


@dataclass(frozen=True)
class Patches(Spectra):
    """A pixel amid its neighbours; an example has axes (side, side, band), NaN = no neighbour."""

    @property
    def side(self) -> int:
        """Side of a patch, pixels, odd."""
        return 2 * self.radius + 1

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which patches have data in every band of the pixel in the middle, (n,)."""
        return super().known(examples[:, self.radius, self.radius])

    def split(self, block: Block, where: Mask) -> Examples:
        """Take the patches around ``where``, shape (n, side, side, band), when they are read."""
        return _Windows(block, where, self.side)


class _Windows:
    """Patches around pixels of a block, each copied only when it is asked for.

    All of them together would take the memory of a block as often as a patch has pixels.
    """

    def __init__(self, block: Block, where: Mask, side: int) -> None:
        edge = (side // 2, side // 2)
        padded = np.pad(block, ((0, 0), edge, edge, (0, 0)), constant_values=np.nan)
        padded[~np.isfinite(padded)] = np.nan
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        self.windows = np.moveaxis(windows, 3, -1)
        self.places = np.argwhere(where)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.places), *self.windows.shape[3:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, places: Any, /) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy's own
        date, row, col = np.moveaxis(self.places[places], -1, 0)
        return np.asarray(self.windows[date, row, col])
