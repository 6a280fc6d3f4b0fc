"""Covariates on the grid of a scene: layers with axes (row, col, value); NaN = unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..addresses import file_name
from ..errors import GridMismatch
from ..identity import FileIdentity
from ..pixels.covariates import CATEGORICAL, DAY, Covariate, Covariates, CovariateSpec, day_values
from ..pixels.grid import Grid
from ..pixels.tiling import Window, shape_of
from .access import DEFAULT, Access
from .raster_dataset import open_raster
from .warped import warped

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """The values of a covariate of a scene."""

    covariates: Covariates
    """Kind and origin of the values."""
    files: tuple[FileIdentity, ...]
    """Identities of the files that the values come from; or the day."""
    read: Callable[[Window], Values]
    """Reads a window of the scene, axes (row, col, value)."""


@contextmanager
def open_layer(
    spec: CovariateSpec, scene: str, grid: Grid, access: Access = DEFAULT
) -> Iterator[Layer]:
    """Open a covariate on the grid of a scene, whose name may contain the day.

    Raises
    ------
    RasterError
        When the file cannot be read.
    GridMismatch
        When the raster is on another grid, and it or the scene has no coordinate reference system.
    CovariateMismatch
        When the day is unknown.
    """
    if spec.kind == DAY:
        day = spec.day_of(scene)
        state = FileIdentity(f"day:{day.isoformat()}")
        yield Layer((Covariate(DAY),), (state,), partial(_repeat, day_values(day)))
        return
    categorical = spec.kind == CATEGORICAL
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(spec.source, access=access))
        bands = dataset.first() if categorical else dataset.bands
        read = dataset.read
        try:
            grid.require_same(dataset.grid, scene, dataset.name)
        except GridMismatch:
            if not (grid.crs and dataset.grid.crs):
                raise  # it cannot be warped
            read = stack.enter_context(warped(dataset, grid, scene, nearest=categorical)).read
        names = [band.name if dataset.bands.named else "" for band in bands]
        file = file_name(dataset.name)
        covariates = tuple(Covariate(spec.kind, file, name) for name in names)
        yield Layer(covariates, dataset.files, partial(read, bands))


def _repeat(values: Values, window: Window) -> Values:
    return np.broadcast_to(values, (*shape_of(window), len(values)))
