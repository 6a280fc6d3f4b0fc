"""The files that a raster is read from."""

from __future__ import annotations

from rasterio.io import DatasetReader

from ..errors import RasterError
from ..identity import is_sidecar
from .access import VRT, Access
from .gdal import is_remote, session
from .opening import open_handle
from .vrt_text import read_document

TRUSTED = Access(drivers=(VRT,), limits=None)
"""The sources of a raster that is open were checked when it was opened."""
LOCAL_ARCHIVES = ("zip://", "tar://", "gzip://")


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
        new = [source for source in _sources(waiting.pop()) if source not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return list(found)


def _sources(file: str) -> list[str]:
    """Return the files that a VRT reads; none for another file."""
    with session(remote=is_remote(file)):
        document = read_document(file, most=None)
    if document is None:
        return []
    try:
        with open_handle(file, access=TRUSTED) as vrt:
            return list(vrt.files)
    except RasterError:
        return []  # reading its pixels fails, too, and names it
