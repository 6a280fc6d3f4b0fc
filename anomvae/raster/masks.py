"""Masks of normal pixels, from a raster or from polygons; axes (row, col)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files import PathText
from ..identity import FileIdentity, identify_content
from ..pixels.flag_classes import is_flagged
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from ..pixels.views import Mask
from .access import DEFAULT, Access
from .georeference import Georeference
from .polygons import PolygonMask, is_vector, read_polygons
from .raster_dataset import RasterDataset, open_raster

PARTS = (".shx", ".prj", ".cpg")
"""Ends of the files beside a Shapefile that decide where its polygons are."""


@dataclass(frozen=True)
class RasterMask:
    """Selects the pixels where the first band of a raster is data and not 0."""

    dataset: RasterDataset
    """The open raster."""

    def read(self, window: Window) -> Mask:
        """Return which pixels of a window are selected, axes (row, col)."""
        values = self.dataset.read_first(window)
        return np.asarray(np.isfinite(values) & (values != 0))


@dataclass(frozen=True)
class Flags:
    """Selects the pixels that are flagged, by the first band of a map of flags or candidates."""

    dataset: RasterDataset
    """The open raster."""

    def read(self, window: Window) -> Mask:
        """Return which pixels of a window are flagged, axes (row, col)."""
        return is_flagged(self.dataset.read_first(window))


NormalMask = RasterMask | PolygonMask
"""Marks the normal pixels of a scene."""


@contextmanager
def open_mask(
    path: PathText, grid: Grid, name: str, access: Access = DEFAULT
) -> Iterator[RasterMask]:
    """Open a mask for the raster called ``name`` on ``grid``; one on another grid is refused."""
    with open_raster(path, access=access) as dataset:
        grid.require_same(dataset.grid, name, dataset.name)
        yield RasterMask(dataset)


@contextmanager
def open_flags(path: PathText, grid: Grid, name: str, access: Access = DEFAULT) -> Iterator[Flags]:
    """Open flags of the raster called ``name`` on ``grid``; those on another grid are refused."""
    with open_raster(path, access=access) as dataset:
        grid.require_same(dataset.grid, name, dataset.name)
        yield Flags(dataset)


@contextmanager
def open_normal(
    path: PathText, georeference: Georeference, name: str, access: Access = DEFAULT
) -> Iterator[NormalMask]:
    """Open the mask of normal pixels of the scene called ``name``.

    It is a raster on the scene's grid, normal where its first band is data and not 0; or polygons
    around normal pixels: GeoJSON, or with the extra ``vector`` GeoPackage, Shapefile and more.

    Raises
    ------
    RasterError
        When the file cannot be read, or its polygons cannot be located on the scene or miss it.
    GridMismatch
        When a raster is on another grid.
    """
    if is_vector(path):
        yield read_polygons(path, georeference, name)
    else:
        with open_mask(path, georeference.grid, name, access) as mask:
            yield mask


def identify_normal(path: PathText, access: Access = DEFAULT) -> tuple[FileIdentity, ...]:
    """Return the identities of the files of a mask of normal pixels, as `open_normal` opens it.

    Raises
    ------
    RasterError
        When a raster cannot be read.
    """
    if is_vector(path):
        shapefile = Path(path).suffix.lower() == ".shp"
        parts = [Path(path).with_suffix(end) for end in PARTS if shapefile]
        return identify_content([path, *filter(Path.exists, parts)])
    with open_raster(path, access=access) as dataset:
        return dataset.files
