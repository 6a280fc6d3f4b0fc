"""A raster that GDAL opens, as a dataset; axes (row, col, band).

Scenes, masks, covariates, labels and maps of GDAL are all read here, so one rule of validity holds
for all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Interleaving
from rasterio.io import DatasetReader

from ..addresses import displayed
from ..errors import RasterError, is_lack_of_memory, listed
from ..files import PathText, as_path
from ..pixels.bands import Bands
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import Window
from .access import DEFAULT, VRT, Access
from .alpha import AlphaBands, alpha_bands
from .dataset import Dataset, describing
from .decisions import log_decisions
from .description import describe
from .gdal import reads_remotely, reporting
from .georeference import Georeference, georeference_of, grid_of
from .losses import DAMAGED, UNREACHABLE, require_whole_pixels
from .opening import open_handle
from .sources import files_of
from .validity import Validity, hide_masked, validity_of
from .values import read_numbers, read_values

log = logging.getLogger(__name__)

Result = TypeVar("Result")

PAUSES = (0.5, 2.0)
"""Seconds to wait before each further attempt to read a window of a remote raster."""

SWAPPING = ("netCDF", "HDF5", "HDF5Image", "HDF4", "HDF4Image", "Zarr")
"""Drivers that take the last two axes of any cube for rows and columns."""


@dataclass(frozen=True)
class RasterDataset(Dataset):
    """An open raster of GDAL."""

    handle: DatasetReader
    """The dataset of rasterio."""
    validity: Validity
    """The masks of the file."""
    remote: bool
    """Whether it, or any source of a VRT, lies on a server."""
    reopen: Callable[[], AbstractContextManager[RasterDataset]]
    """Opens it once more."""

    @property
    def georeference(self) -> Georeference:
        """What locates the pixels."""
        return georeference_of(self.handle)

    @property
    def sources(self) -> list[str]:
        """Every file that the raster is read from."""
        return files_of(self.handle)

    @property
    def header(self) -> tuple[object, ...]:
        """The masks of the file."""
        return (self.validity,)

    @property
    def hides(self) -> tuple[str, ...]:
        """A description of each mask of the file."""
        return tuple(self.validity.masks)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the file."""
        with self.describing():
            return dict(self.handle.tags())

    def log_decisions(self) -> None:
        """Log how the file is read."""
        log_decisions(self.name, self.handle, self.validity)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the first band is stored."""
        rows, cols = self.handle.block_shapes[self.bands.items[0].index - 1]
        return rows, cols

    @property
    def block_bytes(self) -> int:
        """Bytes of one row of blocks of all data bands, as they are stored but decompressed."""
        rows, cols = self.block_shape
        width = -(-self.grid.shape[1] // cols) * cols
        types = [np.dtype(self.handle.dtypes[index - 1]) for index in self.bands.indexes]
        return int(min(rows, self.grid.shape[0]) * width * sum(kind.itemsize for kind in types))

    @property
    def keeps_block(self) -> bool:
        """Whether GDAL keeps a row of blocks decompressed, whatever the size of its cache."""
        whole = self.block_shape[1] >= self.grid.shape[1]
        return whole and self.handle.interleaving is Interleaving.pixel

    def splits_blocks(self, size: tuple[int, int]) -> bool:
        """Whether windows of ``size``, side by side, hold parts of blocks; those of a VRT may."""
        sides = zip(size, self.block_shape, self.grid.shape, strict=True)
        whole = all(side % block == 0 or side >= length for side, block, length in sides)
        return self.handle.driver == VRT or not whole

    @property
    def types(self) -> tuple[str, ...]:
        """Types in which the data bands are stored, each once."""
        dtypes = self.handle.dtypes
        return tuple(sorted({dtypes[index - 1] for index in self.bands.indexes}))

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of a window, axes (row, col, band); NaN = no data.

        Raises
        ------
        RasterError
            When the file is damaged there.
        """

        def values(dataset: RasterDataset) -> NDArray[np.float32]:
            block = read_values(dataset.handle, bands, window, dataset.nodata)
            validity = dataset.validity
            hide_masked(block, dataset.handle, validity=validity, bands=bands, window=window)
            return block

        return self._tried(values, window)

    def read_numbers(self, bands: Bands, window: Window) -> StoredBlock | None:
        """Read bands of a window as numbers of the file; None where it has masks, or others."""
        if self.validity.masks:
            return None
        return self._tried(
            lambda dataset: read_numbers(dataset.handle, bands, window, dataset.nodata), window
        )

    def _tried(self, read: Callable[[RasterDataset], Result], window: Window) -> Result:
        """Read a window, of a remote raster several times if that fails."""
        attempt = self._read
        # GDAL retries when a server is busy, but not when a connection breaks.
        for pause in PAUSES if self.remote else ():
            try:
                return attempt(read, window)
            except RasterError as error:
                log.info("%s; trying again in %g s", error, pause)
            time.sleep(pause)
            attempt = self._read_reopened
        return attempt(read, window)

    def _read_reopened(self, read: Callable[[RasterDataset], Result], window: Window) -> Result:
        with self.reopen():
            pass  # closing a file makes GDAL forget its cached parts
        with self.reopen() as reopened:
            return replace(reopened, nodata=self.nodata)._read(read, window)

    def _read(self, read: Callable[[RasterDataset], Result], window: Window) -> Result:
        rows, advice = window[0], UNREACHABLE if self.remote else DAMAGED
        problem = f"{self.name} cannot be read at rows {rows.start} to {rows.stop - 1}"
        with reporting(problem, advice, remote=self.remote):
            try:
                return read(self)
            except (MemoryError, ValueError) as error:
                if not is_lack_of_memory(error):
                    raise
                raise RasterError(
                    f"{problem}: the pixels do not fit in memory. Read fewer at a time (--tile), "
                    f"or fewer bands (--bands), or use a machine with more memory."
                ) from error


@contextmanager
def open_raster(
    path: PathText, *, name: str | None = None, access: Access = DEFAULT
) -> Iterator[RasterDataset]:
    """Open a raster of real numbers, by any driver that is allowed; the context closes it.

    Messages call it ``name``, by default its displayed path.

    Raises
    ------
    RasterError
        When it does not exist, is no raster of an allowed format, exceeds a limit, or has no band
        of real numbers.
    """
    path = as_path(path)
    title = displayed(path if name is None else name)
    with closing(open_handle(path, title, access)) as handle:
        with describing(title):
            require_whole_pixels(handle, title)
            alpha = alpha_bands(handle)
            _require_real_bands(title, handle, alpha)
            described = describe(handle, title, alpha.masks)
            dataset = RasterDataset(
                name=title,
                handle=handle,
                grid=grid_of(handle),
                bands=described.bands,
                facts=described.facts,
                validity=validity_of(handle, described.bands, alpha),
                remote=reads_remotely(handle),
                reopen=partial(open_raster, path, name=title, access=access),
            )
        yield dataset


def _require_real_bands(name: str, handle: DatasetReader, alpha: AlphaBands) -> None:
    indexes = [index for index in handle.indexes if index not in alpha.masks]
    if not handle.count and handle.subdatasets:
        raise RasterError(
            f"{name} is a container of {len(handle.subdatasets)} rasters, not one raster. "
            f"Give one of them: {listed(handle.subdatasets, 4)}."
        )
    if handle.driver in SWAPPING and len(indexes) > 1:
        raise RasterError(
            f"{name} is a cube of {handle.driver}, whose driver reports neither the order of axes "
            f"nor wavelengths. Name a local file as .nc or .h5, or a local folder as .zarr, "
            f"which is read without it."
        )
    if not indexes:
        kind = "only an alpha band" if handle.count else "no bands"
        raise RasterError(f"{name} has {kind}. Give a raster with at least one data band.")
    dtypes = handle.dtypes  # made anew at each call
    types = sorted({dtypes[index - 1] for index in indexes})
    if any(dtype.startswith("complex") for dtype in types):
        raise RasterError(
            f"{name} holds complex numbers ({', '.join(types)}), but bands must hold real ones. "
            f"Convert it to amplitude or intensity first (gdal_calc.py)."
        )
