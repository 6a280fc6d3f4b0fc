"""Whole rasters as arrays, axes (row, col): labels, and our own anomaly maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import RasterError
from ..pixels.grid import Grid
from .dataset import Dataset, opened
from .gdal import session
from .part import whole

LAYERS = ("score", "reconstruction", "kl")
"""Bands of an anomaly map, in order, nats."""


@dataclass(frozen=True)
class AnomalyMap:
    """Scores on a grid, axes (row, col), nats; NaN = no data."""

    grid: Grid
    """Where the pixels lie."""
    score: NDArray[np.float32]
    """Higher is more anomalous."""
    reconstruction: NDArray[np.float32]
    """The part of the score that the reconstruction adds."""
    kl: NDArray[np.float32]
    """The part of the score that the code adds."""
    tags: dict[str, str]
    """The file's tags; ``ANOMVAE_*`` say how it was made."""


def read_map(path: str | Path) -> AnomalyMap:
    """Read an anomaly map that anomvae wrote.

    Raises
    ------
    RasterError
        If it cannot be read, or is another raster.
    """
    with opened(path) as source:
        score, reconstruction, kl = _layers(source)
        with session():
            tags = dict(source.dataset.tags())
        return AnomalyMap(source.grid, score, reconstruction, kl, tags)


def read_labels(path: str | Path, grid: Grid, name: str) -> NDArray[np.float32]:
    """Read labels for the raster called ``name`` on ``grid``.

    Returns
    -------
    array of float32, axes (row, col)
        The first band; NaN = no data.

    Raises
    ------
    RasterError
        If they cannot be read.
    GridMismatch
        If they are on another grid.
    """
    with opened(path) as source:
        grid.require_same(source.grid, name, source.name)
        return source.read_first()


def _layers(source: Dataset) -> list[NDArray[np.float32]]:
    if source.bands.names != LAYERS:
        raise RasterError(
            f"{source.name} has the bands {', '.join(source.bands.names[:8])}, but an anomaly map "
            f"has {', '.join(LAYERS)}. Give a <scene>.anomaly.tif as anomvae writes it."
        )
    values = source.read(source.bands, whole(source.grid.shape))
    return [np.ascontiguousarray(layer) for layer in np.moveaxis(values, -1, 0)]
