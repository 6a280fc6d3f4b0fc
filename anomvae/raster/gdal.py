"""How every call into GDAL is made: a bounded cache, and errors of one kind, in one line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile

from ..errors import RasterError

CACHE_BYTES = 128_000_000
"""Of GDAL's block cache; by default it would take 5 % of the machine's memory."""

# SystemError is rasterio's word for a failure about which GDAL says nothing.
GDAL_ERRORS = (RasterioError, CRSError, CPLE_BaseError, SystemError)


@contextmanager
def session() -> Iterator[None]:
    """Call GDAL with a bounded cache; a raster without georeference is no reason to warn."""
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def reporting(found: str, do: str) -> Iterator[None]:
    """Call GDAL; a failure becomes one line: ``found``, GDAL's reason, what to ``do``.

    Raises
    ------
    RasterError
        If GDAL fails.
    """
    try:
        with session():
            yield
    except GDAL_ERRORS as error:
        raise RasterError(f"{found}: {reason(error)}. {do}") from error


def reason(error: BaseException) -> str:
    """Take the most telling message of a chain of errors: the outermost one of GDAL itself."""
    # rasterio's own "Read failed. See previous exception for details." says nothing.
    told = error.__cause__ if isinstance(error.__cause__, CPLE_BaseError) else error
    text = getattr(told, "errmsg", "") or getattr(told, "strerror", "") or str(told)
    return " ".join(text.split()).rstrip(".:")


def open_dataset(name: str, **options: int) -> DatasetReader:
    """Open a raster for reading, with GDAL's opening options.

    Raises
    ------
    RasterError
        If it does not exist, or GDAL cannot open it as a raster.
    """
    if is_local(name) and not Path(name).exists():
        raise RasterError(f"{name} does not exist. Check the path.")
    with reporting(
        f"{name} cannot be opened as a raster",
        "Give a file that GDAL reads (GeoTIFF, ENVI, VRT, ...), complete and readable.",
    ):
        return rasterio.open(name, **options)


def is_local(name: str) -> bool:
    """Tell a path from an URI, one of GDAL's virtual files, or a VRT given as text."""
    return not re.match(r"/vsi|<|\w{2,}:", name)


@cache
def compression() -> dict[str, str]:
    """Choose how files are compressed: ZSTD, twice as fast at the same size, where GDAL has it."""
    try:
        with (
            session(),
            MemoryFile() as memory,
            memory.open(driver="GTiff", width=1, height=1, count=1, dtype="uint8", compress="ZSTD"),
        ):
            return {"COMPRESS": "ZSTD", "LEVEL": "1"}
    except GDAL_ERRORS:
        return {"COMPRESS": "DEFLATE", "LEVEL": "6"}
