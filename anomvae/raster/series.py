"""SeriesReader: several dates of one place as one block, axes (time, row, col, band)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from ..bands import Bands
from ..files import FileIdentity
from ..grid import Grid
from ..pixels import Block, matched
from ..tiling import Window
from .covariates import SceneReader
from .georeference import Georeference


class SeriesReader:
    """Rasters of one grid and the same bands, read together; the newest date gives the name.

    Parameters
    ----------
    dates : sequence of RasterReader, or of CovariateReader with the same covariates
        Oldest first; who opened them closes them.

    Raises
    ------
    GridMismatch
        If a date lies on another grid.
    BandMismatch
        If a date has other bands.
    """

    def __init__(self, dates: Sequence[SceneReader]) -> None:
        newest = dates[-1]
        for date in dates:
            newest.grid.require_same(date.grid, newest.name, date.name)
        self.dates = tuple(matched(date, newest.bands) for date in dates)

    @property
    def name(self) -> str:
        """The newest date's."""
        return self.dates[-1].name

    @property
    def stem(self) -> str:
        """The newest date's."""
        return self.dates[-1].stem

    @property
    def grid(self) -> Grid:
        """Rows, columns, and where they lie."""
        return self.dates[-1].grid

    @property
    def bands(self) -> Bands:
        """The bands in use."""
        return self.dates[-1].bands

    @property
    def georeference(self) -> Georeference:
        """All that the newest date says about where it lies."""
        return self.dates[-1].georeference

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the newest date's blocks."""
        return self.dates[-1].block_shape

    @property
    def fingerprint(self) -> tuple[FileIdentity, ...]:
        """The state of every file of every date."""
        return tuple(identity for date in self.dates for identity in date.fingerprint)

    def using(self, bands: Bands) -> SeriesReader:
        """Read only ``bands``, in their order, of every date."""
        other = copy.copy(self)
        other.dates = tuple(date.using(bands.find_in(date.bands, date.name)) for date in self.dates)
        return other

    def read(self, window: Window) -> Block:
        """Read a window of every date."""
        return np.concatenate([date.read(window) for date in self.dates])

    def preview(self, side: int) -> Block:
        """Read the newest date into at most ``side`` pixels on its longer side."""
        return self.dates[-1].preview(side)
