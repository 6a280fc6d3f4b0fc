"""Parts of a file that GDAL cannot read, and does without.

GDAL opens a TIFF that is cut inside the text of a tag at its end, and only warns; it leaves out a
side-car that is cut, and does not even warn.  The nodata value, the names of bands or the location
would be lost in silence.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rasterio.io import DatasetReader

from ..addresses import concealed, displayed
from ..documents import content_of
from ..errors import RasterError
from ..files import SIDE_CAR
from ..names import printable

LOG = "rasterio._env"
"""Name of the log into which rasterio writes the warnings of GDAL."""
LOST = re.compile(
    r"IO error during reading of|Sanity check on size of|"
    r'for "(?:GDALMetadata|GDALNoDataValue)"; tag ignored'
)
"""Warnings of a part that is missing, or without which values change.  Other tags that GDAL
ignores are of no use to it, or, like control points, also kept beside the file."""
DAMAGED = "The file seems damaged or cut short: fetch or copy it again."
UNREACHABLE = "The server or the network fails, or the file is damaged: try again later."

RAW = frozenset({"ENVI", "EHdr", "RRASTER", "SAGA", "RST", "LAN", "ISCE", "PAux", "VICAR"})
"""Drivers of formats whose pixels lie in a file one after the other."""
PNG_END, PNG_TAIL = b"IEND", 4096
"""The last chunk of a PNG, and how many bytes may follow it."""

STARTED, ENDED = b"<PAMDataset>", (b"</PAMDataset>", b"<PAMDataset/>", b"<PAMDataset />")
"""Start and end of the side-car of a raster."""


def require_whole_side_car(path: str) -> None:
    """Require that the side-car ``.aux.xml`` of a local raster, if it has one, has an end.

    Raises
    ------
    RasterError
        When it is cut short, or no file.
    """
    name = path + SIDE_CAR
    if not os.path.exists(name):
        return
    try:
        content = content_of(name)
    except OSError as error:
        raise RasterError(
            f"{printable(displayed(name))} cannot be read: {error.strerror}. Check its rights."
        ) from error
    start = content.strip()[: len(STARTED)]
    if (STARTED in content or STARTED.startswith(start)) and not any(e in content for e in ENDED):
        raise RasterError(f"{printable(displayed(name))} has no end. {DAMAGED}")


def require_whole_pixels(dataset: DatasetReader, name: str) -> None:
    """Require that the pixels of a local raster are all there: GDAL reads missing ones as 0.

    Raises
    ------
    RasterError
        When a file of raw numbers is shorter than they are, or a PNG has no end.
    """
    if not os.path.isfile(dataset.name):
        return
    if dataset.driver == "PNG":
        with open(dataset.name, "rb") as file:
            file.seek(-min(PNG_TAIL, os.path.getsize(dataset.name)), os.SEEK_END)
            if PNG_END not in file.read():
                raise RasterError(f"{name} has no end. {DAMAGED}")
    if dataset.driver in RAW and not _is_compressed(dataset):
        # The pixels of other drivers lie in a file beside the one that is named.
        files = [dataset.name] if dataset.driver == "ENVI" else dataset.files
        needed, found = _bytes_of(dataset), max(map(os.path.getsize, files))
        if found < needed:
            raise RasterError(f"{name} has {found} of at least {needed} bytes. {DAMAGED}")
        if found > needed and dataset.driver == "ENVI":
            logging.getLogger(__name__).warning(
                "%s has %d bytes, but its header describes %d: if rows or bands are missing in the "
                "header, pixels are displaced.",
                *(name, found, needed),
            )


def _is_compressed(dataset: DatasetReader) -> bool:
    return dataset.tags(ns="ENVI").get("file_compression", "0").strip() not in {"", "0"}


def _bytes_of(dataset: DatasetReader) -> int:
    pixels, dtypes, bits = dataset.width * dataset.height, dataset.dtypes, 0
    for index in dataset.indexes:
        stored = dataset.tags(index, ns="IMAGE_STRUCTURE").get("NBITS", "")
        bits += int(stored) if stored.isdigit() else 8 * np.dtype(dtypes[index - 1]).itemsize
    offset = dataset.tags(ns="ENVI").get("header_offset", "").strip()
    return int(pixels * bits // 8) + (int(offset) if offset.isdigit() else 0)


class _Collector(logging.Handler):
    """Keeps what a thread logs about parts that are lost."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of the thread that made this."""
        message = record.getMessage()
        if threading.get_ident() == self.thread and LOST.search(message):
            self.messages.append(message)


@contextmanager
def without_losses(name: str, advice: str = DAMAGED) -> Iterator[None]:
    """Open the file called ``name``, or read what it states about itself; it must be whole.

    The level of a log is shared by all threads: no other thread may do the same at the same time.

    Raises
    ------
    RasterError
        At the end, when GDAL has warned of a part that it cannot read.
    """
    log, collector = logging.getLogger(LOG), _Collector()
    level = log.level
    log.addHandler(collector)
    if not log.isEnabledFor(logging.WARNING):
        log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(collector)
    for message in collector.messages:
        lost = printable(concealed(message.partition(" in ")[2]))  # after the kind of the error
        raise RasterError(f"{name} cannot be read whole: {lost}. {advice}")
