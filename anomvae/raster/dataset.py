"""An open raster and its values as float32, NaN where a value is no data.

Arrays have axes (row, col, band).  Everything that reads pixels, scenes, masks, labels and maps,
reads them here, so one rule of validity holds for all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from ..errors import RasterError
from ..pixels.bands import Bands
from ..pixels.grid import Grid
from .description import bands_of, data_indexes
from .gdal import open_dataset, reads_remotely, reporting
from .georeference import grid_of
from .part import Part, whole
from .validity import Validity, hide_masked, validity_of
from .values import read_values

log = logging.getLogger(__name__)

PAUSES = (0.5, 2.0)
"""Seconds to wait before a part of a remote raster is read again."""
DAMAGED = "The file seems damaged or cut short: fetch or copy it again."
UNREACHABLE = "The server or the network fails, or the file is damaged: try again later."


@dataclass(frozen=True)
class Dataset:
    """An open raster."""

    name: str
    """The path or URI as it was given."""
    dataset: DatasetReader
    """rasterio's own."""
    grid: Grid
    """Shape, transform and coordinate reference system."""
    bands: Bands
    """All data bands."""
    validity: Validity
    """The file's masks."""
    options: Mapping[str, int]
    """GDAL's opening options."""
    remote: bool
    """Whether it, or what a VRT is made of, lies on a server."""

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the first band is stored."""
        rows, cols = self.dataset.block_shapes[self.bands.items[0].index - 1]
        return rows, cols

    def read(self, bands: Bands, part: Part) -> NDArray[np.float32]:
        """Read some bands of a part of the raster, axes (row, col, band); NaN = no data.

        Raises
        ------
        RasterError
            If the file is damaged there.
        """
        if not self.remote:
            return self._read(bands, part, DAMAGED)
        try:
            return self._read(bands, part, UNREACHABLE)
        except RasterError as error:
            return self._read_again(bands, part, error)

    def _read_again(self, bands: Bands, part: Part, error: RasterError) -> NDArray[np.float32]:
        """Read from a remote raster that is opened anew.

        GDAL asks again where a server is busy, but not where a connection breaks off.
        """
        for pause in PAUSES:
            log.info("%s; trying again in %g s", error, pause)
            time.sleep(pause)
            try:
                with opened(self.name):
                    pass  # GDAL forgets what it holds of a file when that is closed
                with opened(self.name, **self.options) as fresh:
                    return fresh._read(bands, part, UNREACHABLE)
            except RasterError as again:
                error = again
        raise error

    def _read(self, bands: Bands, part: Part, advice: str) -> NDArray[np.float32]:
        found = f"{self.name} cannot be read at {part}"
        with reporting(found, advice, remote=self.remote):
            block = read_values(self.dataset, bands, part)
            hide_masked(block, self.dataset, validity=self.validity, bands=bands, part=part)
        return block

    def first(self) -> Bands:
        """Use only the first data band, as for masks and labels."""
        return self.bands.keep([self.bands.items[0]])

    def read_first(self) -> NDArray[np.float32]:
        """Read the first data band whole, axes (row, col); NaN = no data."""
        return self.read(self.first(), whole(self.grid.shape))[..., 0]


@contextmanager
def opened(path: str | Path, **options: int) -> Iterator[Dataset]:
    """Open a raster of real numbers for reading, closed in the end; ``options`` are GDAL's.

    Raises
    ------
    RasterError
        If it does not exist, is no raster, or has no band of real numbers.
    """
    name = str(path)
    dataset = open_dataset(name, **options)
    try:
        yield _dataset_of(name, dataset, options)
    finally:
        dataset.close()


def _dataset_of(name: str, dataset: DatasetReader, options: Mapping[str, int]) -> Dataset:
    with reporting(
        f"{name} cannot be described", "The file seems damaged: fetch or copy it again."
    ):
        _require_real_bands(name, dataset)
        bands = bands_of(dataset)
        return Dataset(
            name=name,
            dataset=dataset,
            grid=grid_of(dataset),
            bands=bands,
            validity=validity_of(dataset, bands),
            options=options,
            remote=reads_remotely(dataset),
        )


def _require_real_bands(name: str, dataset: DatasetReader) -> None:
    indexes = data_indexes(dataset)
    if not dataset.count and dataset.subdatasets:
        raise RasterError(
            f"{name} is a container of {len(dataset.subdatasets)} rasters, not one raster. "
            f"Give one of them: {_shown(dataset.subdatasets)}."
        )
    if not indexes:
        kind = "only an alpha band" if dataset.count else "no bands"
        raise RasterError(f"{name} has {kind}. Give a raster with at least one data band.")
    types = sorted({dataset.dtypes[index - 1] for index in indexes})
    if any(dtype.startswith("complex") for dtype in types):
        raise RasterError(
            f"{name} holds complex numbers ({', '.join(types)}), but bands must hold real ones. "
            f"Convert it to amplitude or intensity first (gdal_calc.py)."
        )


def _shown(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
