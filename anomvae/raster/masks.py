"""Masks of pixels to use, from a raster or from polygons; axes (row, col)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import GridMismatch
from ..files import PathText
from ..identity import FileIdentity, identify_content
from ..pixels.bands import Bands
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from ..pixels.views import Mask
from .access import DEFAULT, Access
from .dataset import Dataset
from .georeference import Georeference
from .mask_layers import MaskLayer
from .mask_rules import MaskRule, Zero
from .polygons import PolygonMask, is_vector, read_polygons
from .products import Raster
from .raster_dataset import RasterDataset, open_raster
from .warped import Warped, warped

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
class LayerMask:
    """Selects the pixels that a layer does not hide."""

    dataset: Dataset
    """The open product of the layer, on the grid of the scene."""
    band: Bands
    """The band of the layer."""
    rule: MaskRule
    """Which values hide a pixel."""
    source: Dataset | Warped
    """What is read."""

    def used_with(self, bands: Bands) -> LayerMask:
        """Return the mask for the bands of the scene that are in use."""
        return replace(self, rule=self.rule.used_with(bands.names))

    def read(self, window: Window) -> Mask:
        """Return which pixels of a window are selected, axes (row, col)."""
        values = self.source.read(self.band, window)[..., 0]
        return np.asarray(~(self.rule.hides(values) | self.rule.missing(values)))


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


def masks_of(mask: str | None, dataset: Dataset) -> tuple[MaskLayer, ...]:
    """Return the masks that a user names for an open product; None: those that it carries."""
    if mask is None:
        return dataset.masks
    return (MaskLayer(Raster(mask), Zero(), title=mask),)


@contextmanager
def open_layer_mask(
    layer: MaskLayer, scene: Dataset, access: Access = DEFAULT
) -> Iterator[LayerMask]:
    """Open a mask on the grid of an open scene, by nearest neighbour where it has another.

    Raises
    ------
    RasterError
        When the file cannot be read.
    GridMismatch
        When it is on another grid, and it or the scene has no coordinate reference system.
    """
    with ExitStack() as stack:
        dataset = stack.enter_context(layer.product.open(access))
        source: Dataset | Warped = dataset
        try:
            scene.grid.require_same(dataset.grid, scene.name, dataset.name)
        except GridMismatch:
            if not (isinstance(dataset, RasterDataset) and scene.grid.crs and dataset.grid.crs):
                raise
            source = stack.enter_context(warped(dataset, scene.grid, scene.name, nearest=True))
        band = dataset.bands.keep([b for b in dataset.bands if b.index == layer.band])
        yield LayerMask(dataset, band, layer.rule, source)


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
