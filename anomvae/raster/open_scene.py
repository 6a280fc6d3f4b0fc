"""A scene while it is read, window by window, as blocks of axes (time, row, col, value), float32.

The values of a pixel are the bands in use, in physical units, then those of the covariates; NaN =
no data, or not known.  Like GDAL's datasets an open scene serves one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..files import FileIdentity
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.grid import Grid
from ..pixels.tiling import Window, shape_of
from ..pixels.views import Block, Mask
from .covariates import Layer
from .dataset import Dataset
from .georeference import Georeference
from .masks import NormalMask, RasterMask

if TYPE_CHECKING:
    from .scene import Scene


@dataclass(frozen=True)
class OpenDate:
    """One date of a scene while it is read."""

    dataset: Dataset
    """The open raster."""
    bands: Bands
    """The bands in use, in the order in which they are read."""
    georeference: Georeference
    """All that the file says about where it lies."""
    mask: RasterMask | None
    """Which pixels to use; None: all."""
    layers: tuple[Layer, ...]
    """The covariates."""

    @property
    def name(self) -> str:
        """The raster as it was named."""
        return self.dataset.name

    @property
    def grid(self) -> Grid:
        """Rows, columns, and where they lie."""
        return self.dataset.grid

    @property
    def covariates(self) -> Covariates:
        """What the values behind the bands are."""
        return tuple(one for layer in self.layers for one in layer.covariates)

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """The state of every file that the values come from."""
        masks = () if self.mask is None else self.mask.dataset.files
        layers = [identity for layer in self.layers for identity in layer.files]
        return (*self.dataset.files, *masks, *layers)

    def read(self, window: Window) -> Block:
        """Read a window, axes (time, row, col, value) of one date."""
        block = self.dataset.read(self.bands, window)
        if self.mask is not None:
            block[~self.mask.read(window)] = np.nan
        if self.layers:
            values = [layer.read(window) for layer in self.layers]
            block = np.concatenate([block, *values], axis=-1)
        return block[np.newaxis]


@dataclass(frozen=True)
class OpenScene:
    """A scene while it is read; `Scene.open` makes and closes it."""

    scene: Scene
    """The same, closed."""
    dates: tuple[OpenDate, ...]
    """The dates, oldest first."""
    normal_mask: NormalMask | None = None
    """Which pixels are normal; None: all."""

    @property
    def stem(self) -> str:
        """What the names of its results begin with."""
        return self.scene.stem

    @property
    def newest(self) -> OpenDate:
        """The date that gives the scene its name and its grid."""
        return self.dates[-1]

    @property
    def name(self) -> str:
        """The newest date as it was named."""
        return self.newest.name

    @property
    def names(self) -> tuple[str, ...]:
        """Every date as it was named, oldest first."""
        return tuple(date.name for date in self.dates)

    @property
    def grid(self) -> Grid:
        """Rows, columns, and where they lie."""
        return self.newest.grid

    @property
    def georeference(self) -> Georeference:
        """All that the newest date says about where it lies."""
        return self.newest.georeference

    @property
    def bands(self) -> Bands:
        """The bands in use of the newest date; those of the others fit them."""
        return self.newest.bands

    @property
    def covariates(self) -> Covariates:
        """What the values behind the bands of every date are."""
        return self.newest.covariates

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the newest date is stored."""
        return self.newest.dataset.block_shape

    @property
    def values_per_pixel(self) -> int:
        """Values that `read` returns of a pixel: bands and covariates of all dates."""
        covariates = sum(one.values for one in self.covariates)
        return len(self.dates) * (len(self.bands) + covariates)

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """The state of every file that the values come from, masks and covariates included."""
        return tuple(identity for date in self.dates for identity in date.files)

    def read(self, window: Window) -> Block:
        """Read a window.

        Parameters
        ----------
        window : (rows, cols)
            Half-open slices, pixels, inside the grid.

        Returns
        -------
        array of float32, axes (time, row, col, value)
            Bands in physical units (GDAL's scale and offset applied), NaN where a band has no data,
            in all bands where the pixel has none; then the covariates, NaN where unknown.

        Raises
        ------
        RasterError
            If a file is damaged there.
        """
        first, *later = (date.read(window) for date in self.dates)
        return np.concatenate([first, *later]) if later else first

    def normal(self, window: Window) -> Mask:
        """Return which pixels of a window are normal, axes (row, col)."""
        if self.normal_mask is not None:
            return self.normal_mask.read(window)
        return np.ones(shape_of(window), np.bool_)
