"""Any raster that GDAL opens by name: a file, a URI, ``/vsi...``, a subdataset of a container."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...addresses import displayed, is_local
from ..access import DEFAULT, Access
from ..dataset import Dataset
from ..gdal import absolute_uri
from ..raster_dataset import open_raster
from .product import Product, ProductOptions


@dataclass(frozen=True)
class Raster(Product):
    """A raster that GDAL opens by its name."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Raster:
        """Take any name."""
        options.require_default(name, "one raster")
        return cls(name)

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables."""
        if is_local(self.name):
            return Path(self.name).stem
        last = re.split(r"[/!]", displayed(self.name).rstrip("/"))[-1].replace('"', "")
        return "_".join(PurePosixPath(part).stem for part in last.split(":") if part)

    @property
    def paths(self) -> tuple[str, ...]:
        """The path alone."""
        return (self.name,)

    def absolute(self) -> Raster:
        """Return the product with an absolute path."""
        return Raster(absolute_uri(self.name))

    def open(self, access: Access = DEFAULT) -> AbstractContextManager[Dataset]:
        """Open the raster; the context closes it."""
        return open_raster(self.name, access=access)
