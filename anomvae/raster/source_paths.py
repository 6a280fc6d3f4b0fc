"""Where the files that another one names lie: in its folder or below, or they are refused."""

from __future__ import annotations

import os
from pathlib import Path

from ..addresses import fetched, is_local
from ..errors import RasterError
from .access import TRUST
from .gdal import virtual_name
from .vrt import Reference

WITH_OPTIONS = ("/vsicurl?", "/vsicurl_streaming?")
"""Names whose folder is that of the address in them."""


def source_path(reference: Reference, path: str) -> str:
    """Return the path of a file that the file at ``path`` names.

    Raises
    ------
    RasterError
        When it does not lie in the folder of ``path`` or below.
    """
    inside = _inside(reference, path)
    if inside is None:
        raise RasterError(
            f"{path} names {reference.name}, which does not lie in its own folder or below. "
            f"Move the files together. {TRUST}"
        )
    return inside


def _inside(reference: Reference, path: str) -> str | None:
    prefix, name, rest = _split(reference.name)
    if not is_local(name):
        return None
    if is_local(path):
        joined = os.path.join(os.path.dirname(path) if reference.relative else "", name)
        # GDAL starts at the folder of the VRT itself, where its name is a link to it.
        real = os.path.realpath(path)
        if reference.relative and os.path.dirname(real) != os.path.realpath(os.path.dirname(path)):
            joined = os.path.join(os.path.dirname(real), name)
        inside = Path(os.path.realpath(joined)).is_relative_to(os.path.dirname(real))
        return f"{prefix}{joined}{rest}" if inside else None
    clean = os.path.normpath(name)
    if not reference.relative or prefix or clean.startswith("..") or os.path.isabs(clean):
        return None
    return f"{_virtual_folder(path)}/{name}"


def _virtual_folder(path: str) -> str:
    file = virtual_name(path)
    if file.startswith(WITH_OPTIONS):
        file = f"/vsicurl/{''.join(fetched(file))}"
    return file.partition("?")[0].rpartition("/")[0]


def _split(name: str) -> tuple[str, str, str]:
    """Split the name of a subdataset, as in ``NETCDF:"a.nc":b``, around its path."""
    for prefix in ('NETCDF:"', 'HDF5:"', 'ZARR:"'):
        if name.startswith(prefix):
            path, quote, rest = name.removeprefix(prefix).partition('"')
            return prefix, path, quote + rest
    return "", name, ""
