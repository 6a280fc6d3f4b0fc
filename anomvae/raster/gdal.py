"""How every call into GDAL is made: a bounded cache, and errors of one kind, in one line.

What a user has set for GDAL, in the environment or by `rasterio.Env`, holds before what is set
here, but for the cache.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.env import getenv, hasenv
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile

from ..errors import RasterError
from ..files import is_local

CACHE_BYTES = 128_000_000
"""Of GDAL's block cache, by default 5 % of the machine's memory.  A block of 512 x 512 pixels
and 200 bands of 16 bits must fit, or each look at a part of it unpacks it whole."""

STORES = ("curl", "s3", "gs", "az", "adls", "oss", "swift")
"""What GDAL reads by HTTP, in its words."""
REMOTE = re.compile(rf"(?!file:)\w{{2,}}://|.*/vsi({'|'.join(STORES)})(_streaming)?[/?]")
NETWORK = {
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",  # s, and about twice as long each time
    "GDAL_HTTP_CONNECTTIMEOUT": "10",  # s
    "GDAL_HTTP_LOW_SPEED_TIME": "30",  # s in which less than the limit comes: it has stalled
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",  # bytes/s
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # a folder may hold millions; side-cars are asked for
    # Half an answer would stay in GDAL's memory for good; so it forgets a file that is closed.
    "CPL_VSIL_CURL_NON_CACHED": ":".join(f"/vsi{store}" for store in STORES),
}
"""How rasters are read from a server."""

# SystemError is rasterio's word for a failure about which GDAL says nothing.
GDAL_ERRORS = (RasterioError, CRSError, CPLE_BaseError, SystemError)


@contextmanager
def session(*, remote: bool = False) -> Iterator[None]:
    """Call GDAL with a bounded cache, from any thread."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES, **(_network() if remote else {})):
        yield


@contextmanager
def unwarned() -> Iterator[None]:
    """Open or make rasters; one without georeference is no reason to warn.

    Python keeps its warnings for all threads together, so nothing else may open rasters meanwhile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _network() -> dict[str, str]:
    """Say how to read from a server, where the user has not."""
    known = {*os.environ, *(getenv() if hasenv() else ())}
    return {name: value for name, value in NETWORK.items() if name not in known}


@contextmanager
def reporting(found: str, do: str, *, remote: bool = False) -> Iterator[None]:
    """Call GDAL; a failure becomes one line: ``found``, GDAL's reason, what to ``do``.

    Raises
    ------
    RasterError
        If GDAL fails.
    """
    try:
        with session(remote=remote):
            yield
    except GDAL_ERRORS as error:
        raise RasterError(f"{found}: {reason(error)}. {do}") from error


def reason(error: BaseException) -> str:
    """Take the most telling message of a chain of errors: the outermost one of GDAL itself."""
    # rasterio's own "Read failed. See previous exception for details." says nothing.
    told = error.__cause__ if isinstance(error.__cause__, CPLE_BaseError) else error
    text = getattr(told, "errmsg", "") or getattr(told, "strerror", "") or str(told)
    return " ".join(text.split()).rstrip(".:")


def open_handle(path: str, name: str | None = None) -> DatasetReader:
    """Open a raster for reading; messages call it ``name``, by default its path.

    Raises
    ------
    RasterError
        If it does not exist, or GDAL cannot open it as a raster.
    """
    shown = path if name is None else name
    if is_local(path) and not Path(path).exists():
        raise RasterError(f"{shown} does not exist. Check the path.")
    remote = is_remote(path) or _is_vrt(path)
    advice = (
        "Check the address, the rights and the network."
        if is_remote(path)
        else "Give a file that GDAL reads (GeoTIFF, ENVI, VRT, ...), complete and readable."
    )
    with reporting(f"{shown} cannot be opened as a raster", advice, remote=remote), unwarned():
        return rasterio.open(path)


def absolute_uri(name: str | Path) -> str:
    """Name a raster so that it is found from any folder."""
    return str(Path(name).absolute()) if is_local(str(name)) else str(name)


def is_remote(name: str) -> bool:
    """Tell what is read from a server from what lies on this machine, or is no path at all."""
    return bool(REMOTE.match(name))


def reads_remotely(dataset: DatasetReader) -> bool:
    """Tell an open raster that is read from a server, also if only the parts of a VRT are."""
    return is_remote(dataset.name) or (_is_vrt(dataset.name) and any(map(is_remote, dataset.files)))


def _is_vrt(name: str) -> bool:
    return name.lower().endswith(".vrt") or name.startswith("<")  # a VRT given as text


@cache
def compression() -> dict[str, str]:
    """Choose how files are compressed: ZSTD, twice as fast at the same size, where GDAL has it."""
    try:
        with (
            session(),
            unwarned(),
            MemoryFile() as memory,
            memory.open(driver="GTiff", width=1, height=1, count=1, dtype="uint8", compress="ZSTD"),
        ):
            return {"COMPRESS": "ZSTD", "LEVEL": "1"}
    except GDAL_ERRORS:
        return {"COMPRESS": "DEFLATE", "LEVEL": "6"}
