"""Masks: which pixels to use, told by a raster or by polygons; axes (row, col)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..pixels.grid import Grid
from ..pixels.tiling import Window
from .dataset import Dataset, opened
from .georeference import Georeference
from .part import Part, part_at
from .polygons import is_vector, read_polygons


class NormalMask(Protocol):
    """Tells which pixels of a scene are normal."""

    def read(self, window: Window) -> NDArray[np.bool_]:
        """Tell which pixels of a window are normal, axes (row, col)."""


class Scene(Protocol):
    """What a mask must know of the scene that it belongs to, such as a `RasterReader`."""

    @property
    def name(self) -> str:
        """The path as it was given."""

    @property
    def georeference(self) -> Georeference:
        """All that the file says about where it lies."""


@dataclass(frozen=True)
class RasterMask:
    """A pixel counts where the first band of a raster is data and not 0."""

    source: Dataset
    """The open raster."""

    @property
    def name(self) -> str:
        """The path as it was given."""
        return self.source.name

    def read(self, window: Window) -> NDArray[np.bool_]:
        """Tell which pixels of a window count, axes (row, col)."""
        return self.read_part(part_at(window))

    def read_part(self, part: Part) -> NDArray[np.bool_]:
        """Tell which pixels of a part count, axes (row, col)."""
        values = self.source.read(self.source.first(), part)[..., 0]
        return np.asarray(np.isfinite(values) & (values != 0))


@contextmanager
def opened_mask(path: str | Path, grid: Grid, name: str) -> Iterator[RasterMask]:
    """Open a mask for the raster called ``name`` on ``grid``.

    Raises
    ------
    RasterError
        If it is no raster.
    GridMismatch
        If it is on another grid.
    """
    with opened(path) as source:
        grid.require_same(source.grid, name, source.name)
        yield RasterMask(source)


@contextmanager
def open_normal(path: str | Path, scene: Scene) -> Iterator[NormalMask]:
    """Open what says which pixels of a scene are normal.

    Parameters
    ----------
    path : path
        A raster on the scene's grid, normal where its first band is data and not 0; or polygons
        around normal pixels: GeoJSON, or with the extra ``vector`` GeoPackage, Shapefile and more.
    scene : RasterReader
        The scene.

    Yields
    ------
    NormalMask

    Raises
    ------
    RasterError
        If the file cannot be read, or its polygons cannot be laid on the scene or miss it.
    GridMismatch
        If a raster is on another grid.
    """
    if is_vector(path):
        yield read_polygons(path, scene.georeference, scene.name)
    else:
        with opened_mask(path, scene.georeference.grid, scene.name) as mask:
            yield mask
