"""Covariates on the grid of a scene: layers with axes (row, col, value); NaN = unknown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import GridMismatch
from ..files import FileIdentity, file_name
from ..pixels.bands import Bands
from ..pixels.covariates import CATEGORICAL, DAY, Covariate, Covariates, CovariateSpec, day_values
from ..pixels.grid import Grid
from ..pixels.tiling import Window, shape_of
from .dataset import Dataset, open_raster
from .warped import Warped, warped

Values = NDArray[np.float32]


class Layer(Protocol):
    """The values of one covariate of a scene."""

    @property
    def covariates(self) -> Covariates:
        """Kind and origin of the values."""

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """The state of every file, or the day, that the values come from."""

    def read(self, window: Window) -> Values:
        """Read a window of the scene, axes (row, col, value)."""


@contextmanager
def open_layer(spec: CovariateSpec, scene: str, grid: Grid) -> Iterator[Layer]:
    """Open a covariate on the grid of a scene; the context closes it.

    Parameters
    ----------
    spec : CovariateSpec
        The covariate as the user specifies it.
    scene : str
        Name of the scene, which may contain the day; messages use it.
    grid : Grid
        Grid of the scene.

    Raises
    ------
    RasterError
        If the file cannot be read.
    GridMismatch
        If the raster is on another grid, and it or the scene has no coordinate reference system.
    CovariateMismatch
        If the day is unknown.
    """
    if spec.kind == DAY:
        day = spec.day_of(scene)
        yield _Day(day_values(day), (FileIdentity(f"day:{day.isoformat()}"),))
        return
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(spec.source))
        bands = dataset.first() if spec.kind == CATEGORICAL else dataset.bands
        source: Dataset | Warped = dataset
        if not _same_grid(grid, scene, dataset):
            nearest = spec.kind == CATEGORICAL
            source = stack.enter_context(warped(dataset, grid, scene, nearest=nearest))
        yield _Raster(source, bands, _described(spec, dataset, bands), dataset.files)


@dataclass(frozen=True)
class _Day:
    """The day of the year, equal for all pixels."""

    values: Values
    files: tuple[FileIdentity, ...]
    covariates: Covariates = (Covariate(DAY),)

    def read(self, window: Window) -> Values:
        return np.broadcast_to(self.values, (*shape_of(window), len(self.values)))


@dataclass(frozen=True)
class _Raster:
    """Values of a raster on the grid of the scene, or warped to it."""

    source: Dataset | Warped
    bands: Bands
    covariates: Covariates
    files: tuple[FileIdentity, ...]

    def read(self, window: Window) -> Values:
        return self.source.read(self.bands, window)


def _described(spec: CovariateSpec, dataset: Dataset, bands: Bands) -> Covariates:
    named, file = dataset.bands.named, file_name(dataset.name)
    return tuple(Covariate(spec.kind, file, band.name if named else "") for band in bands)


def _same_grid(grid: Grid, scene: str, dataset: Dataset) -> bool:
    """Return whether a raster is on the grid of the scene.

    Raises
    ------
    GridMismatch
        If it is not and cannot be warped, for want of a coordinate reference system.
    """
    try:
        grid.require_same(dataset.grid, scene, dataset.name)
    except GridMismatch:
        if not (grid.crs and dataset.grid.crs):
            raise
        return False
    return True
