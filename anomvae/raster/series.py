"""SeriesReader: several dates of one place as one block, axes (time, row, col, band)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np

from ..files import FileIdentity, PathText
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from ..pixels.views import Block, matched
from .covariates import SceneReader, with_covariates
from .georeference import Georeference
from .reader import RasterReader


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
    def covariates(self) -> Covariates:
        """What the values behind the bands of every date are."""
        return self.dates[-1].covariates

    @property
    def values_per_pixel(self) -> int:
        """Numbers of a pixel: bands and covariates of all dates."""
        return sum(date.values_per_pixel for date in self.dates)

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
        first, *later = (date.read(window) for date in self.dates)
        return np.concatenate([first, *later]) if later else first


@contextmanager
def opened_dates(
    paths: Sequence[PathText],
    *,
    bands: str | None = None,
    mask: PathText | None = None,
    covariates: Sequence[PathText] = (),
    expected: Covariates | None = None,
) -> Iterator[SeriesReader]:
    """Open rasters of one place, oldest first, for reading together, closed in the end.

    Parameters
    ----------
    paths : sequence of path
        One raster, or one for each date.
    bands, mask
        As for `RasterReader`.
    covariates, expected
        As for `with_covariates`.

    Raises
    ------
    RasterError, GridMismatch, BandMismatch, CovariateMismatch, ConfigError
        What is wrong with which file, and what to do.
    """
    with ExitStack() as files:
        read = [files.enter_context(RasterReader(path, bands=bands, mask=mask)) for path in paths]
        told = [files.enter_context(with_covariates(one, covariates, expected)) for one in read]
        yield SeriesReader(told)
