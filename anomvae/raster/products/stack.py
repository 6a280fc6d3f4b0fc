"""Several rasters as the bands of one, as in a STAC item: a GDAL VRT that copies no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import PurePath
from xml.etree import ElementTree

from rasterio.io import DatasetReader
from rasterio.transform import array_bounds

from ...errors import GridMismatch, RasterError
from ..dataset import Dataset, open_raster
from ..gdal import absolute_uri, open_handle, session
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
class BandStack(Product):
    """Rasters of one extent whose first bands are the bands of a scene."""

    title: str
    """Name of the scene."""
    files: tuple[str, ...]
    """The rasters, one for each band; coarser ones are repeated on the grid of the finest."""
    bands: tuple[str, ...]
    """Names of the bands."""

    @property
    def name(self) -> str:
        """The title."""
        return self.title

    @property
    def stem(self) -> str:
        """The beginning of the names of its results."""
        return PurePath(self.title).name

    @property
    def paths(self) -> tuple[str, ...]:
        """The rasters."""
        return self.files

    def absolute(self) -> BandStack:
        """Return the product with absolute paths."""
        return replace(self, files=tuple(map(absolute_uri, self.files)))

    def open(self) -> AbstractContextManager[Dataset]:
        """Open the rasters as one; the context closes it.

        Raises
        ------
        RasterError
            If a raster cannot be read.
        GridMismatch
            If the rasters do not cover the same extent in one coordinate reference system.
        """
        layers = [_layer(path, name) for path, name in zip(self.files, self.bands, strict=True)]
        finest = max(layers, key=lambda layer: layer.shape)
        for layer in layers:
            _require_same_extent(layer, finest)
        vrt = ElementTree.tostring(_document(layers, finest), encoding="unicode")
        return open_raster(vrt, name=self.title)


@dataclass(frozen=True)
class _Layer:
    """A raster whose first band becomes a band of the stack."""

    name: str
    path: str
    shape: tuple[int, int]
    bounds: tuple[float, ...]
    transform: tuple[float, ...]
    crs: str
    dtype: str
    nodata: float | None
    scale: float
    offset: float


def _layer(path: str, name: str) -> _Layer:
    dataset = open_handle(path)
    with dataset, session():
        if dataset.count < 1 or dataset.dtypes[0] not in TYPES:
            raise RasterError(f"{path} has no band of real numbers. Choose another asset.")
        return _Layer(
            name=name,
            path=_gdal_name(dataset, path),
            shape=dataset.shape,
            bounds=array_bounds(*dataset.shape, dataset.transform),
            transform=dataset.transform.to_gdal(),
            crs="" if dataset.crs is None else dataset.crs.to_wkt(),
            dtype=dataset.dtypes[0],
            nodata=dataset.nodata,
            scale=dataset.scales[0],
            offset=dataset.offsets[0],
        )


def _gdal_name(dataset: DatasetReader, path: str) -> str:
    """Return the name by which GDAL opens a raster: a URL becomes ``/vsicurl/...``."""
    return dataset.files[0] if dataset.files else path


def _require_same_extent(layer: _Layer, finest: _Layer) -> None:
    pixel = max(abs(size) for size in (finest.transform[1], finest.transform[5]))
    distance = max(abs(a - b) for a, b in zip(layer.bounds, finest.bounds, strict=True))
    if layer.crs != finest.crs or distance > pixel / 2:
        raise GridMismatch(
            f"{layer.name!r} and {finest.name!r} do not cover the same ground: extents "
            f"{layer.bounds} and {finest.bounds}. Choose assets of one scene in one projection."
        )


def _document(layers: Sequence[_Layer], finest: _Layer) -> ElementTree.Element:
    rows, cols = finest.shape
    root = ElementTree.Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    if finest.crs:
        _add(root, "SRS", finest.crs)
    _add(root, "GeoTransform", ", ".join(map(repr, finest.transform)))
    for number, layer in enumerate(layers, start=1):
        band = ElementTree.SubElement(
            root, "VRTRasterBand", dataType=TYPES[layer.dtype], band=str(number)
        )
        _add(band, "Description", layer.name)
        if layer.nodata is not None:
            _add(band, "NoDataValue", repr(layer.nodata))
        _add(band, "Scale", repr(layer.scale))
        _add(band, "Offset", repr(layer.offset))
        source = ElementTree.SubElement(band, "SimpleSource", resampling="nearest")
        _add(source, "SourceFilename", layer.path).set("relativeToVRT", "0")
        _add(source, "SourceBand", "1")
        _rectangle(source, "SrcRect", layer.shape)
        _rectangle(source, "DstRect", finest.shape)
    return root


def _add(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = text
    return child


def _rectangle(parent: ElementTree.Element, tag: str, shape: tuple[int, int]) -> None:
    rows, cols = shape
    ElementTree.SubElement(parent, tag, xOff="0", yOff="0", xSize=str(cols), ySize=str(rows))
