"""BlockFile: blocks of one level of a map, each compressed once by GDAL, in a temporary GeoTIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader, DatasetWriter

from ..pixels.tiling import Window
from .cog import BlocksOnDisk
from .gdal import compression
from .layout import Layout
from .tiff import TILE_OFFSETS, TILE_SIZES, numbers_of, read_directory

STORED = {"driver": "GTiff", "interleave": "band", "tiled": True}
PLACED = {"transform": Affine.scale(2.0)}
"""Without any, rasterio warns of files that are not georeferenced; nobody reads this one."""


def storage(layout: Layout, side: int) -> dict[str, Any]:
    """Return the options of GDAL for a file of a layout in blocks of ``side`` pixels a side."""
    differences = "3" if np.issubdtype(layout.dtype, np.floating) else "2"
    options = compression(layout.max_error)
    if layout.predictor and layout.max_error is None:
        options |= {"PREDICTOR": differences}
    return (
        STORED
        | options
        | {
            "dtype": layout.dtype,
            "count": len(layout.descriptions),
            "nodata": layout.nodata,
            "blockxsize": side,
            "blockysize": side,
            "BIGTIFF": "YES",  # `tiff` reads this kind alone
            "ENDIANNESS": "LITTLE",
        }
    )


class BlockFile:
    """A level of a map: its blocks are written, in any order, and then read."""

    def __init__(self, path: Path, shape: tuple[int, int], layout: Layout, side: int) -> None:
        """Create the file of a level of ``shape``, rows and columns."""
        self._path, self._shape = path, shape
        size = {"height": shape[0], "width": shape[1], "SPARSE_OK": "FALSE"}
        self._dataset: DatasetWriter | DatasetReader = rasterio.open(
            path, "w", **storage(layout, side), **size, **PLACED
        )

    def write(self, window: Window, first: int, values: NDArray[np.generic]) -> None:
        """Write some bands of a whole block, counted from ``first``, axes (band, row, col)."""
        numbers = list(range(first + 1, first + 1 + len(values)))
        self._dataset.write(values, indexes=numbers, window=window)

    def finish(self) -> BlocksOnDisk:
        """Write what waits in memory; from here on the file can be read.

        Raises
        ------
        OSError
            If a block is not on disk: GDAL reports no full disk when it closes a file.
        """
        self._dataset.close()
        tags, size = read_directory(self._path), self._path.stat().st_size
        offsets, sizes = numbers_of(tags[TILE_OFFSETS]), numbers_of(tags[TILE_SIZES])
        if not (offsets.all() and sizes.all()) or int((offsets + sizes).max()) > size:
            raise OSError("the file was cut short, as on a full disk")
        self._dataset = rasterio.open(self._path)
        return BlocksOnDisk(self._path, self._shape, offsets, sizes)

    def read_first(self, window: Window) -> NDArray[np.float32]:
        """Read a window of the first band of a file that is finished, axes (row, col)."""
        values: NDArray[np.float32] = self._dataset.read(1, window=window, out_dtype="float32")
        return values

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()
