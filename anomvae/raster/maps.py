"""Whole rasters as arrays, axes (row, col): labels and anomaly maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import RasterError
from ..files import PathText
from ..pixels.grid import Grid
from .dataset import open_raster
from .gdal import session

LAYERS = ("score", "reconstruction", "kl")
"""Bands of an anomaly map, in order."""


@dataclass(frozen=True)
class AnomalyMap:
    """Scores on a grid."""

    grid: Grid
    """Shape and location of the pixels."""
    score: NDArray[np.float32]
    """Score of each pixel, higher is more anomalous, axes (row, col); NaN = no data."""
    tags: dict[str, str]
    """Tags of the file; ``ANOMVAE_*`` hold its provenance."""


def read_map(path: PathText) -> AnomalyMap:
    """Read an anomaly map that anomvae wrote.

    Raises
    ------
    RasterError
        When the file cannot be read, or is no anomaly map.
    """
    with open_raster(path) as dataset:
        if dataset.bands.names != LAYERS:
            raise RasterError(
                f"{dataset.name} has the bands {', '.join(dataset.bands.names[:8])}, but an "
                f"anomaly map has {', '.join(LAYERS)}. Give a <scene>.anomaly.tif as anomvae "
                f"writes it."
            )
        with session():
            tags = dict(dataset.handle.tags())
        return AnomalyMap(dataset.grid, dataset.read_first(), tags)


def read_labels(path: PathText, grid: Grid, name: str) -> NDArray[np.float32]:
    """Read a band of labels for the raster called ``name``, axes (row, col); NaN = no data.

    Raises
    ------
    RasterError
        When the file cannot be read.
    GridMismatch
        When the labels are on another grid.
    """
    with open_raster(path) as dataset:
        grid.require_same(dataset.grid, name, dataset.name)
        return dataset.read_first()
