"""MapWriter: one output raster, written window by window, then converted to a COG.

Arrays have axes (band, row, col), as in files.  A COG stores its overviews before its pixels, so it
cannot be streamed: the writer streams a plain tiled GeoTIFF and copies it once at the end.  Until
then, what is written can be read again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.shutil import copy

from ..errors import AnomvaeError, NotWritten, RasterError
from ..files import side_car, sync
from ..parallel import forked
from ..pixels.tiling import Window, shape_of
from .band_tags import BandTags
from .gdal import GDAL_ERRORS, compression, reason, session, unwarned
from .georeference import Georeference
from .readback import require_kept

BLOCK, SMALLEST_BLOCK = 512, 128
"""Side of the blocks of the file, pixels; that of a small raster is the least that holds it."""


@dataclass(frozen=True)
class Category:
    """One value of a raster of classes."""

    value: int
    """From 0 to 255."""
    name: str
    """Name for people, stored in the tag ``CATEGORY_<value>`` of the band."""
    colour: tuple[int, int, int]
    """Red, green, blue, from 0 to 255; the nodata value is transparent."""


@dataclass(frozen=True)
class Layout:
    """Content of an output raster, independent of the scene."""

    dtype: str
    """Type of the values."""
    nodata: float
    """Value of no data, and of pixels that are never written."""
    descriptions: tuple[str, ...]
    """Description of each band; their number is the number of bands."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the dataset."""
    categories: tuple[Category, ...] = ()
    """Names and colours of the values of a one-band uint8 raster."""
    overviews: str = "average"
    """GDAL's resampling of overviews: average, nearest, mode."""
    predictor: bool = True
    """Whether to store differences of neighbours: smaller for measurements, not for classes."""
    bands: tuple[BandTags, ...] = ()
    """Tags of each band; empty: none has any."""


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
        self._path = Path(path)
        self._plain = self._path.with_name(self._path.name + ".plain.tif")
        self._georeference = georeference
        self._layout = layout
        self._dataset: DatasetWriter

    def __enter__(self) -> MapWriter:
        """Create a plain GeoTIFF in the folder of the COG."""
        try:
            with self._reporting(), unwarned():
                self._create_empty()
            require_kept(self._plain, self._georeference)
            with self._reporting(), unwarned():
                self._dataset = self._create()
                self._describe()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Create the COG; after an error, remove both files."""
        if kind is not None:
            self._discard()
            return
        try:
            with self._reporting(), unwarned():
                self._dataset.close()
                _require_whole(self._plain)
                self._copy()
                _require_whole(self._path)
                sync(self._path)
            require_kept(self._path, self._georeference)
        except BaseException:
            self._discard()
            raise
        _remove(self._plain)

    def write(self, window: Window, values: NDArray[np.generic]) -> None:
        """Write a window of all bands.

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
        with self._reporting():
            self._dataset.write(
                values.astype(self._layout.dtype, casting="same_kind", copy=False), window=window
            )

    def read_first(self, window: Window) -> NDArray[np.float32]:
        """Read a window of the first band as it was written, axes (row, col); NaN = no data.

        Raises
        ------
        NotWritten
            When the file cannot be read again.
        """
        with self._reporting():
            values: NDArray[np.float32] = self._dataset.read(1, window=window, out_dtype="float32")
        return values

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Add tags to those of the layout.

        Raises
        ------
        NotWritten
            When the disk is full.
        """
        with self._reporting():
            self._dataset.update_tags(**tags)

    @property
    def _block(self) -> int:
        side = max(self._georeference.grid.shape)
        return min(BLOCK, max(SMALLEST_BLOCK, -(-side // 16) * 16))  # a TIFF has multiples of 16

    def _create(self, **options: str) -> DatasetWriter:
        return rasterio.open(
            self._plain,
            "w+",
            driver="GTiff",
            dtype=self._layout.dtype,
            count=len(self._layout.descriptions),
            nodata=self._layout.nodata,
            tiled=True,
            blockxsize=self._block,
            blockysize=self._block,
            interleave="band",  # GDAL computes overviews band by band
            BIGTIFF="IF_SAFER",
            **{"SPARSE_OK": "FALSE"} | options,
            **self._georeference.creation(),
        )

    def _create_empty(self) -> None:
        try:
            self._create(SPARSE_OK="TRUE").close()
        except GDAL_ERRORS as error:
            self._plain.write_bytes(bytes(BLOCK))  # raises OSError where the place is the cause
            raise RasterError(
                f"GDAL cannot create {self._path}: {reason(error)}. Rename the scene, or choose "
                f"another folder."
            ) from error

    def _describe(self) -> None:
        layout, dataset = self._layout, self._dataset
        dataset.descriptions = layout.descriptions
        dataset.update_tags(**layout.tags, **self._georeference.tags())
        for number, tags in enumerate(layout.bands, start=1):
            dataset.update_tags(number, **tags.own)
            if tags.imagery:
                dataset.update_tags(number, ns="IMAGERY", **tags.imagery)
        if layout.categories:
            # GDAL stores category names in a side-car file only, which is easily lost.
            names = {f"CATEGORY_{one.value}": one.name for one in layout.categories}
            dataset.update_tags(1, **names)
            dataset.write_colormap(1, {one.value: one.colour for one in layout.categories})

    def _copy(self) -> None:
        # Most of the time goes into the temporary file of GDAL's overviews.
        with rasterio.Env(COG_TMP_COMPRESSION="NONE"):
            copy(
                str(self._plain),
                str(self._path),
                driver="COG",
                BLOCKSIZE=str(self._block),
                PREDICTOR="YES" if self._layout.predictor else "NO",
                OVERVIEW_RESAMPLING=self._layout.overviews.upper(),
                BIGTIFF="IF_SAFER",
                NUM_THREADS="1" if forked() else "ALL_CPUS",
                **compression(),
            )

    def _discard(self) -> None:
        if hasattr(self, "_dataset"):
            with suppress(*GDAL_ERRORS), session():
                self._dataset.close()
        for path in (self._plain, self._path):
            with suppress(OSError):  # the folder is missing
                _remove(path)

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


def _remove(path: Path) -> None:
    for file in (path, side_car(path)):
        file.unlink(missing_ok=True)


def _require_whole(path: Path) -> None:
    """Raise OSError unless all blocks of a TIFF and its overviews are on disk.

    GDAL reports no full disk when it closes a file, or copies one in threads.
    """
    size = path.stat().st_size
    with rasterio.open(path) as dataset:
        levels = [None, *range(len(dataset.overviews(1)))]
    for level in levels:
        options = {} if level is None else {"OVERVIEW_LEVEL": level}
        with rasterio.open(path, **options) as dataset:
            if any(end is None or end > size for end in _block_ends(dataset)):
                raise OSError("the file was cut short, as on a full disk")


def _block_ends(dataset: DatasetReader) -> Iterator[int | None]:
    """Yield the end of each block of each band, bytes from the start of the file; None: absent."""
    for band, ((row, col), _) in product(dataset.indexes, dataset.block_windows(1)):
        offset, length = (
            dataset.get_tag_item(f"BLOCK_{item}_{col}_{row}", "TIFF", bidx=band)
            for item in ("OFFSET", "SIZE")
        )
        yield int(offset) + int(length) if offset and length else None


def _free_space(folder: Path) -> str:
    """Describe the free space, because GDAL does not report a full disk."""
    try:
        return f" ({shutil.disk_usage(folder).free / 1e6:.0f} MB are free there now)"
    except OSError:
        return ""
