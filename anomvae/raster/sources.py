"""The files that a raster is read from."""

from __future__ import annotations

from pathlib import Path

from rasterio.io import DatasetReader

from ..errors import RasterError
from ..identity import is_sidecar
from .access import Access
from .gdal import is_remote
from .opening import open_handle

TRUSTED = Access(drivers=("VRT",))
"""The sources of a raster that is open were checked when it was opened."""
LOCAL_ARCHIVES = ("zip://", "tar://", "gzip://")
VRT = "VRT"
START = b"<VRTDataset"
"""Start of a VRT, which may have any name."""
LOOKED_AT = 100
"""Bytes that are searched for it: a declaration of XML may precede it."""


def files_of(dataset: DatasetReader) -> list[str]:
    """Return every file that an open raster is read from, each once, without side-cars.

    GDAL lists the sources of a VRT, but not those of a VRT among them.
    """
    first, *others = _with_sources(dataset)
    return [first, *(file for file in others if not is_sidecar(file))]


def _with_sources(dataset: DatasetReader) -> list[str]:
    name = dataset.name
    if dataset.driver != VRT and is_remote(name) and not name.startswith(LOCAL_ARCHIVES):
        return [name]  # GDAL would ask a server, which may answer for any name, for more
    files = list(dataset.files) or [name]
    if dataset.driver != VRT:
        return files
    found, waiting = dict.fromkeys(files), [file for file in files if file != name]
    while waiting:
        file = waiting.pop()
        if _is_vrt(file):
            new = [source for source in _sources(file) if source not in found]
            found |= dict.fromkeys(new)
            waiting += new
    return list(found)


def _sources(file: str) -> list[str]:
    try:
        with open_handle(file, access=TRUSTED) as vrt:
            return list(vrt.files)
    except RasterError:
        return []  # reading its pixels fails, too, and names it


def _is_vrt(file: str) -> bool:
    if file.lower().endswith(".vrt"):
        return True
    try:
        with Path(file).open("rb") as head:
            return START in head.read(LOOKED_AT)
    except OSError:
        return False
