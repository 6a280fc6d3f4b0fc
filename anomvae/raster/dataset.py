"""An open raster and its values as float32, NaN where a value is no data.

Arrays have axes (row, col, band).  Everything that reads pixels, scenes, masks, labels and maps,
reads them here, so one rule of validity holds for all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from ..errors import RasterError, listed
from ..files import FileIdentity, PathText, identify
from ..pixels.bands import Bands
from ..pixels.grid import Grid
from ..pixels.tiling import Window, whole
from .description import bands_of, data_indexes
from .gdal import open_handle, reads_remotely, reporting, session
from .georeference import grid_of
from .validity import Validity, hide_masked, validity_of
from .values import read_values

log = logging.getLogger(__name__)

PAUSES = (0.5, 2.0)
"""Seconds to wait before a window of a remote raster is read again."""
DAMAGED = "The file seems damaged or cut short: fetch or copy it again."
UNREACHABLE = "The server or the network fails, or the file is damaged: try again later."


@dataclass(frozen=True)
class Dataset:
    """An open raster."""

    name: str
    """What the user named; messages use it."""
    path: str
    """What GDAL opens."""
    handle: DatasetReader
    """rasterio's own."""
    grid: Grid
    """Shape, transform and coordinate reference system."""
    bands: Bands
    """All data bands."""
    validity: Validity
    """The file's masks."""
    remote: bool
    """Whether it, or what a VRT is made of, lies on a server."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the first band is stored."""
        rows, cols = self.handle.block_shapes[self.bands.items[0].index - 1]
        return rows, cols

    @property
    def types(self) -> tuple[str, ...]:
        """Types in which the data bands are stored, each once."""
        return tuple(sorted({self.handle.dtypes[index - 1] for index in self.bands.indexes}))

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """The state of every file that the pixels come from."""
        with session():
            files = self.handle.files or [self.path]
        # What viewers leave beside a raster (statistics, overviews) does not change its pixels.
        return tuple(identify(file) for file in files if not file.endswith((".aux.xml", ".ovr")))

    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read some bands of a window, axes (row, col, band); NaN = no data.

        Raises
        ------
        RasterError
            If the file is damaged there.
        """
        if not self.remote:
            return self._read(bands, window, DAMAGED)
        try:
            return self._read(bands, window, UNREACHABLE)
        except RasterError as error:
            return self._read_again(bands, window, error)

    def _read_again(self, bands: Bands, window: Window, error: RasterError) -> NDArray[np.float32]:
        """Read from a remote raster that is opened anew.

        GDAL asks again where a server is busy, but not where a connection breaks off.
        """
        for pause in PAUSES:
            log.info("%s; trying again in %g s", error, pause)
            time.sleep(pause)
            try:
                with open_raster(self.path, name=self.name):
                    pass  # GDAL forgets what it holds of a file when that is closed
                with open_raster(self.path, name=self.name) as reopened:
                    return reopened._read(bands, window, UNREACHABLE)
            except RasterError as another:
                error = another
        raise error

    def _read(self, bands: Bands, window: Window, advice: str) -> NDArray[np.float32]:
        rows = window[0]
        problem = f"{self.name} cannot be read at rows {rows.start} to {rows.stop - 1}"
        with reporting(problem, advice, remote=self.remote):
            block = read_values(self.handle, bands, window)
            hide_masked(block, self.handle, validity=self.validity, bands=bands, window=window)
        return block

    def first(self) -> Bands:
        """Use only the first data band, as for masks and labels."""
        return self.bands.keep([self.bands.items[0]])

    def read_first(self) -> NDArray[np.float32]:
        """Read the first data band whole, axes (row, col); NaN = no data."""
        return self.read(self.first(), whole(self.grid.shape))[..., 0]


@contextmanager
def open_raster(path: PathText, *, name: str | None = None) -> Iterator[Dataset]:
    """Open a raster of real numbers for reading, closed in the end.

    Parameters
    ----------
    path : path
        What GDAL opens.
    name : str, optional
        What messages call it, by default its path.

    Raises
    ------
    RasterError
        If it does not exist, is no raster, or has no band of real numbers.
    """
    shown = str(path) if name is None else name
    handle = open_handle(str(path), shown)
    try:
        yield _described(shown, str(path), handle)
    finally:
        handle.close()


def _described(name: str, path: str, handle: DatasetReader) -> Dataset:
    with reporting(
        f"{name} cannot be described", "The file seems damaged: fetch or copy it again."
    ):
        _require_real_bands(name, handle)
        bands = bands_of(handle)
        return Dataset(
            name=name,
            path=path,
            handle=handle,
            grid=grid_of(handle),
            bands=bands,
            validity=validity_of(handle, bands),
            remote=reads_remotely(handle),
        )


def _require_real_bands(name: str, handle: DatasetReader) -> None:
    indexes = data_indexes(handle)
    if not handle.count and handle.subdatasets:
        raise RasterError(
            f"{name} is a container of {len(handle.subdatasets)} rasters, not one raster. "
            f"Give one of them: {listed(handle.subdatasets, 4)}."
        )
    if not indexes:
        kind = "only an alpha band" if handle.count else "no bands"
        raise RasterError(f"{name} has {kind}. Give a raster with at least one data band.")
    types = sorted({handle.dtypes[index - 1] for index in indexes})
    if any(dtype.startswith("complex") for dtype in types):
        raise RasterError(
            f"{name} holds complex numbers ({', '.join(types)}), but bands must hold real ones. "
            f"Convert it to amplitude or intensity first (gdal_calc.py)."
        )
