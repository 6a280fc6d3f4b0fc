"""Covariates of a scene, read on its grid: layers with axes (row, col, value); NaN = not known."""

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
        """What the values are."""

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """What changes when the values do."""

    def read(self, window: Window) -> Values:
        """Read a window of the scene, axes (row, col, value)."""


@contextmanager
def open_layer(spec: CovariateSpec, scene: str, grid: Grid) -> Iterator[Layer]:
    """Open a covariate on the grid of a scene; closed in the end.

    Parameters
    ----------
    spec : CovariateSpec
        What a user asks for.
    scene : str
        Name of the scene: the day may be in it, and messages use it.
    grid : Grid
        The scene's.

    Raises
    ------
    RasterError
        If the file cannot be read.
    GridMismatch
        If the raster is on another grid, and it or the scene has no coordinate reference system.
    CovariateMismatch
        If the day is not known.
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
    """The day of the year, one for all pixels."""

    values: Values
    files: tuple[FileIdentity, ...]
    covariates: Covariates = (Covariate(DAY),)

    def read(self, window: Window) -> Values:
        return np.broadcast_to(self.values, (*shape_of(window), len(self.values)))


@dataclass(frozen=True)
class _Raster:
    """Values of a raster on the scene's grid, or brought onto it."""

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
    """Whether a raster is on the scene's grid; if not, it must be possible to bring it there.

    Raises
    ------
    GridMismatch
        If it is not.
    """
    try:
        grid.require_same(dataset.grid, scene, dataset.name)
    except GridMismatch:
        if not (grid.crs and dataset.grid.crs):
            raise
        return False
    return True
