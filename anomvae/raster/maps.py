"""Rasters that an evaluation reads: anomaly maps and labels, axes (row, col)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import RasterError
from ..files import PathText
from ..pixels.grid import Grid
from ..stats.target import LAYERS as TARGET_LAYERS
from .access import DEFAULT, Access
from .dataset import Dataset
from .georeference import Georeference
from .raster_dataset import RasterDataset, open_raster

LAYERS = ("score", "reconstruction", "kl", "linear")
"""Bands of the map of a detector, in order; the first is the sum of the others."""
EARLIER_LAYERS = LAYERS[:3]
"""Those of a map that was written before there was a linear term."""
BASELINE_LAYERS = LAYERS[:1]
"""That of the map of a baseline, whose score has no terms."""
KINDS = {LAYERS, EARLIER_LAYERS, BASELINE_LAYERS, TARGET_LAYERS}
"""The bands of every kind of map."""


@dataclass(frozen=True)
class OpenMap:
    """An open anomaly map; its first band is the score, higher is more anomalous."""

    dataset: RasterDataset
    """The open raster."""
    tags: dict[str, str]
    """Tags of the file; ``ANOMVAE_*`` hold its provenance."""

    @property
    def grid(self) -> Grid:
        """Shape and location of the pixels."""
        return self.dataset.grid

    @property
    def georeference(self) -> Georeference:
        """The georeference of the file."""
        with self.dataset.describing():
            return self.dataset.georeference


@contextmanager
def open_map(path: PathText, access: Access = DEFAULT) -> Iterator[OpenMap]:
    """Open an anomaly map that anomvae wrote; the context closes it.

    Raises
    ------
    RasterError
        When the file cannot be read, or is no anomaly map.
    """
    with open_raster(path, access=access) as dataset:
        if dataset.bands.names not in KINDS:
            raise RasterError(
                f"{dataset.name} has the bands {', '.join(dataset.bands.names[:8])}, but an "
                f"anomaly map has {', '.join(LAYERS)}. Give a <scene>.anomaly.tif as anomvae "
                f"writes it."
            )
        yield OpenMap(dataset, dataset.tags)


@contextmanager
def open_scores(path: PathText, access: Access = DEFAULT) -> Iterator[OpenMap]:
    """Open an anomaly map, or a raster of one band that holds scores; the context closes it.

    Raises
    ------
    RasterError
        When the file cannot be read, or has several bands and is no anomaly map.
    """
    with open_raster(path, access=access) as dataset:
        if dataset.bands.names not in KINDS and len(dataset.bands) != 1:
            raise RasterError(
                f"{dataset.name} has {len(dataset.bands)} bands, but a map of scores has one, or "
                f"is a <scene>.anomaly.tif. Extract the band of the scores (gdal_translate -b)."
            )
        yield OpenMap(dataset, dataset.tags)


@contextmanager
def open_labels(
    path: PathText, grid: Grid, name: str, access: Access = DEFAULT
) -> Iterator[Dataset]:
    """Open a band of labels for the raster called ``name``; the context closes it.

    Raises
    ------
    RasterError
        When the file cannot be read.
    GridMismatch
        When the labels are on another grid.
    """
    with open_raster(path, access=access) as dataset:
        grid.require_same(dataset.grid, name, dataset.name)
        yield dataset


def read_labels(path: PathText, grid: Grid, name: str) -> NDArray[np.float32]:
    """Read a band of labels for the raster called ``name``, axes (row, col); NaN = no data.

    Raises
    ------
    RasterError
        When the file cannot be read.
    GridMismatch
        When the labels are on another grid.
    """
    with open_labels(path, grid, name) as dataset:
        return dataset.read_first()
