"""Any raster that GDAL opens by name: a file, an URI, ``/vsi...``, one of a container's rasters."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...files import is_local, without_query
from ..dataset import Dataset, open_raster
from ..gdal import absolute_uri
from .product import Product


@dataclass(frozen=True)
class Raster(Product):
    """A raster that GDAL opens by its name."""

    path: str
    """As it was named."""

    @property
    def name(self) -> str:
        """The path as it was named."""
        return self.path

    @property
    def stem(self) -> str:
        """What the names of its results begin with."""
        return stem_of(self.path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The path alone."""
        return (self.path,)

    def absolute(self) -> Raster:
        """Name it so that it is found from any folder."""
        return Raster(absolute_uri(self.path))

    def open(self) -> AbstractContextManager[Dataset]:
        """Open it; closed in the end."""
        return open_raster(self.path)


def stem_of(name: str) -> str:
    """Make the beginning of file names from a path, an URI, or the name of a container's raster.

    Examples
    --------
    >>> stem_of("maps/coast.v1.tif"), stem_of("s3://eo/coast.tif"), stem_of('NETCDF:"a/b.nc":t2m')
    ('coast.v1', 'coast', 'b_t2m')
    """
    if is_local(name):
        return Path(name).stem
    last = re.split(r"[/!]", without_query(name).rstrip("/"))[-1].replace('"', "")
    return "_".join(PurePosixPath(part).stem for part in last.split(":") if part)
