"""Settings and errors of every call into GDAL: a bounded cache, and one-line errors of one type.

Settings of the user, in the environment or by `rasterio.Env`, take precedence over those of this
module, except for the size of the cache.  Errors that libtiff prints by itself are silenced.
"""

from __future__ import annotations

import ctypes
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from rasterio import _env
from rasterio._env import get_gdal_config, set_gdal_config
from rasterio._err import CPLE_BaseError
from rasterio._path import _parse_path, _vsi_path
from rasterio.env import getenv, hasenv
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile

from ..addresses import is_local
from ..errors import RasterError
from ..parallel import forked

CACHE_BYTES = 128_000_000
"""Size of GDAL's block cache, whose default is 5 % of the memory.  A block of 512 x 512 pixels and
200 bands of 16 bits must fit, or each read of a part of it decompresses it whole."""

WHOLE_BLOCKS = 48_000_000
"""Size of the cache while every block is read whole, and once."""
LARGE_BLOCKS = 400_000_000
"""Most bytes of huge blocks that the cache is enlarged for."""
HEADROOM = 96_000_000
"""Bytes of an enlarged cache for what is written while tiles that were read ahead wait."""
CACHE_SIZE = "ANOMVAE_CACHE_SIZE"
"""Setting of GDAL, for all threads, that holds the size of the cache."""

STORES = ("curl", "s3", "gs", "az", "adls", "oss", "swift")
"""GDAL's names of the stores that it reads by HTTP."""
REMOTE = re.compile(rf"(?!file:)\w{{2,}}://|.*/vsi({'|'.join(STORES)})(_streaming)?[/?]")
NETWORK = {
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",  # s, doubled at each retry
    "GDAL_HTTP_CONNECTTIMEOUT": "10",  # s
    "GDAL_HTTP_TIMEOUT": "120",  # s of a request, however slowly a server drips
    "GDAL_HTTP_LOW_SPEED_TIME": "30",  # s below the limit that end a stalled transfer
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",  # bytes/s
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # a folder may hold millions; side-cars are probed
    # GDAL would keep half a response for good; with this it forgets a file that is closed.
    "CPL_VSIL_CURL_NON_CACHED": ":".join(f"/vsi{store}" for store in STORES),
}
"""Settings for reading from a server."""

# rasterio raises SystemError for a failure without a message of GDAL, UnicodeEncodeError for a name
# that is not UTF-8.
GDAL_ERRORS = (RasterioError, CRSError, CPLE_BaseError, SystemError, UnicodeEncodeError)


@contextmanager
def session(*, remote: bool = False) -> Iterator[None]:
    """Call GDAL with a bounded cache, from any thread."""
    threads = {"GDAL_NUM_THREADS": "1"} if forked() else {}
    # GDAL has one cache for all threads: each sets the same size.
    options = {"GDAL_CACHEMAX": _cache_size()} | threads | (_network() if remote else {})
    # rasterio casts a nodata value of float64 to float32.
    with rasterio.Env(**options), np.errstate(over="ignore"):
        yield


def enlarge_cache(size: int) -> None:
    """Give the cache at least a size, bytes, from now on."""
    set_gdal_config(CACHE_SIZE, max(size, _cache_size()))


def shrink_cache() -> None:
    """Give the cache the size that whole blocks need, from now on; this empties it."""
    set_gdal_config(CACHE_SIZE, WHOLE_BLOCKS)


def _cache_size() -> int:
    return int(get_gdal_config(CACHE_SIZE) or CACHE_BYTES)


@cache
def silence_libtiff() -> None:
    """Let libtiff print nothing: of a full disk it would print a line for each block.

    These lines bypass GDAL and its settings.  Nothing is lost: GDAL reports the same failures.
    """
    linked = ctypes.CDLL(_env.__file__)  # finds the functions of all libraries that it is linked to
    with suppress(AttributeError):  # libtiff is a part of GDAL, or not found in this way
        linked.TIFFSetErrorHandler(None)


@contextmanager
def unwarned() -> Iterator[None]:
    """Open or create rasters without warnings of a missing georeference.

    Warning filters are shared by all threads: no other thread may open rasters at the same time.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _network() -> dict[str, str]:
    """Return the settings for reading from a server that the user has not set."""
    chosen = chosen_settings()
    return {name: value for name, value in NETWORK.items() if name not in chosen}


def chosen_settings() -> set[str]:
    """Return the names of the settings of GDAL that the user, or a session, has set."""
    return {*os.environ, *(getenv() if hasenv() else ())}


@contextmanager
def reporting(problem: str, advice: str, *, remote: bool = False) -> Iterator[None]:
    """Call GDAL; a failure becomes a `RasterError`: ``problem``, the reason of GDAL, ``advice``."""
    try:
        with session(remote=remote):
            yield
    except GDAL_ERRORS as error:
        raise RasterError(f"{problem}: {reason(error)}. {advice}") from error


def reason(error: BaseException) -> str:
    """Return the outermost message of GDAL itself in a chain of errors."""
    if isinstance(error, UnicodeEncodeError):
        return "its name is not UTF-8, or holds letters that the locale lacks"
    # rasterio's own is "Read failed. See previous exception for details.".
    cause = error.__cause__ if isinstance(error.__cause__, CPLE_BaseError) else error
    text = getattr(cause, "errmsg", "") or getattr(cause, "strerror", "") or str(cause)
    return " ".join(text.split()).rstrip(".:")


def absolute_uri(name: str | Path) -> str:
    """Return the absolute path of a local file; any other name stays as it is."""
    return str(Path(name).absolute()) if is_local(str(name)) else str(name)


def is_remote(name: str) -> bool:
    """Return whether a name is read from a server."""
    return bool(REMOTE.match(name))


def reads_remotely(dataset: DatasetReader) -> bool:
    """Return whether an open raster, or any source of a VRT, is read from a server."""
    return is_remote(dataset.name) or (is_vrt(dataset.name) and any(map(is_remote, dataset.files)))


def is_vrt(name: str) -> bool:
    """Return whether a name is that of a VRT."""
    return name.lower().endswith(".vrt") or is_text(name)


def is_text(name: str) -> bool:
    """Return whether a name is a VRT given as text, or by GDAL's ``vrt://``."""
    return name.startswith(("<", "vrt://"))


def virtual_name(name: str) -> str:
    """Return GDAL's name of a file: ``/vsicurl/https://...`` for an address."""
    return str(_vsi_path(_parse_path(name)))


def compression(max_error: float | None = None) -> dict[str, str]:
    """Return options of compression, lossless or by LERC with errors of at most ``max_error``."""
    level = {"ZSTD_LEVEL": "1"} if _has_zstd() else {"ZLEVEL": "6"}
    codec = "ZSTD" if _has_zstd() else "DEFLATE"
    if max_error is None:
        return {"COMPRESS": codec} | level
    return {"COMPRESS": f"LERC_{codec}", "MAX_Z_ERROR": repr(max_error)} | level


@cache
def _has_zstd() -> bool:
    """Return whether GDAL has ZSTD, twice as fast as DEFLATE at equal size."""
    try:
        with (
            session(),
            unwarned(),
            MemoryFile() as memory,
            memory.open(driver="GTiff", width=1, height=1, count=1, dtype="uint8", compress="ZSTD"),
        ):
            return True
    except GDAL_ERRORS:
        return False
