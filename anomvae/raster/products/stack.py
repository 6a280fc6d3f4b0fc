"""Several rasters as the bands of one, as in a STAC item: a GDAL VRT that copies no pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from rasterio.io import DatasetReader
from rasterio.transform import array_bounds

from ...addresses import displayed
from ...errors import GridMismatch, RasterError
from ..access import DEFAULT, Access
from ..crs import text_of
from ..dataset import describing
from ..gdal import absolute_uri
from ..opening import open_handle
from ..raster_dataset import RasterDataset, open_raster
from .product import Product

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
    """The bands; coarser ones are repeated on the grid of the finest."""

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

    def open(self, access: Access = DEFAULT) -> AbstractContextManager[RasterDataset]:
        """Open the rasters as one; the context closes it."""
        return open_stack(self.name, self.bands, access)


@contextmanager
def open_stack(
    name: str, bands: Sequence[StackBand], access: Access = DEFAULT
) -> Iterator[RasterDataset]:
    """Open bands of several rasters as one raster called ``name``; the context closes it.

    Raises
    ------
    RasterError
        When a raster cannot be read.
    GridMismatch
        When the rasters do not cover the same extent in one coordinate reference system.
    """
    with describing(name), ExitStack() as files:
        layers = [
            _Layer(band, files.enter_context(open_handle(band.path, access=access)))
            for band in bands
        ]
        finest = max(layers, key=lambda layer: layer.raster.shape)
        for layer in layers:
            _require_fit(layer, finest)
        vrt = _document(layers, finest.raster)
    with open_raster(vrt, name=name, access=access) as dataset:
        described = [
            replace(
                found,
                wavelength=found.wavelength if band.wavelength is None else band.wavelength,
                fwhm=found.fwhm if band.fwhm is None else band.fwhm,
                bad=band.bad or found.bad,
            )
            for found, band in zip(dataset.bands, bands, strict=True)
        ]
        yield replace(dataset, bands=replace(dataset.bands.keep(described), named=True))


class _Layer(NamedTuple):
    """An open raster whose first band becomes a band of the stack."""

    band: StackBand
    raster: DatasetReader

    @property
    def kind(self) -> str:
        """Type of its numbers; empty where it has no such band."""
        number, dtypes = self.band.number, self.raster.dtypes
        return dtypes[number - 1] if 1 <= number <= len(dtypes) else ""


def _require_fit(layer: _Layer, finest: _Layer) -> None:
    if layer.kind not in TYPES:
        raise RasterError(
            f"{displayed(layer.band.path)} has no band of real numbers (band "
            f"{layer.band.number}). Choose another file or asset."
        )
    here, there = (array_bounds(*one.raster.shape, one.raster.transform) for one in (layer, finest))
    pixel = max(abs(finest.raster.transform.a), abs(finest.raster.transform.e))
    distance = max(abs(a - b) for a, b in zip(here, there, strict=True))
    if text_of(layer.raster.crs) != text_of(finest.raster.crs) or distance > pixel / 2:
        raise GridMismatch(
            f"{layer.band.name!r} and {finest.band.name!r} do not cover the same ground: extents "
            f"{here} and {there}. Choose assets of one scene in one projection."
        )


def _document(layers: Sequence[_Layer], finest: DatasetReader) -> str:
    rows, cols = finest.shape
    root = Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    if finest.crs:
        _add(root, "SRS", text_of(finest.crs))
    _add(root, "GeoTransform", ", ".join(map(repr, finest.transform.to_gdal())))
    for number, layer in enumerate(layers, start=1):
        stack, raster, at = layer.band, layer.raster, layer.band.number - 1
        band = _add(root, "VRTRasterBand", dataType=TYPES[layer.kind], band=str(number))
        _add(band, "Description", stack.name)
        nodata = raster.nodatavals[at] if stack.nodata is None else stack.nodata
        if nodata is not None:
            _add(band, "NoDataValue", repr(nodata))
        _add(band, "Scale", repr(raster.scales[at] if stack.scale is None else stack.scale))
        _add(band, "Offset", repr(raster.offsets[at] if stack.offset is None else stack.offset))
        source = _add(band, "SimpleSource", resampling="nearest")
        # By the name of GDAL: a URL becomes ``/vsicurl/...``.
        file = raster.files[0] if raster.files else stack.path
        _add(source, "SourceFilename", file, relativeToVRT="0")
        _add(source, "SourceBand", str(stack.number))
        for tag, (height, width) in {"SrcRect": raster.shape, "DstRect": finest.shape}.items():
            _add(source, tag, xOff="0", yOff="0", xSize=str(width), ySize=str(height))
    return tostring(root, encoding="unicode")


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = SubElement(parent, tag, attributes)
    child.text = text
    return child
