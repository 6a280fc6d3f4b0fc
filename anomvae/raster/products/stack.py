"""Several rasters as the bands of one, as in a STAC item: a GDAL VRT that copies no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from rasterio.io import DatasetReader
from rasterio.transform import array_bounds

from ...errors import GridMismatch, RasterError
from ..access import DEFAULT, Access
from ..crs import text_of
from ..dataset import Dataset, describing, open_raster
from ..gdal import absolute_uri
from ..opening import open_handle
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

    files: tuple[str, ...]
    """The rasters, one for each band; coarser ones are repeated on the grid of the finest."""
    bands: tuple[str, ...]
    """Names of the bands."""

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables."""
        return PurePath(self.name).name

    @property
    def paths(self) -> tuple[str, ...]:
        """The rasters."""
        return self.files

    def absolute(self) -> BandStack:
        """Return the product with absolute paths."""
        return replace(self, files=tuple(map(absolute_uri, self.files)))

    def open(self, access: Access = DEFAULT) -> AbstractContextManager[Dataset]:
        """Open the rasters as one; the context closes it.

        Raises
        ------
        RasterError
            When a raster cannot be read.
        GridMismatch
            When the rasters do not cover the same extent in one coordinate reference system.
        """
        with describing(self.name), ExitStack() as files:
            layers = [
                _Layer(name, path, files.enter_context(open_handle(path, access=access)))
                for path, name in zip(self.files, self.bands, strict=True)
            ]
            finest = max(layers, key=lambda layer: layer.raster.shape)
            for layer in layers:
                _require_fit(layer, finest)
            vrt = _document(layers, finest.raster)
        return open_raster(vrt, name=self.name, access=access)


class _Layer(NamedTuple):
    """An open raster whose first band becomes a band of the stack."""

    name: str
    path: str
    raster: DatasetReader


def _require_fit(layer: _Layer, finest: _Layer) -> None:
    if layer.raster.count < 1 or layer.raster.dtypes[0] not in TYPES:
        raise RasterError(f"{layer.path} has no band of real numbers. Choose another asset.")
    here, there = (array_bounds(*one.raster.shape, one.raster.transform) for one in (layer, finest))
    pixel = max(abs(finest.raster.transform.a), abs(finest.raster.transform.e))
    distance = max(abs(a - b) for a, b in zip(here, there, strict=True))
    if text_of(layer.raster.crs) != text_of(finest.raster.crs) or distance > pixel / 2:
        raise GridMismatch(
            f"{layer.name!r} and {finest.name!r} do not cover the same ground: extents "
            f"{here} and {there}. Choose assets of one scene in one projection."
        )


def _document(layers: Sequence[_Layer], finest: DatasetReader) -> str:
    rows, cols = finest.shape
    root = Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    if finest.crs:
        _add(root, "SRS", text_of(finest.crs))
    _add(root, "GeoTransform", ", ".join(map(repr, finest.transform.to_gdal())))
    for number, (name, path, raster) in enumerate(layers, start=1):
        kind = TYPES[raster.dtypes[0]]
        band = _add(root, "VRTRasterBand", dataType=kind, band=str(number))
        _add(band, "Description", name)
        if raster.nodata is not None:
            _add(band, "NoDataValue", repr(raster.nodata))
        _add(band, "Scale", repr(raster.scales[0]))
        _add(band, "Offset", repr(raster.offsets[0]))
        source = _add(band, "SimpleSource", resampling="nearest")
        # By the name of GDAL: a URL becomes ``/vsicurl/...``.
        file = raster.files[0] if raster.files else path
        _add(source, "SourceFilename", file, relativeToVRT="0")
        _add(source, "SourceBand", "1")
        for tag, (height, width) in {"SrcRect": raster.shape, "DstRect": finest.shape}.items():
            _add(source, tag, xOff="0", yOff="0", xSize=str(width), ySize=str(height))
    return tostring(root, encoding="unicode")


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = SubElement(parent, tag, attributes)
    child.text = text
    return child
