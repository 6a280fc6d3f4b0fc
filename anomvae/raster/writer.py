"""MapWriter: one output raster, written window by window, each block compressed once, as a COG.

Arrays have axes (band, row, col), as in files.  A COG stores its overviews before its pixels, so it
cannot be streamed.  Windows become whole blocks (`assembly`), which GDAL compresses into a
temporary file (`block_file`) while their cells are collected (`pyramid`).  In the end the overviews
are compressed likewise, and the blocks of all levels are copied behind the directories (`cog`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from ..errors import AnomvaeError, NotWritten, RasterError
from ..files import side_car, sync
from ..pixels.tiling import Window, shape_of
from .assembly import Assembly, WholeBlock
from .block_file import BlockFile, storage
from .cog import BlocksOnDisk, lay_out
from .gdal import GDAL_ERRORS, reason, session, silence_libtiff, unwarned
from .georeference import Georeference
from .layout import Layout
from .pyramid import Pyramid, blocks_of, levels_of, shape_of_level
from .readback import require_kept
from .tiff import Directory, read_directory

BLOCK, SMALLEST_BLOCK = 512, 128
"""Side of the blocks of the file, pixels; that of a small raster is the least that holds it."""
BYTES_AT_ONCE = 16 * 2**20
"""Bands of a block are compressed together up to so many bytes."""


class MapWriter:
    """Writes one raster; a clean exit leaves a valid COG at ``path``, an error leaves nothing.

    ``path`` lies in a staging folder (see `anomvae.files.staging`).  A coordinate reference system
    that a GeoTIFF cannot hold is written to a side-car beside it.

    Raises
    ------
    NotWritten
        On entry, in `write` or on exit, when the folder is missing, read-only or full.
    RasterError
        On entry, when GDAL creates no file of this name or layout in a place that takes files, or
        when even its side-car does not keep the georeference; on exit, when the COG does not.
    """

    def __init__(self, path: str | Path, georeference: Georeference, layout: Layout) -> None:
        self._path, self._georeference, self._layout = Path(path), georeference, layout
        self._tags = dict(layout.tags)
        self._shape = georeference.grid.shape
        # A TIFF has blocks of multiples of 16 pixels.
        self._side = min(BLOCK, max(SMALLEST_BLOCK, -(-max(self._shape) // 16) * 16))
        self._finished: BlocksOnDisk | None = None

    def __enter__(self) -> MapWriter:
        """Create temporary files in the folder of the COG."""
        layout, shape, side = self._layout, self._shape, self._side
        silence_libtiff()
        try:
            with self._reporting(), unwarned():
                self._try_head()
            require_kept(self._head, self._georeference)
            with self._reporting():
                self._pyramid = Pyramid(shape, side, layout, self._path.parent)
                self._assembly = Assembly(self._part("rows"), shape, layout, side)
                self._blocks = BlockFile(self._part("0"), shape, layout, side)
        except BaseException:
            self._discard(self._path)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Create the COG; after an error, remove all files."""
        try:
            if kind is None:
                with self._reporting(), unwarned():
                    self._lay_out()
                require_kept(self._path, self._georeference)
        except BaseException:
            self._discard(self._path)
            raise
        self._discard(*(() if kind is None else (self._path,)))

    def write(self, window: Window, values: NDArray[np.generic]) -> None:
        """Write a window of all bands; each pixel is written once, none after `read_first`.

        Parameters
        ----------
        window : (rows, cols)
            Half-open slices, pixels.
        values : array, axes (band, row, col)
            Values of the type of the layout, or of one that casts to it as the same kind.

        Raises
        ------
        NotWritten
            When the disk is full.
        ValueError
            When ``values`` does not have the shape of the window.
        """
        expected = (len(self._layout.descriptions), *shape_of(window))
        if values.shape != expected:  # GDAL would stretch it
            raise ValueError(f"values has shape {values.shape}; this window takes {expected}.")
        values = values.astype(self._layout.dtype, casting="same_kind", copy=False)
        with self._reporting():
            for whole in self._assembly.add(window, values):
                self._add(whole)

    def read_first(self, window: Window) -> NDArray[np.float32]:
        """Read a window of the first band as it is stored, axes (row, col); NaN = no data.

        Raises
        ------
        NotWritten
            When the file cannot be read again.
        """
        with self._reporting():
            self._finish()
            return self._blocks.read_first(window)

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Add tags to those of the layout."""
        self._tags |= tags

    @property
    def _head(self) -> Path:
        return self._part("head")

    def _part(self, name: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{name}.tif")

    def _try_head(self) -> None:
        try:
            self._create_head()
        except GDAL_ERRORS as error:
            self._head.write_bytes(bytes(BLOCK))  # raises OSError where the place is the cause
            raise RasterError(
                f"GDAL cannot create {self._path}: {reason(error)}. Rename the scene, or choose "
                f"another folder."
            ) from error

    def _create_head(self) -> Directory:
        """Create a file with all tags of the map, and no blocks; return the tags as it has them."""
        layout, where = self._layout, self._georeference
        options = storage(layout, self._side) | where.creation()
        with rasterio.open(self._head, "w", SPARSE_OK="TRUE", **options) as head:
            head.descriptions = layout.descriptions
            head.update_tags(**self._tags, **where.tags())
            for number, tags in enumerate(layout.bands, start=1):
                head.update_tags(number, **tags.own)
                if tags.imagery:
                    head.update_tags(number, ns="IMAGERY", **tags.imagery)
            if layout.categories:
                # GDAL stores category names in a side-car file only, which is easily lost.
                names = {f"CATEGORY_{one.value}": one.name for one in layout.categories}
                head.update_tags(1, **names)
                head.write_colormap(1, {one.value: one.colour for one in layout.categories})
        return read_directory(self._head)

    def _add(self, whole: WholeBlock) -> None:
        """Compress a block, and collect its cells."""
        bands, one = (
            len(self._layout.descriptions),
            self._side**2 * np.dtype(self._layout.dtype).itemsize,
        )
        step = max(1, BYTES_AT_ONCE // one)
        for first in range(0, bands, step):
            values = whole.bands(slice(first, min(first + step, bands)))
            self._blocks.write(whole.window, first, values)
            self._pyramid.add(whole.block, first, values)

    def _finish(self) -> BlocksOnDisk:
        """Complete the blocks of the raster itself, once."""
        if self._finished is None:
            for whole in self._assembly.rest():
                self._add(whole)
            self._assembly.close()
            self._finished = self._blocks.finish()
        return self._finished

    def _lay_out(self) -> None:
        levels = [self._finish()]
        levels += [self._overview(number) for number in range(1, self._pyramid.levels + 1)]
        self._pyramid.close()  # the disk may have no room for its file and the map
        lay_out(self._path, self._create_head(), levels)
        sync(self._path)
        if side_car(self._head).exists():
            side_car(self._head).replace(side_car(self._path))

    def _overview(self, level: int) -> BlocksOnDisk:
        shape = shape_of_level(self._shape, level)
        file = BlockFile(self._part(str(level)), shape, self._layout, self._side)
        try:
            for block, window in blocks_of(shape, self._side):
                for band in range(len(self._layout.descriptions)):
                    values = self._pyramid.read(level, block, band)
                    file.write(window, band, values[np.newaxis])
            return file.finish()
        finally:
            file.close()

    def _discard(self, *results: Path) -> None:
        """Close and remove the temporary files, and some results."""
        for name in ("_assembly", "_blocks", "_pyramid"):
            if hasattr(self, name):
                with suppress(*GDAL_ERRORS, OSError), session():
                    getattr(self, name).close()
        numbers = range(levels_of(self._shape, self._side) + 1)
        for path in (*results, *map(self._part, ("head", *map(str, numbers)))):
            with suppress(OSError):  # the folder is missing
                path.unlink(missing_ok=True)
                side_car(path).unlink(missing_ok=True)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            with session():
                yield
        except AnomvaeError:
            raise
        except (*GDAL_ERRORS, OSError) as error:
            raise NotWritten(
                f"{self._path} cannot be written: {reason(error)}. Choose a folder that is "
                f"writable and has free space{_free_space(self._path.parent)}."
            ) from error


def _free_space(folder: Path) -> str:
    """Describe the free space, because GDAL does not report a full disk."""
    try:
        return f" ({shutil.disk_usage(folder).free / 1e6:.0f} MB are free there now)"
    except OSError:
        return ""
