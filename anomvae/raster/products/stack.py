"""Several rasters as the bands of one, as in a STAC item: a GDAL VRT that copies no pixels.

Where the rasters have several grids, the finest is used, or that of a chosen resolution: coarser
pixels are repeated by nearest neighbour, finer ones become their mean (`stack_dataset`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from rasterio.io import DatasetReader
from rasterio.transform import array_bounds

from ...addresses import displayed
from ...errors import ConfigError, GridMismatch, RasterError, listed
from ..access import DEFAULT, Access
from ..crs import text_of
from ..dataset import Dataset, describing
from ..gdal import absolute_uri
from ..opening import open_handle
from ..raster_dataset import RasterDataset, open_raster
from ..stack_dataset import StackPart, stacked
from .product import Product

ROUNDING = 1e-6
"""Relative; sides of pixels are stored as text, or computed."""
TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


@dataclass(frozen=True)
class StackBand:
    """A band of a stack: where it is stored, and what it means if the file does not state it."""

    name: str
    """Name of the band."""
    path: str
    """The raster, as GDAL opens it."""
    number: int = 1
    """Number of the band in it, from 1."""
    wavelength: float | None = None
    """Centre, nm; None: as the file states."""
    fwhm: float | None = None
    """Full width at half maximum, nm; None: unknown."""
    scale: float | None = None
    """Physical value = stored value * scale + offset; None: as the file states."""
    offset: float | None = None
    """See ``scale``."""
    nodata: float | None = None
    """Stored value of pixels without data; None: as the file states."""
    bad: str = ""
    """Why it is bad; empty: it is good."""


@dataclass(frozen=True)
class BandStack(Product):
    """Rasters of one extent, each with a band of a scene."""

    bands: tuple[StackBand, ...]
    """The bands."""
    resolution: float | None = None
    """Side of a pixel of the grid to use, in units of the coordinate reference system; None: the
    finest."""

    def at(self, resolution: float) -> BandStack:
        """Return the stack with pixels of a side."""
        return replace(self, resolution=resolution)

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables."""
        return PurePath(self.name).name

    @property
    def paths(self) -> tuple[str, ...]:
        """The rasters."""
        return tuple(dict.fromkeys(band.path for band in self.bands))

    def absolute(self) -> BandStack:
        """Return the product with absolute paths."""
        return replace(
            self, bands=tuple(replace(band, path=absolute_uri(band.path)) for band in self.bands)
        )

    def open(self, access: Access = DEFAULT) -> AbstractContextManager[Dataset]:
        """Open the rasters as one; the context closes it."""
        return open_stack(self.name, self.bands, access, resolution=self.resolution)


@contextmanager
def open_stack(
    name: str,
    bands: Sequence[StackBand],
    access: Access = DEFAULT,
    *,
    resolution: float | None = None,
) -> Iterator[Dataset]:
    """Open bands of several rasters as one raster called ``name``; the context closes it.

    Parameters
    ----------
    name : str
        What messages call it.
    bands : sequence of StackBand
        The bands, in order.
    access : Access, optional
        Drivers and limits of every file that is opened.
    resolution : float, optional
        Side of a pixel of the grid to use, in units of the coordinate reference system; by default
        that of the finest raster.

    Raises
    ------
    RasterError
        When a raster cannot be read.
    ConfigError
        When no raster has the ``resolution``.
    GridMismatch
        When the rasters do not cover the same extent in one coordinate reference system, or finer
        pixels do not divide those of the grid.
    """
    with describing(name), ExitStack() as files:
        layers = [
            _Layer(number, band, files.enter_context(open_handle(band.path, access=access)))
            for number, band in enumerate(bands, start=1)
        ]
        target = _target(name, layers, resolution)
        groups: dict[int, list[_Layer]] = {1: []}
        for layer in layers:
            _require_fit(layer, target)
            groups.setdefault(_factor(layer, target), []).append(layer)
        documents = [
            _document(group, group[0] if factor > 1 else target) for factor, group in groups.items()
        ]
    with ExitStack() as opened:
        parts = tuple(
            StackPart(
                _described(opened.enter_context(open_raster(vrt, name=name, access=access)), group),
                tuple(layer.number for layer in group),
                factor,
            )
            for vrt, (factor, group) in zip(documents, groups.items(), strict=True)
        )
        yield parts[0].dataset if len(parts) == 1 else stacked(name, parts)


class _Layer(NamedTuple):
    """An open raster of which a band becomes a band of the stack."""

    number: int
    """Number of the band in the stack, from 1."""
    band: StackBand
    raster: DatasetReader

    @property
    def kind(self) -> str:
        """Type of its numbers; empty where it has no such band."""
        number, dtypes = self.band.number, self.raster.dtypes
        return dtypes[number - 1] if 1 <= number <= len(dtypes) else ""

    @property
    def nodata(self) -> float | None:
        """Stored value of pixels without data."""
        found: float | None = self.raster.nodatavals[self.band.number - 1]
        return found if self.band.nodata is None else self.band.nodata

    @property
    def pixel(self) -> float:
        """Side of a pixel, in units of the coordinate reference system."""
        return float(max(abs(self.raster.transform.a), abs(self.raster.transform.e)))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top."""
        left, bottom, right, top = array_bounds(*self.raster.shape, self.raster.transform)
        return left, bottom, right, top


def _target(name: str, layers: Sequence[_Layer], resolution: float | None) -> _Layer:
    """Return the layer whose grid the stack has."""
    if resolution is None:
        return max(layers, key=lambda layer: layer.raster.shape)
    for layer in layers:
        if math.isclose(layer.pixel, resolution, rel_tol=ROUNDING):
            return layer
    sides = sorted({layer.pixel for layer in layers})
    raise ConfigError(
        f"{displayed(name)} has no raster with pixels of {resolution:g}, but of "
        f"{listed([f'{side:g}' for side in sides])}. Choose one of these by --resolution."
    )


def _factor(layer: _Layer, target: _Layer) -> int:
    """Count the pixels of a layer along a pixel of the target; 1 for a coarser one."""
    ratio = target.pixel / layer.pixel
    if ratio < 1 + ROUNDING:
        return 1
    if not math.isclose(ratio, round(ratio), rel_tol=ROUNDING):
        raise GridMismatch(
            f"Pixels of {layer.band.name!r} ({layer.pixel:g}) do not divide those of "
            f"{target.band.name!r} ({target.pixel:g}). Choose another --resolution, or other bands."
        )
    return round(ratio)


def _require_fit(layer: _Layer, target: _Layer) -> None:
    if layer.kind not in TYPES:
        raise RasterError(
            f"{displayed(layer.band.path)} has no band of real numbers (band "
            f"{layer.band.number}). Choose another file or asset."
        )
    here, there = layer.bounds, target.bounds
    tolerance = min(layer.pixel, target.pixel) / 2
    left, bottom, right, top = (abs(a - b) for a, b in zip(here, there, strict=True))
    # Coarse pixels may end beyond the ground that finer ones cover, or before its end.
    uneven = max(layer.pixel, target.pixel) if layer.nodata is not None else 2 * tolerance
    fits = max(left, top) <= tolerance and max(right, bottom) <= uneven - tolerance
    if text_of(layer.raster.crs) != text_of(target.raster.crs) or not fits:
        raise GridMismatch(
            f"{layer.band.name!r} and {target.band.name!r} do not cover the same ground: extents "
            f"{here} and {there}. Choose assets of one scene in one projection."
        )


def _described(dataset: RasterDataset, layers: Sequence[_Layer]) -> RasterDataset:
    """Describe the bands as the product does where it knows more than its files."""
    described = [
        replace(
            found,
            wavelength=found.wavelength if band.wavelength is None else band.wavelength,
            fwhm=found.fwhm if band.fwhm is None else band.fwhm,
            bad=band.bad or found.bad,
        )
        for found, (_, band, _) in zip(dataset.bands, layers, strict=True)
    ]
    return replace(dataset, bands=replace(dataset.bands.keep(described), named=True))


def _document(layers: Sequence[_Layer], target: _Layer) -> str:
    finest = target.raster
    rows, cols = finest.shape
    root = Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    if finest.crs:
        _add(root, "SRS", text_of(finest.crs))
    _add(root, "GeoTransform", ", ".join(map(repr, finest.transform.to_gdal())))
    # Of the size of those of the file, so that each is decompressed once.
    height, width = finest.block_shapes[target.band.number - 1]
    blocks = {"blockXSize": str(width), "blockYSize": str(height)}
    for number, layer in enumerate(layers, start=1):
        stack, raster, at = layer.band, layer.raster, layer.band.number - 1
        band = _add(root, "VRTRasterBand", dataType=TYPES[layer.kind], band=str(number), **blocks)
        _add(band, "Description", stack.name)
        if layer.nodata is not None:
            _add(band, "NoDataValue", repr(layer.nodata))
        _add(band, "Scale", repr(raster.scales[at] if stack.scale is None else stack.scale))
        _add(band, "Offset", repr(raster.offsets[at] if stack.offset is None else stack.offset))
        source = _add(band, "SimpleSource", resampling="nearest")
        # By the name of GDAL: a URL becomes ``/vsicurl/...``.
        file = raster.files[0] if raster.files else stack.path
        _add(source, "SourceFilename", file, relativeToVRT="0")
        _add(source, "SourceBand", str(stack.number))
        ratio = layer.pixel / target.pixel
        covered = [round(side * ratio) for side in raster.shape]
        for tag, (height, width) in {"SrcRect": raster.shape, "DstRect": covered}.items():
            _add(source, tag, xOff="0", yOff="0", xSize=str(width), ySize=str(height))
    return tostring(root, encoding="unicode")


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = SubElement(parent, tag, attributes)
    child.text = text
    return child
