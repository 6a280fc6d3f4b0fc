"""Views: how a block of pixels is split into a model's examples, and how scores are joined.

A block has axes (time, row, col, value), float32: bands, then covariates; NaN = no data.  An
example of `Spectra` is one pixel of one date, of `Series` and `Newest` the dates of a pixel, of
`Patches` a pixel and its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .tiling import Window

Block = NDArray[np.float32]
"""Axes (time, row, col, value): bands, then covariates; NaN = no data."""
Mask = NDArray[np.bool_]
"""Axes (time, row, col) or (row, col)."""


class Examples(Protocol):
    """Examples (n, ..., band): an array, or an object that copies them on access."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Their number, and the axes of one."""

    def __len__(self) -> int:
        """Return their number."""

    def __getitem__(self, index: Any, /) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy's own
        """Return those of a slice, or of an array of indexes."""


class View(Protocol):
    """How a block is split into examples."""

    @property
    def radius(self) -> int:
        """Receptive radius of an example, pixels."""

    @property
    def compares_dates(self) -> bool:
        """Whether a date is scored by the dates before it."""

    @property
    def most_dates(self) -> int | None:
        """Dates of an example at most, where the newest alone is scored; None: all are."""

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which of examples (n, ..., band) can be scored, shape (n,) or (n, time)."""

    def where(self, block: Block) -> Mask:
        """Return which pixels of a block can be scored, axes (time, row, col)."""

    def split(self, block: Block, where: Mask) -> Examples:
        """Return the examples at ``where``, shape (n, ..., band), read-only."""

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Return one value per score at its pixel, (time, row, col); NaN elsewhere."""


def require_dates(view: View, dates: int, family: str) -> None:
    """Require as many dates of one site as a view needs; ``family`` is named in the message.

    Raises
    ------
    ConfigError
        When it compares dates, and there is one alone.
    """
    if view.compares_dates and dates < 2:
        raise ConfigError(
            f"model.family = {family!r} compares a date with those before it, but one date is "
            f"given. Give two or more rasters of one site, or take another family."
        )


def where_newest(view: View, block: Block, window: Window, mask: Mask | None = None) -> Mask:
    """Return which pixels of the newest date in a window of a block can be scored.

    Axes are (time, row, col), so that `View.split` takes it; ``mask``, axes (row, col) of the
    window, leaves some of the pixels.
    """
    where = np.zeros(block.shape[:-1], np.bool_)
    where[(-1, *window)] = True if mask is None else mask
    return np.asarray(where & view.where(block))


def newest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values of the newest date, (n, value), of examples (n, value) or series."""
    return values if values.ndim == 2 else values[:, -1]


@dataclass(frozen=True)
class Spectra:
    """Each pixel of each date alone; an example has axes (band,)."""

    compares_dates: ClassVar[bool] = False
    most_dates: ClassVar[int | None] = None
    radius: int = 0
    """Receptive radius, pixels."""

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which spectra have data in every band, (n,)."""
        return np.asarray(np.isfinite(examples).all(axis=-1))

    def where(self, block: Block) -> Mask:
        """Return which pixels have data in every band, axes (time, row, col)."""
        finite = np.isfinite(block)
        if finite.all():  # true of most blocks, and faster than the reduction below
            return np.ones(block.shape[:-1], np.bool_)
        return np.asarray(finite.all(axis=-1))

    def split(self, block: Block, where: Mask) -> Examples:
        """Return the spectra at ``where``, shape (n, band); of all pixels, a view of the block."""
        return np.asarray(block.reshape(-1, block.shape[-1]) if where.all() else block[where])

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Return one value per spectrum at its pixel; NaN elsewhere."""
        if where.all():
            return values.reshape(where.shape)
        scores = np.full(where.shape, np.nan, np.float32)
        scores[where] = values
        return scores


@dataclass(frozen=True)
class Series(Spectra):
    """All dates of a pixel; an example has axes (time, band), and NaN where a date is missing.

    A date is scored by the dates before it, so a pixel's first date with data has no score.
    """

    compares_dates: ClassVar[bool] = True

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which dates have data in every band, and a date before them, (n, time)."""
        return _after_first(super().known(examples), axis=-1)

    def where(self, block: Block) -> Mask:
        """Return where all bands have data, and an earlier date, too, axes (time, row, col)."""
        return _after_first(super().where(block), axis=0)

    def split(self, block: Block, where: Mask) -> Examples:
        """Return the series of pixels with any date at ``where``, shape (n, time, band)."""
        series = np.moveaxis(block, 0, 2)[where.any(axis=0)]
        series[~np.isfinite(series).all(axis=-1)] = np.nan
        return np.asarray(series)

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Return one value per date, (n, time), at its pixel; NaN elsewhere."""
        scores = np.full(where.shape, np.nan, np.float32)
        scores[:, where.any(axis=0)] = values.T
        scores[~where] = np.nan
        return scores


@dataclass(frozen=True)
class Newest(Spectra):
    """The newest dates of a pixel, of which the last is scored, given those before it.

    An example has axes (time, band), and NaN where a date is missing.  A pixel whose other dates
    are all missing has no score.
    """

    compares_dates: ClassVar[bool] = True
    most_dates: int = 9  # type: ignore[misc]  # a field where others have a constant

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which series have data at their newest date, and at one before it, (n,)."""
        known = super().known(examples)
        return np.asarray(known[:, -1] & known[:, :-1].any(axis=-1))

    def where(self, block: Block) -> Mask:
        """Return where the newest date has data, and an earlier one, too, axes (time, row, col)."""
        known = super().where(block[-self.most_dates :])
        where = np.zeros(block.shape[:-1], np.bool_)
        where[-1] = known[-1] & known[:-1].any(axis=0)
        return where

    def split(self, block: Block, where: Mask) -> Examples:
        """Return the series of pixels whose newest date is at ``where``, (n, time, band)."""
        series = np.moveaxis(block[-self.most_dates :], 0, 2)[where[-1]]
        series[~np.isfinite(series).all(axis=-1)] = np.nan
        return np.asarray(series)

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Return one value per series, (n,), at its pixel of the newest date; NaN elsewhere."""
        scores = np.full(where.shape, np.nan, np.float32)
        scores[-1][where[-1]] = values
        return scores


def _after_first(valid: Mask, axis: int) -> Mask:
    return valid & (valid.cumsum(axis=axis) > 1)


@dataclass(frozen=True)
class Patches(Spectra):
    """A pixel and its neighbours; an example has axes (side, side, band), NaN = no neighbour."""

    @property
    def side(self) -> int:
        """Side of a patch, pixels, odd."""
        return 2 * self.radius + 1

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which patches have data in every band of their central pixel, (n,)."""
        return super().known(examples[:, self.radius, self.radius])

    def split(self, block: Block, where: Mask) -> Examples:
        """Return the patches around ``where``, shape (n, side, side, band), copied on access."""
        return _PatchExamples(block, where, self.side)


class _PatchExamples:
    """Patches around pixels of a block, copied on access: together they take side^2 blocks."""

    def __init__(self, block: Block, where: Mask, side: int) -> None:
        edge = (side // 2, side // 2)
        padded = np.pad(block, ((0, 0), edge, edge, (0, 0)), constant_values=np.nan)
        padded[~np.isfinite(padded)] = np.nan
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        self.windows = np.moveaxis(windows, 3, -1)
        self.pixels = np.argwhere(where)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.pixels), *self.windows.shape[3:])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Any, /) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy's own
        date, row, col = np.moveaxis(self.pixels[index], -1, 0)
        return np.asarray(self.windows[date, row, col])
