"""An ENVI cube that is named by its header: the pixels lie in a file beside it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ...addresses import displayed, is_local
from ...errors import RasterError, listed
from ..access import DEFAULT, Access
from ..dataset import Dataset
from ..gdal import absolute_uri
from ..raster_dataset import open_raster
from .product import Product, ProductOptions

HEADER = ".hdr"
SUFFIXES = ("", ".dat", ".img", ".bsq", ".bil", ".bip", ".raw", ".bin", ".tif", ".tiff")
"""Ends of the names of the files whose pixels a header describes."""


@dataclass(frozen=True)
class HeaderOfCube(Product):
    """A header ``.hdr``: of ``scene.hdr`` the pixels are ``scene``, ``scene.dat`` or the like."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> HeaderOfCube | None:
        """Take the name of a header."""
        if not is_local(name) or Path(name).suffix.lower() != HEADER:
            return None
        options.require_default(name, "a raster of ENVI")
        return cls(name)

    @property
    def pixels(self) -> tuple[str, ...]:
        """The files beside it that it may describe."""
        start = self.name[: -len(HEADER)]
        names = (start + end for suffix in SUFFIXES for end in {suffix, suffix.upper()})
        found = [name for name in names if os.path.isfile(name)]
        # Of scene.dat.hdr, these are the pixels; scene.dat.img is another file.
        return tuple(found[:1] if found[:1] == [start] else found)

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables: that of the pixels."""
        return Path((*self.pixels, self.name)[0]).stem

    @property
    def paths(self) -> tuple[str, ...]:
        """The pixels and the header."""
        return (*self.pixels, self.name)

    def absolute(self) -> HeaderOfCube:
        """Return the product with an absolute path."""
        return HeaderOfCube(absolute_uri(self.name))

    def open(self, access: Access = DEFAULT) -> AbstractContextManager[Dataset]:
        """Open the pixels; the context closes them."""
        found = self.pixels
        if not os.path.exists(self.name):
            raise RasterError(f"{displayed(self.name)} does not exist. Check the path.")
        if len(found) != 1:
            what = f"several: {listed(found)}. Name one of them" if found else "none. Fetch it"
            raise RasterError(
                f"{displayed(self.name)} is a header, whose pixels lie in a file beside it of the "
                f"same name with or without {', '.join(SUFFIXES[1:8])}; there {_are(found)} {what}."
            )
        return open_raster(found[0], access=access)


def _are(found: tuple[str, ...]) -> str:
    return "are" if found else "is"
